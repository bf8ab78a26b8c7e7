import type { Column } from '../../lib/rules';
import { clockCodes, codeTitle } from '../../state/rules';
import { words } from '../../state/cases';
import { layers, loaded, revision } from '../../state/store';

/** The codes that a column can hold, by where they come from. */
const sources: Record<string, () => string[]> = {
  type: () => (words.value?.types.types ?? []).map(({ code }) => code),
  condition: () => [
    ...new Set(
      (words.value?.types.types ?? []).flatMap(({ conditions }) =>
        conditions.map(({ code }) => code),
      ),
    ),
  ],
  grade: () => words.value?.types.grades ?? [],
  department: () => (words.value?.types.departments ?? []).map(({ code }) => code),
  clock: clockCodes,
  goesUp: () => ['true', 'false'],
  area: districts,
  entityType: () => layers.value.map(({ layer }) => layer.type),
};
/** Where cases lie, as the map has it. */
function districts(): string[] {
  void revision.value;
  return [...(loaded.get('District')?.features.keys() ?? [])];
}

const like: Record<string, string> = { caseType: 'type', caseCondition: 'condition' };

export const codesOf = (column: string): string[] => sources[like[column] ?? column]?.() ?? [];

/** The id of the list of a column's codes; "" where there is none. */
export const codesFor = (column: string): string =>
  codesOf(column).length ? `codes-${like[column] ?? column}` : '';

/** Lists that fields offer while someone types: each code with its name. */
export function Codes({ columns }: { columns: readonly Column[] }) {
  const names = new Set(columns.map(({ key }) => like[key] ?? key));
  return (
    <>
      {[...names].map((name) => {
        const codes = codesOf(name);
        if (!codes.length) return null;
        return (
          <datalist id={`codes-${name}`} key={name}>
            {codes.map((code) => (
              <option key={code} value={code} label={codeTitle(name, code) || undefined} />
            ))}
          </datalist>
        );
      })}
    </>
  );
}

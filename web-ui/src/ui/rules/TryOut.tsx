import { useEffect, useState } from 'preact/hooks';
import {
  type CellValue,
  type Decision,
  decideBy,
  type Part,
  type RuleTable,
} from '../../api/rules';
import { t } from '../../lib/i18n';
import { literalsOf, valueOf } from '../../lib/rules';
import { words } from '../../state/cases';
import { codeTitle, columnTitle, valueTitle } from '../../state/rules';
import { codesOf } from './Codes';
import { type Refusal, refused } from './said';

interface Properties {
  table: RuleTable;
  /** Is told the row that decides, 1 = first; 0 is none. */
  tell(row: number): void;
}

const pause = 250;

/** What the table decides, as it stands there: kept or not. */
export function TryOut({ table, tell }: Properties) {
  const [given, setGiven] = useState<Record<string, string>>({});
  const [decision, setDecision] = useState<Decision | null>(null);
  const [error, setError] = useState<Refusal>(null);
  const asked = Object.values(given).some(Boolean);
  useEffect(() => {
    if (!asked) {
      setDecision(null);
      setError(null);
      tell(0);
      return;
    }
    let wanted = true;
    const timer = setTimeout(() => {
      const values = table.inputs.map(({ name, type }): [string, CellValue] => [
        name,
        valueOf(given[name] ?? '', type),
      ]);
      const known = values.filter(([, value]) => value !== null);
      decideBy(table, Object.fromEntries(known)).then(
        (found) => {
          if (!wanted) return;
          setDecision(found);
          setError(null);
          tell(found.hits[0]?.number ?? 0);
        },
        (thrown: unknown) => {
          if (!wanted) return;
          setDecision(null);
          setError(refused(thrown));
          tell(0);
        },
      );
    }, pause);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [table, JSON.stringify(given)]);
  const hit = decision?.hits[0];
  return (
    <section class="rule-part" aria-labelledby="rule-try" data-try="">
      <h3 id="rule-try">{t('rules.try')}</h3>
      <p class="quiet small">{t('rules.tryHint')}</p>
      <div class="rule-form rule-pairs">
        {table.inputs.map((part) => (
          <label key={part.name}>
            <span>{columnTitle(part.name, part.title)}</span>
            <Field
              part={part}
              type={given.type ?? ''}
              value={given[part.name] ?? ''}
              give={(text) => setGiven((now) => ({ ...now, [part.name]: text }))}
            />
          </label>
        ))}
      </div>
      <div role="status" class="rule-decision" data-hit={hit?.row}>
        {error && <p class="warn">{error.status === 0 ? t('error.unreachable') : error.message}</p>}
        {decision && !hit && <p class="strong">{t('rules.noRow')}</p>}
        {hit && (
          <>
            <p class="strong">
              {Object.entries(hit.outputs)
                .map(
                  ([name, value]) =>
                    `${columnTitle(name, titleIn(table, name))}: ${valueTitle(name, value)}`,
                )
                .join(' · ')}
            </p>
            <p class="small">
              {t('rules.byRow', { row: hit.row, number: hit.number })}
              {hit.why.length > 0 &&
                ` ${t('rules.because', {
                  why: hit.why
                    .map(
                      ({ input, test }) => `${columnTitle(input, titleIn(table, input))} ${test}`,
                    )
                    .join(' · '),
                })}`}
            </p>
            {hit.note && <p class="small quiet">{hit.note}</p>}
          </>
        )}
      </div>
    </section>
  );
}

const titleIn = (table: RuleTable, name: string): Record<string, string> | undefined =>
  [...table.inputs, ...table.outputs].find((part) => part.name === name)?.title;

interface FieldProperties {
  part: Part;
  /** The type of case that is chosen, which narrows its conditions down. */
  type: string;
  value: string;
  give(text: string): void;
}

function Field({
  part: { name, type = 'string', values = '' },
  type: chosen,
  value,
  give,
}: FieldProperties) {
  const ofType = words.value?.types.types.find(({ code }) => code === chosen)?.conditions;
  const listed = codesOf(name);
  const codes =
    name === 'condition' && ofType
      ? ofType.map(({ code }) => code)
      : listed.length
        ? listed
        : type === 'string'
          ? literalsOf(values)
          : [];
  if (!codes.length) {
    return (
      <input
        class="search"
        name={`try-${name}`}
        inputMode={type === 'number' ? 'decimal' : undefined}
        value={value}
        onInput={(event) => give(event.currentTarget.value)}
      />
    );
  }
  return (
    <select
      class="select"
      name={`try-${name}`}
      value={value}
      onChange={(event) => give(event.currentTarget.value)}
    >
      <option value="">{t('rules.unknown')}</option>
      {codes.map((code) => (
        <option key={code} value={code}>
          {codeTitle(name, code) || code}
        </option>
      ))}
    </select>
  );
}

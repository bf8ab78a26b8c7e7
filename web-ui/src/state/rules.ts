/** What the reader does with decision tables: the version that is open, and drafts as they are typed. */
import { computed, signal } from '@preact/signals';
import { type CellValue, readVersion, type Row, type RuleTable, saveDraft } from '../api/rules';
import type { RulesView } from '../lib/address';
import { clockTitle, limitText } from '../lib/cases';
import { durationText } from '../lib/format';
import { known, t } from '../lib/i18n';
import { attributeLabel, humanise, nameText, typeLabel } from '../lib/names';
import { cellText, columnsOf, literalsOf } from '../lib/rules';
import { areaTitle, conditionTitle, departmentTitle, typeTitle, words } from './cases';
import { go, view } from './view';

/** Changes what is open, and the address with it. */
export function goRules(change: Partial<RulesView>, step = true): void {
  go({ page: 'rules', rules: { ...view.value.rules, ...change } }, step);
}

/** Opens a version from anywhere; "" is the list of all. */
export const openVersion = (version: string, row = ''): void =>
  goRules({ version, row, replay: '' });

/** Grows when versions were written, adopted or taken away. */
export const rulesNews = signal(0);

/** A draft as it is typed; `saved` is what the node has of it, written at `writtenAt`. */
export interface Edited {
  table: RuleTable;
  saved: RuleTable;
  writtenAt: string;
  /** What it was before each change, the last at the end. */
  before: RuleTable[];
}

/** By version: what is typed stays when the reader looks elsewhere on the page. */
export const edited = signal<Record<string, Edited>>({});

export const isUnsaved = ({ table, saved }: Edited): boolean => table !== saved;
const someUnsaved = computed(() => Object.values(edited.value).some(isUnsaved));
const mostUndone = 100;

addEventListener('beforeunload', (event) => {
  if (someUnsaved.value) event.preventDefault();
});

const put = (version: string, now: Edited): void =>
  void (edited.value = { ...edited.value, [version]: now });

/** Takes up a draft as the node has it, unless it is being typed in. */
export function takeUp(version: string, table: RuleTable, writtenAt: string): void {
  const now = edited.peek()[version];
  if (now && (isUnsaved(now) || now.writtenAt === writtenAt)) return;
  put(version, { table, saved: table, writtenAt, before: [] });
}

export function change(version: string, by: (table: RuleTable) => RuleTable): void {
  const now = edited.peek()[version];
  const table = now && by(now.table);
  if (!table || table === now.table) return;
  put(version, { ...now, table, before: [...now.before, now.table].slice(-mostUndone) });
}

export function undo(version: string): void {
  const now = edited.peek()[version];
  const table = now?.before.at(-1);
  if (now && table) put(version, { ...now, table, before: now.before.slice(0, -1) });
}

/** What is typed is forgotten. */
export function letGo(version: string): void {
  const { [version]: _, ...others } = edited.peek();
  edited.value = others;
}

/** Somebody else saved the draft meanwhile; nothing was written. */
export class EditedMeanwhile extends Error {
  constructor(readonly by: string) {
    super();
  }
}

/**
 * Saves a draft.
 *
 * @param over also where somebody else saved it since it was read
 * @throws ApiError, EditedMeanwhile
 */
export async function save(version: string, over = false): Promise<void> {
  const now = edited.peek()[version];
  if (!now) return;
  const { decisionTable, version: name } = now.table;
  if (!over) {
    const { writtenAt = '', writtenBy = '' } = (await readVersion(decisionTable, name)).body;
    if (writtenAt !== now.writtenAt) throw new EditedMeanwhile(writtenBy);
  }
  await saveDraft(now.table);
  const { writtenAt = '' } = (await readVersion(decisionTable, name)).body;
  const since = edited.peek()[version];
  if (since) put(version, { ...since, saved: now.table, writtenAt });
  rulesNews.value++;
}

const titles: Record<string, (code: string) => string> = {
  type: typeTitle,
  caseType: typeTitle,
  condition: conditionTitle,
  caseCondition: conditionTitle,
  department: departmentTitle,
  area: areaTitle,
  clock: (code) => known(`rules.clock.${code}`) ?? clockTitle(code),
  entityType: typeLabel,
  attribute: attributeLabel,
  limit: limitText,
  for: durationText,
  silence: durationText,
  goesUp: truth,
};

function truth(text: string): string {
  return text === 'true' ? t('panel.yes') : text === 'false' ? t('panel.no') : text;
}

/** What a code of a column is called; "" where nothing but the code is known. */
export function codeTitle(column: string, code: string): string {
  const title = titles[column]?.(code) ?? '';
  return title === code ? '' : title;
}

/** What the codes of a cell are called, for beside it; "" where there is nothing to add. */
export function cellTitle(column: string, text: string): string {
  const codes = column in titles ? literalsOf(text) : [];
  const named = codes.map((code) => codeTitle(column, code) || code);
  if (!named.some((name, at) => name !== codes[at])) return '';
  const list = named.join(t('rules.comma'));
  return /^\s*not\s*\(/.test(text) ? t('rules.not', { list }) : list;
}

/**
 * What a row asks for, in words: the titles of its codes, other tests with their columns. The clock is left
 * out where more is asked: it is told beside it.
 */
export function rowWords(table: Pick<RuleTable, 'inputs'>, row: Row): string {
  const asked = columnsOf({ inputs: table.inputs, outputs: [] })
    .filter(({ role }) => role === 'input')
    .map((column) => ({ column, text: cellText(row, column) }))
    .filter(({ text }) => text);
  const named = asked.filter(({ column: { key } }) => key !== 'clock');
  const words = (named.length ? named : asked).map(({ column: { key, part }, text }) => {
    const plain = text.replaceAll('"', '');
    return (
      cellTitle(key, text) || `${columnTitle(key, part?.title)} ${known(`value.${plain}`) ?? plain}`
    );
  });
  return words.join(' · ') || t('rules.row.else');
}

/** A value with what it is called. */
export function valueTitle(column: string, value: CellValue | unknown): string {
  if (value === null || value === undefined || value === '') return '–';
  const text = String(value);
  return codeTitle(column, text) || text;
}

/** What a column is called: in its own words, else the page's. */
export function columnTitle(name: string, title: Record<string, string> = {}): string {
  return nameText(title) || (known(`rules.column.${name}`) ?? humanise(name));
}

/** The clocks that limits can be for: what a department has, what is promised, and the steps of the city's own. */
export const clockCodes = (): string[] => [
  'handling',
  'promise',
  ...Object.entries(words.value?.workflow.clocks ?? {})
    .filter(([, { limit }]) => limit === 'stage')
    .map(([clock]) => clock),
];

/** Versions of decision tables over time: which is in force, which comes, as a bar; days of the city. Pure. */
import type { Kind, RuleRow, Version } from '../api/rules';
import { timeZone } from './format';
import { nodeNow } from './nodetime';

export const kindsInOrder: readonly Kind[] = ['routing', 'limits', 'escalation', 'opening'];

/** The city's day of an instant, `2026-12-31`. */
export function dayOf(at: number = nodeNow()): string {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: timeZone.value,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  }).formatToParts(at);
  const part = (type: string): string => parts.find((each) => each.type === type)?.value ?? '';
  return `${part('year')}-${part('month')}-${part('day')}`;
}

const length = 86_400_000;
const numberOf = (day: string): number => Date.parse(`${day}T00:00:00Z`) / length;

export const addDays = (day: string, days: number): string =>
  new Date((numberOf(day) + days) * length).toISOString().slice(0, 10);

/** The twelve months that end with a day. */
export function yearTo(last: string): { from: string; until: string } {
  const before = new Date(numberOf(last) * length);
  const [year, month] = [before.getUTCFullYear() - 1, before.getUTCMonth()];
  const from = new Date(Date.UTC(year, month, before.getUTCDate()));
  // The last of February of a leap year has no like: March begins then.
  if (from.getUTCMonth() !== month) return { from: addDays(`${year}-02-28`, 1), until: last };
  return { from: addDays(from.toISOString().slice(0, 10), 1), until: last };
}

/** What stands in one row of the bar: the versions that take turns. */
export interface Line {
  /** A kind, or a table of a kind of which there are several at a time. */
  key: string;
  kind: Kind;
  /** The table; "" where tables of several names take turns. */
  table: string;
  versions: Version[];
  /** What decides today; the files' own where nothing else was adopted. */
  now: Version | null;
  /** Adopted, and not begun. */
  coming: Version[];
  drafts: Version[];
  past: Version[];
}

export const keyOf = ({
  decisionTable,
  version,
}: Pick<Version, 'decisionTable' | 'version'>): string => `${decisionTable}@${version}`;

/** The versions of a kind, line by line. `alone`: one table of the kind decides at a time. */
export function linesOf(
  versions: readonly Version[],
  kind: Kind,
  alone: boolean,
  today: string,
): Line[] {
  const mine = versions.filter((each) => each.kind === kind);
  const tables = alone ? [''] : [...new Set(mine.map(({ decisionTable }) => decisionTable))].sort();
  return tables.map((table) => {
    const taken = mine.filter(({ decisionTable }) => !table || decisionTable === table);
    const adopted = taken
      .filter(({ state }) => state === 'adopted')
      .sort((a, b) => ((a.from ?? '') < (b.from ?? '') ? -1 : 1));
    const decides = adopted.find((each) => holdsOn(each, today));
    return {
      key: table ? `${kind}:${table}` : kind,
      kind,
      table,
      versions: taken,
      now: decides ?? taken.find(({ state }) => state === 'file') ?? null,
      coming: adopted.filter(({ from = '' }) => from > today),
      drafts: taken
        .filter(({ state }) => state === 'draft')
        .sort((a, b) => ((a.writtenAt ?? '') > (b.writtenAt ?? '') ? -1 : 1)),
      past: adopted.filter(({ until }) => until && until < today).reverse(),
    };
  });
}

export const holdsOn = ({ from, until }: Version, day: string): boolean =>
  from !== undefined && from <= day && (!until || until >= day);

/** A part of a bar, in hundredths of its width. */
export interface Span {
  version: Version | null;
  left: number;
  width: number;
  when: 'past' | 'now' | 'coming';
}

export interface Bar {
  spans: Span[];
  /** Where today is. */
  today: number;
  first: string;
  last: string;
}

const month = 30;

/** The versions of a line as a bar: from the first that was adopted, at most two years ago, to beyond the last. */
export function barOf(line: Line, today: string): Bar {
  const adopted = line.versions.filter(({ state }) => state === 'adopted');
  const begins = adopted.map(({ from = today }) => from).sort();
  const ends = adopted.flatMap(({ from, until }) => [from ?? today, until ?? '']).sort();
  const first = later(
    addDays(today, -730),
    earlier(begins[0] ?? today, addDays(today, -2 * month)),
  );
  const last = earlier(
    addDays(today, 730),
    later(addDays(ends.at(-1) || today, 2 * month), addDays(today, 3 * month)),
  );
  const [low, high] = [numberOf(first), numberOf(last)];
  const at = (day: string): number =>
    Math.min(100, Math.max(0, ((numberOf(day) - low) / (high - low)) * 100));
  const spans: Span[] = [];
  const file = line.versions.find(({ state }) => state === 'file') ?? null;
  const put = (version: Version | null, from: string, end: string): void => {
    const left = at(from);
    const width = at(end) - left;
    if (width <= 0) return;
    const when = end <= today ? 'past' : from > today ? 'coming' : 'now';
    spans.push({ version, left, width, when });
  };
  let free = first;
  for (const version of [...adopted].sort((a, b) => ((a.from ?? '') < (b.from ?? '') ? -1 : 1))) {
    const from = version.from ?? first;
    const end = version.until ? addDays(version.until, 1) : last;
    if (from > free) put(file, free, from);
    put(version, from, end);
    free = later(free, end);
  }
  if (free < last) put(file, free, last);
  return { spans, today: at(today), first, last };
}

const earlier = (one: string, other: string): string => (one < other ? one : other);
const later = (one: string, other: string): string => (one > other ? one : other);

/** A name for a new version: the day, with a number where it is taken. */
export function freeVersion(versions: readonly Version[], table: string, today: string): string {
  const taken = new Set(
    versions.filter(({ decisionTable }) => decisionTable === table).map(({ version }) => version),
  );
  let name = today;
  for (let number = 2; taken.has(name); number++) name = `${today}-${number}`;
  return name;
}

/** The version that a case names: limits of the city's files are known to cases by the scheme alone. */
export function versionOf(
  versions: readonly Version[],
  { table, version }: RuleRow,
): Version | null {
  const same = versions.filter((each) => each.version === version);
  return (
    same.find(({ decisionTable }) => decisionTable === table) ??
    same.find(
      ({ decisionTable, state }) => state === 'file' && decisionTable === `${table}-limits`,
    ) ??
    null
  );
}

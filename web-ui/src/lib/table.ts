/** The columns and cells of a table, from what the node says an attribute holds. Pure but for the language. */
import type { Queryable } from '../api/maps';
import { dayText, numberText, timeText } from './format';
import { compareTexts, known, t } from './i18n';
import { attributeLabel, localName, shortId } from './names';
import { tellingAttribute } from './telling';
import { unitSign } from './units';

export type ColumnKind = 'number' | 'boolean' | 'time' | 'date' | 'link' | 'text' | 'other';

export interface Column {
  name: string;
  label: string;
  kind: ColumnKind;
  /** The sign of the unit that most values have; "" is none. */
  unit: string;
}

/** Columns that are shown unasked, at most. */
const usualCount = 6;
/** What people ask of an object before all else. */
const askedFirst = ['status', 'severity', 'requested_datetime', 'dateIssued'];
/** Numbers and codes of others' registers. */
const isCode = (name: string): boolean => /(_id|_code|[a-z]Id|[a-z]Code|[nN]umber)$/.test(name);
/** What says little about one object among its like, or is told elsewhere. */
const seldomWanted = new Set(['name', 'id', 'createdAt', 'modifiedAt', 'description', 'stale']);

/** Every attribute that can stand in a column, those of the objects themselves before what is below them. */
export function columnsOf(queryables: Record<string, Queryable>): Column[] {
  const columns = Object.entries(queryables).flatMap(([name, each]): Column[] => {
    // A place is the map's to show; the name heads the row.
    if (each.format?.startsWith('geometry') || name === 'name') return [];
    const code = each['x-ogc-unit'] ?? '';
    return [{ name, label: labelOf(name), kind: kindOf(name, each), unit: code && unitSign(code) }];
  });
  const rank = ({ name }: Column): number =>
    name === 'id' || name === 'createdAt' || name === 'modifiedAt' ? 2 : isBelow(name) ? 1 : 0;
  return columns.sort((a, b) => rank(a) - rank(b) || compareTexts(a.label, b.label));
}

/** Something said of an attribute's value, or a member of it. */
export const isBelow = (name: string): boolean => !isIri(name) && name.includes('.');

const isIri = (name: string): boolean => /^[a-z][a-z0-9+.-]*:/i.test(name);

function labelOf(name: string): string {
  return isIri(name) ? attributeLabel(name) : name.split('.').map(attributeLabel).join(' › ');
}

function kindOf(name: string, { type, format, 'x-ogc-role': role }: Queryable): ColumnKind {
  if (name === 'id') return 'text';
  if (role === 'reference') return 'link';
  const types = new Set(Array.isArray(type) ? type : [type]);
  if (types.size !== 1) return 'other';
  if (types.has('number') || types.has('integer')) return 'number';
  if (types.has('boolean')) return 'boolean';
  if (!types.has('string')) return 'other';
  return format === 'date-time' ? 'time' : format === 'date' ? 'date' : 'text';
}

/**
 * The columns of a view: those that were chosen and exist, else a choice that says the most: what is measured first.
 *
 * @param named the objects have names; else what stands for one needs no column
 */
export function shownColumns(all: Column[], chosen: readonly string[], named = true): Column[] {
  const byName = new Map(all.map((column) => [column.name, column]));
  const wanted = chosen.flatMap((name) => byName.get(name) ?? []);
  if (wanted.length) return wanted;
  const rank: Record<ColumnKind, number> = {
    number: 0,
    text: 1,
    boolean: 2,
    time: 3,
    date: 4,
    link: 5,
    other: 6,
  };
  const telling = tellingAttribute([...byName.keys(), ...(named ? ['name'] : [])]);
  const place = ({ name, kind }: Column): number => {
    const first = askedFirst.indexOf(localName(name));
    return first < 0 ? askedFirst.length + rank[kind] + (isCode(name) ? 10 : 0) : first;
  };
  return (
    all
      .filter(({ name, kind }) => !seldomWanted.has(name) && !isBelow(name) && kind !== 'other')
      .filter(({ name }) => name !== telling)
      // By their own names, not by what they are called: the choice is the same in every language.
      .sort((a, b) => place(a) - place(b) || (a.name < b.name ? -1 : 1))
      .slice(0, usualCount)
  );
}

export type Direction = 'ascending' | 'descending';

/** How a column is sorted by; null where another one is. */
export function directionOf(sort: string, name: string): Direction | null {
  return sort === name ? 'ascending' : sort === `-${name}` ? 'descending' : null;
}

/** The sort after a press on a column's head: rising, falling, and back to the order of ids. */
export function nextSort(sort: string, name: string): string {
  const now = directionOf(sort, name);
  return now === null ? name : now === 'ascending' ? `-${name}` : '';
}

/** A cell as text; "" where there is no value. */
export function cellText(value: unknown, { kind, unit }: Column): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return numberText(value, unit || kind === 'number' ? 6 : 3);
  if (typeof value === 'boolean') return t(value ? 'panel.yes' : 'panel.no');
  if (typeof value !== 'string')
    return Array.isArray(value) ? listText(value) : JSON.stringify(value);
  if (kind === 'time') return timeText(value, 'short');
  if (kind === 'date') return dayText(value);
  if (kind === 'link') return shortId(value);
  return known(`value.${value}`) ?? value;
}

function listText(list: unknown[]): string {
  const plain = list.every((each) => typeof each === 'string' || typeof each === 'number');
  return plain ? list.map((each) => shortId(String(each))).join(', ') : JSON.stringify(list);
}

/** A file's name that every system takes: letters and digits of every script, and dashes. */
export function fileName(parts: readonly string[], ending: string): string {
  const clean = parts
    .map((part) => part.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, ''))
    .filter(Boolean);
  return `${clean.join('-').toLowerCase().slice(0, 120) || 'table'}.${ending}`;
}

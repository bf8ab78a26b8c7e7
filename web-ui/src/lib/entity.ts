/**
 * What a normalized NGSI-LD entity shows: its attributes as rows.
 *
 * Source: ETSI GS CIM 009 clauses 4.5.1 to 4.5.24. Pure: no words, no document, so that the same rows
 * serve every language.
 */
import type { Geometry } from 'geojson';
import type { Name } from '../api/city';
import type { Json, NormalizedEntity } from '../api/ngsi';
import { tellingAttribute } from './telling';

export type Shown =
  | { kind: 'number'; value: number }
  | { kind: 'text'; value: string }
  | { kind: 'boolean'; value: boolean }
  | { kind: 'time'; value: string }
  | { kind: 'language'; value: Record<string, string | string[]> }
  | { kind: 'links'; value: string[] }
  | { kind: 'geometry'; value: Geometry }
  | { kind: 'json'; value: string };

export interface Row {
  /** Name and data set: one row of the panel for as long as the panel is open. */
  key: string;
  name: string;
  datasetId: string;
  shown: Shown;
  unitCode?: string;
  observedAt?: string;
  modifiedAt?: string;
  /** At the past time that is shown nothing had been observed yet. */
  unknown?: true;
  /** Sub-attributes (properties of properties). */
  rows: Row[];
}

const systemMembers = new Set(['id', 'type', '@id', '@type', '@context', 'scope', 'createdAt']);
const ownMembers = new Set([
  'type',
  'value',
  'object',
  'objectType',
  'objectList',
  'languageMap',
  'vocab',
  'valueList',
  'json',
  'unitCode',
  'observedAt',
  'datasetId',
  'instanceId',
  'createdAt',
  'modifiedAt',
  'deletedAt',
  'lang',
  'valueType',
  'entity',
  'entityList',
  'previousValue',
]);

type Members = { [name: string]: Json };

function isMembers(value: Json | undefined): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The entity's attributes in the order of its document, a row for each data set. */
export function rowsOf(entity: NormalizedEntity): Row[] {
  return rowsOfMembers(entity, systemMembers);
}

/** Those instances of a temporal evolution that have these ids, the earliest first. */
export function instancesOf(past: NormalizedEntity, ids: readonly string[]): Row[] {
  const wanted = Object.entries(past).map(([name, value]): [string, Json] => [
    name,
    [value].flat().filter((each) => isMembers(each) && ids.includes(text(each.instanceId) ?? '')),
  ]);
  const time = ({ observedAt, modifiedAt }: Row): number =>
    Date.parse(observedAt ?? modifiedAt ?? '');
  return rowsOfMembers(Object.fromEntries(wanted), systemMembers).sort((a, b) => time(a) - time(b));
}

function rowsOfMembers(members: Members, leaveOut: Set<string>): Row[] {
  const rows: Row[] = [];
  for (const [name, value] of Object.entries(members)) {
    if (leaveOut.has(name)) continue;
    for (const instance of Array.isArray(value) ? value : [value]) {
      if (isMembers(instance)) rows.push(rowOf(name, instance));
    }
  }
  return rows;
}

function rowOf(name: string, instance: Members): Row {
  const datasetId = text(instance.datasetId) ?? '';
  const row: Row = {
    key: `${name} ${datasetId}`,
    name,
    datasetId,
    shown: shownOf(instance),
    rows: rowsOfMembers(instance, ownMembers),
  };
  const unitCode = text(instance.unitCode);
  const observedAt = text(instance.observedAt);
  const modifiedAt = text(instance.modifiedAt);
  if (unitCode) row.unitCode = unitCode;
  if (observedAt) row.observedAt = observedAt;
  if (modifiedAt) row.modifiedAt = modifiedAt;
  return row;
}

function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function shownOf(instance: Members): Shown {
  switch (instance.type) {
    case 'Relationship':
      return { kind: 'links', value: targets(instance.object) };
    case 'ListRelationship':
      return { kind: 'links', value: targets(instance.objectList) };
    case 'LanguageProperty':
      return {
        kind: 'language',
        value: (instance.languageMap ?? {}) as Record<string, string | string[]>,
      };
    case 'GeoProperty':
      return { kind: 'geometry', value: instance.value as unknown as Geometry };
    case 'VocabProperty':
      return plain(instance.vocab);
    case 'ListProperty':
      return plain(instance.valueList);
    case 'JsonProperty':
      return plain(instance.json);
    default:
      return plain(instance.value);
  }
}

function targets(value: Json | undefined): string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(targets);
  if (isMembers(value)) return targets(value.object);
  return [];
}

const stamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d/;

function plain(value: Json | undefined): Shown {
  if (isMembers(value) && typeof value['@value'] === 'string') {
    const typed = value['@value'];
    return value['@type'] === 'DateTime'
      ? { kind: 'time', value: typed }
      : { kind: 'text', value: typed };
  }
  if (typeof value === 'number') return { kind: 'number', value };
  if (typeof value === 'boolean') return { kind: 'boolean', value };
  if (typeof value === 'string') {
    return stamp.test(value) && !Number.isNaN(Date.parse(value))
      ? { kind: 'time', value }
      : { kind: 'text', value };
  }
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) {
    return { kind: 'text', value: value.join(', ') };
  }
  return { kind: 'json', value: JSON.stringify(value ?? null, null, 1) };
}

/** A row as an address names it: its attribute, with its data set where it has one. */
export const codeOf = ({ key }: Pick<Row, 'key'>): string => key.trim();

/** The keys of rows whose value or observation is new: what a live change touched. */
export function changedKeys(before: Row[], after: Row[]): Set<string> {
  // Not the time of writing: a merge may touch it and bring no news.
  const news = ({ shown, unitCode, observedAt }: Row): string =>
    JSON.stringify([shown, unitCode, observedAt]);
  const known = new Map(before.map((row) => [row.key, news(row)]));
  return new Set(after.filter((row) => known.get(row.key) !== news(row)).map(({ key }) => key));
}

/** The place of an entity: its `location`, or null. */
export function locationOf(rows: Row[]): Geometry | null {
  const row = rows.find(({ name, shown }) => name === 'location' && shown.kind === 'geometry');
  return row?.shown.kind === 'geometry' ? row.shown.value : null;
}

/** The name of an entity as its document has it: plain, or one text per language; or else what tells most of it. */
export function nameOf(rows: Row[]): Name | undefined {
  const name = rows.some((row) => row.name === 'name')
    ? 'name'
    : tellingAttribute(rows.map((row) => row.name));
  const shown = rows.find((row) => row.name === name)?.shown;
  return shown?.kind === 'text' || shown?.kind === 'language' ? shown.value : undefined;
}

/** Rows whose past can be drawn: numbers first, then states. */
export function chartable(rows: Row[]): Row[] {
  const numbers = rows.filter(({ shown }) => shown.kind === 'number');
  const states = rows.filter(
    ({ shown, observedAt }) =>
      shown.kind === 'boolean' || (shown.kind === 'text' && observedAt !== undefined),
  );
  const observedFirst = (a: Row, b: Row): number => Number(!a.observedAt) - Number(!b.observedAt);
  return [...numbers.sort(observedFirst), ...states];
}

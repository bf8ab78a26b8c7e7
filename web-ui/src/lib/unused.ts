/**
 * What of an address could not be used, and why: a link that shows less than it says must say so. Pure.
 *
 * Whether words can be read at all is told from the address alone (`unreadable`), whether they mean
 * something in this city from its layers (`unfit`).
 */
import type { Layer } from '../api/city';
import { languages } from './i18n';
import {
  caseStatuses,
  divisions,
  isPeriod,
  lights,
  pages,
  readAddress,
  type View,
} from './address';
import { readChoice } from './colouring';
import { codeOf, type Row } from './entity';

type Written =
  | 'page'
  | 'areas'
  | 'time'
  | 'at'
  | 'speed'
  | 'row'
  | 'status'
  | 'light'
  | 'reportedSince'
  | 'reportedUntil'
  | 'period'
  | 'by'
  | 'lang'
  | 'map';

export type Why =
  | { kind: Written }
  | { kind: 'layer' | 'surfaces'; type: string }
  | { kind: 'attribute' | 'column'; type: string; name: string }
  /** The node's own words. */
  | { kind: 'filter'; detail: string };

export interface Unused {
  /** The parameter, as it stands in the address. */
  name: string;
  value: string;
  why: Why;
}

const weights: Partial<Record<Why['kind'], number>> = {
  filter: 0,
  layer: 1,
  surfaces: 1,
  areas: 1,
  attribute: 2,
};

/** What makes the map show something else first, what only orders a table or a chart last; stable. */
export const weightiest = (list: readonly Unused[]): Unused[] => {
  const weight = ({ why }: Unused): number => weights[why.kind] ?? 3;
  return [...list].sort((a, b) => weight(a) - weight(b));
};

/** Parts that are given and cannot be read. `hash` is the fragment, which holds the map's place. */
export function unreadable(search: string, hash: string): Unused[] {
  const given = new URLSearchParams(search);
  const place = new URLSearchParams(hash.replace(/^#/, '')).get('map');
  if (place) given.set('map', place);
  const read = readAddress(search);
  const isRead: Record<Written, (text: string) => boolean> = {
    page: (text) => (pages as readonly string[]).includes(text),
    areas: () => read.areas !== null,
    time: (text) => text === 'live' || read.time.mode !== 'live',
    at: () => read.at !== '',
    speed: (text) => Number(text) === read.speed,
    row: (text) => Number(text) === read.table.offset,
    status: (text) => (caseStatuses as readonly string[]).includes(text),
    light: (text) => (lights as readonly string[]).includes(text),
    reportedSince: () => read.cases.reportedSince !== '',
    reportedUntil: () => read.cases.reportedUntil !== '',
    period: isPeriod,
    by: (text) => (divisions as readonly string[]).includes(text),
    lang: (text) => languages.some(({ code }) => code === text),
    map: isPlace,
  };
  return (Object.keys(isRead) as Written[]).flatMap((kind) => {
    const value = given.get(kind);
    return value && !isRead[kind](value) ? [{ name: kind, value, why: { kind } }] : [];
  });
}

/** A zoom, a latitude and a longitude, with slashes between. */
function isPlace(text: string): boolean {
  const numbers = text.split('/').map((part) => (part ? Number(part) : NaN));
  return numbers.length >= 3 && numbers.every(Number.isFinite) && Math.abs(numbers[1] ?? NaN) <= 90;
}

type Known = Pick<Layer, 'type' | 'geometry' | 'attributes'>;

/** Parts of a view that name a layer or an attribute which this city does not have. */
export function unfit(view: View, layers: readonly Known[]): Unused[] {
  const found: Unused[] = [];
  const known = new Map(layers.map((layer) => [layer.type, layer]));
  const tell = (name: string, value: string, why: Why): void =>
    void found.push({ name, value, why });
  for (const type of view.shown ?? []) {
    if (!known.has(type)) tell('layers', type, { kind: 'layer', type });
  }
  for (const [type, filter] of Object.entries(view.filters)) {
    if (!known.has(type)) tell(`filter.${type}`, filter, { kind: 'layer', type });
  }
  for (const [type, colour] of Object.entries(view.colours)) {
    const why = whyNot(known.get(type), type, readChoice(colour).attribute);
    if (why) tell(`colour.${type}`, colour, why);
  }
  if (view.areas) {
    const { areas, of, attribute, aggregate } = view.areas;
    const surfaces = known.get(areas);
    const value = [areas, of, aggregate, attribute].filter(Boolean).join(':');
    const why: Why | null = !surfaces
      ? { kind: 'layer', type: areas }
      : surfaces.geometry !== 'Polygon'
        ? { kind: 'surfaces', type: areas }
        : whyNot(known.get(of), of, attribute);
    if (why) tell('areas', value, why);
  }
  return found;
}

function whyNot(layer: Known | undefined, type: string, name: string): Why | null {
  if (!layer) return { kind: 'layer', type };
  return !name || layer.attributes.includes(name) ? null : { kind: 'attribute', type, name };
}

/** Columns, and the column of the order, that a table of a type does not have. `columns` are all it has. */
export function unfitColumns(
  { columns: wanted, sort }: View['table'],
  type: string,
  columns: readonly string[],
): Unused[] {
  const by = sort.replace(/^-/, '');
  const isThere = (name: string): boolean => name === 'name' || columns.includes(name);
  const told = (name: string, value: string, column: string): Unused[] =>
    isThere(column) ? [] : [{ name, value, why: { kind: 'column', type, name: column } }];
  return [
    ...wanted.flatMap((name) => told('columns', name, name)),
    ...(by ? told('sort', sort, by) : []),
  ];
}

/** What shall be drawn of an object and is none of its rows. */
export function unfitChart(
  chart: readonly string[],
  type: string,
  rows: readonly Pick<Row, 'key'>[],
): Unused[] {
  const codes = new Set(rows.map(codeOf));
  return chart
    .filter((code) => !codes.has(code))
    .map((code) => ({ name: 'chart', value: code, why: { kind: 'attribute', type, name: code } }));
}

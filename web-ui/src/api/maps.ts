/** What the map asks of the node: features and tiles (OGC API), summaries, areas. */
import type { FeatureCollection, Geometry } from 'geojson';
import type { AreaQuery } from '../lib/address';
import type { Summary } from '../lib/colouring';
import { type Answer, getJson, query } from './http';

/** What to read of a collection. */
export interface Asked {
  /** CQL2 text; "" for all. */
  filter: string;
  /** The attributes to answer, by name. */
  properties: readonly string[];
  /** The language of texts that come in several. */
  lang: string;
}

export type Items = FeatureCollection<Geometry | null, Record<string, unknown> | null> & {
  numberMatched?: number;
};

const collection = (type: string): string => `/ogc/collections/${encodeURIComponent(type)}`;

function parametersOf({ filter, properties, lang }: Asked) {
  return { properties: properties.join(','), filter: filter || undefined, lang };
}

/** Reads the first `limit` objects: in as many pages as the node makes of them (its setting `itemsMax`). */
export async function readItems(
  type: string,
  asked: Asked,
  limit: number,
  signal?: AbortSignal,
): Promise<Items> {
  let features: Items['features'] = [];
  for (;;) {
    const page = { limit: limit - features.length, offset: features.length || undefined };
    const search = query({ f: 'json', ...parametersOf(asked), ...page });
    const { body } = await getJson<Items>(`${collection(type)}/items${search}`, signal);
    features = features.concat(body.features);
    const wanted = Math.min(limit, body.numberMatched ?? 0);
    if (!body.features.length || features.length >= wanted) return { ...body, features };
  }
}

/** How many objects of a type a filter selects. @throws ApiError with what is wrong with the filter */
export async function countMatching(
  type: string,
  filter: string,
  signal?: AbortSignal,
): Promise<number> {
  const search = query({ f: 'json', filter: filter || undefined, properties: 'name', limit: 1 });
  const { body } = await getJson<Items>(`${collection(type)}/items${search}`, signal);
  return body.numberMatched ?? body.features.length;
}

/** Where tiles are, with the places of {z}, {y} and {x} in it. */
export function tilePath(type: string, asked: Asked): string {
  return `${collection(type)}/tiles/WebMercatorQuad/{z}/{y}/{x}${query(parametersOf(asked))}`;
}

/** What can be asked of an attribute: JSON Schema with the words of OGC 23-058r1. */
export interface Queryable {
  title?: string;
  type?: string | string[];
  format?: string;
  enum?: (string | number)[];
  examples?: (string | number)[];
  'x-ogc-unit'?: string;
  'x-ogc-role'?: string;
}

export async function readQueryables(type: string): Promise<Record<string, Queryable>> {
  const path = `${collection(type)}/queryables${query({ f: 'json' })}`;
  const { body } = await getJson<{ properties?: Record<string, Queryable> }>(path);
  return body.properties ?? {};
}

/** What values an attribute has now or, of a span of the past, what its replay shows. */
export async function readSummary(
  type: string,
  attribute: string,
  { filter, lang }: Pick<Asked, 'filter' | 'lang'>,
  span: { after: string; until: string } | null,
  signal?: AbortSignal,
): Promise<Summary> {
  const search = query({ attribute, filter: filter || undefined, lang, ...span });
  const path = `/map/layers/${encodeURIComponent(type)}/summary${search}`;
  return (await getJson<Summary>(path, signal)).body;
}

export interface AreaValues {
  areas: { id: string; value: number | null; count: number }[];
  /** How many of what was counted lie in no area. */
  outside: number;
  /** How many of what was selected have no place at all. */
  noPlace: number;
}

export function readAreas(
  { areas, of, aggregate, attribute }: AreaQuery,
  filter: string,
  signal?: AbortSignal,
): Promise<Answer<AreaValues>> {
  const search = query({
    areas,
    type: of,
    filter: filter || undefined,
    aggregate,
    attribute: attribute || undefined,
  });
  return getJson(`/map/areas${search}`, signal);
}

/** What the table and the search ask of the node: pages of a collection, what its columns are, files, areas. */
import type { Feature, Geometry } from 'geojson';
import type { AreaQuery } from '../lib/address';
import { type Answer, getJson, query } from './http';

/** Which objects of a collection, in which order, and what of them. */
export interface Selection {
  type: string;
  /** CQL2 text; "" is all. */
  filter: string;
  /** An attribute, with "-" before it where the largest comes first; "" is by id. */
  sort: string;
  properties: readonly string[];
  /** The language of texts that come in several. */
  lang: string;
}

export type TableRow = Feature<Geometry | null, Record<string, unknown> | null> & { id: string };

export interface TableRows {
  features: TableRow[];
  numberMatched: number;
}

export type FileFormat = 'csv' | 'json' | 'parquet';

/** The most objects that the node puts into one file unless it was set up otherwise. */
export const mostInFile = 200_000;

const collection = (type: string): string => `/ogc/collections/${encodeURIComponent(type)}`;

function itemsPath(selection: Selection, format: FileFormat, page: Record<string, number>): string {
  const { type, filter, sort, properties, lang } = selection;
  const search = query({
    f: format,
    filter: filter || undefined,
    sortby: sort || undefined,
    properties: properties.join(',') || undefined,
    lang,
    ...page,
  });
  return `${collection(type)}/items${search}`;
}

export const readRows = async (
  selection: Selection,
  limit: number,
  offset: number,
  signal?: AbortSignal,
): Promise<TableRows> =>
  (await getJson<TableRows>(itemsPath(selection, 'json', { limit, offset }), signal)).body;

/** Where the whole selection lies as a file. */
export const filePath = (selection: Selection, format: FileFormat): string =>
  itemsPath(selection, format, { limit: mostInFile });

/** What an attribute holds: JSON Schema with the words of OGC 23-058r1. */
export interface Queryable {
  type?: string | string[];
  format?: string;
  'x-ogc-unit'?: string;
  'x-ogc-role'?: string;
}

export async function readQueryables(
  type: string,
  signal?: AbortSignal,
): Promise<Record<string, Queryable>> {
  const path = `${collection(type)}/queryables${query({ f: 'json' })}`;
  return (
    (await getJson<{ properties?: Record<string, Queryable> }>(path, signal)).body.properties ?? {}
  );
}

export interface AreaValues {
  areas: { id: string; value: number | null; count: number }[];
  /** How many of what was counted lie in no area. */
  outside: number;
}

export async function readAreaValues(
  { areas, of, aggregate, attribute }: AreaQuery,
  filter: string,
  signal?: AbortSignal,
): Promise<AreaValues> {
  const search = query({
    areas,
    type: of,
    filter: filter || undefined,
    aggregate,
    attribute: attribute || undefined,
  });
  return (await getJson<AreaValues>(`/map/areas${search}`, signal)).body;
}

export interface Found {
  id: string;
  type: string[];
  name: string | null;
  location: Geometry | null;
}

/** Objects whose name, in any language, id or type holds a text, the best first. */
export const search = (
  text: string,
  limit: number,
  lang: string,
  signal?: AbortSignal,
): Promise<Answer<{ results: Found[]; more: boolean }>> =>
  getJson(`/map/search${query({ text, limit, lang })}`, signal);

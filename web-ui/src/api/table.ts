/** What the table and the search ask of the node: pages of a collection, files, objects by a text. */
import type { Feature, Geometry } from 'geojson';
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

/** Where the selection lies as a file, whole up to `most` objects. */
export const filePath = (selection: Selection, format: FileFormat, most: number): string =>
  itemsPath(selection, format, { limit: most });

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

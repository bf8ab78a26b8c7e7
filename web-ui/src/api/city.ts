/** The node's own API: the city, its layers, its sources, the lineage of an object. */
import type { ProvDocument } from '../lib/lineage';
import { type Answer, getJson, query } from './http';

export type Box = [west: number, south: number, east: number, north: number];

export interface City {
  name: Name;
  profile: string;
  center: [lon: number, lat: number];
  bbox: Box | null;
  languages: string[];
  timeZone: string;
  attribution: { name: string; licence?: string; url?: string }[];
  version: string;
  datum: string;
  /** The layer catalogue, in order; types that stand in no group are shown last. */
  groups: Group[];
  /** The most objects that one answer, a page of a table or a file, holds. */
  itemsMax: number;
  /** Whether the city keeps cases. */
  cases: boolean;
  /** Where the event log stood when this was answered: live changes are followed from here. */
  seq: number;
}

export interface Group {
  id: string;
  title: Name;
  types: string[];
}

export interface Layer {
  type: string;
  typeIri: string;
  count: number;
  geometry: 'Point' | 'LineString' | 'Polygon' | null;
  bbox: Box | null;
  /** Without what lies far away from the rest. */
  usualBbox: Box | null;
  /** How many have no place at all. */
  noPlace: number;
  lastModified: string | null;
  /** When the newest value was observed; null where none tells. */
  observed: string | null;
  /** How many have been silent for longer than expected. */
  silent: number;
  attributes: string[];
}

/** A name as it stands in the data: plain, or one text per language. */
export type Name = string | Record<string, string | string[]>;

export interface Source {
  id: string;
  name: Name;
  type?: string | string[];
  format: string;
  lastRun: string | null;
  status: 'ok' | 'stale' | 'failed' | 'never';
  expectedInterval?: string | null;
  lastData?: string | null;
  provider?: string;
  licence?: string;
  /** Rows that the last run refused. */
  rejected?: number;
  report?: Report | null;
}

/** How a run of a source went: rows by what became of them, `rejected` by the reason. */
export interface Report {
  run: string;
  status: string;
  started: string;
  ended: string;
  seconds: number;
  read: number;
  created: number;
  updated: number;
  unchanged: number;
  repeated: number;
  noPlace: number;
  rejected: Record<string, number>;
  files: { name: string; bytes: number; sha256: string; rows: number }[];
  error: string;
}

export interface Reject {
  file: string;
  row: number;
  reason: string;
  field: string;
  detail: string;
  raw: unknown;
}

export const readCity = (): Promise<Answer<City>> => getJson('/city');

export const readLayers = (): Promise<Answer<Layer[]>> => getJson('/map/layers');

export const readSources = (): Promise<Answer<Source[]>> => getJson('/sources');

const sourcePath = (id: string): string => `/sources/${encodeURIComponent(id)}`;

export const rejectsPath = (id: string): string => `${sourcePath(id)}/rejects`;

export const readRuns = (id: string, signal?: AbortSignal): Promise<Answer<Report[]>> =>
  getJson(`${sourcePath(id)}/runs`, signal);

/** The first rows that the last run refused; `total` counts all of them. */
export const readRejects = (
  id: string,
  limit: number,
  signal?: AbortSignal,
): Promise<Answer<{ total: number; rejects: Reject[] }>> =>
  getJson(`${rejectsPath(id)}${query({ limit })}`, signal);

export const readLineage = (id: string, signal?: AbortSignal): Promise<Answer<ProvDocument>> =>
  getJson(lineagePath(id), signal);

export const lineagePath = (id: string): string => `/lineage/${encodeURIComponent(id)}`;

/** One value of an object: the newest of an attribute, or the one that was observed at a time. */
export interface ValueAddress {
  id: string;
  attribute: string;
  /** "" is the default instance. */
  datasetId: string;
  /** "" is the newest. */
  observedAt: string;
}

/** What made one value. */
export const readValueLineage = (
  value: ValueAddress,
  signal?: AbortSignal,
): Promise<Answer<ProvDocument>> => getJson(valueLineagePath(value), signal);

export function valueLineagePath({ id, attribute, datasetId, observedAt }: ValueAddress): string {
  const search = query({
    observedAt: observedAt || undefined,
    datasetId: datasetId || undefined,
  });
  return `${lineagePath(id)}/attrs/${encodeURIComponent(attribute)}${search}`;
}

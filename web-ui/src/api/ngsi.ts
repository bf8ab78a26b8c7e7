/** The standard API (ETSI GS CIM 009): one entity, its history, and short lists of entities. */
import { type Answer, getJson, query } from './http';

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
export type NormalizedEntity = { id: string; type: string | string[] } & Record<string, Json>;

const entities = '/ngsi-ld/v1/entities';

export function readEntity(id: string, signal?: AbortSignal): Promise<Answer<NormalizedEntity>> {
  return getJson(`${entities}/${encodeURIComponent(id)}${query({ options: 'sysAttrs' })}`, signal);
}

/** What an entity is called, and nothing else of it. */
export function readName(id: string, signal?: AbortSignal): Promise<Answer<NormalizedEntity>> {
  return getJson(`${entities}/${encodeURIComponent(id)}${query({ pick: 'id,type,name' })}`, signal);
}

/** Entities of a type that has no place on the map, for the list. */
export function readEntitiesOfType(
  type: string,
  limit: number,
  signal?: AbortSignal,
): Promise<Answer<NormalizedEntity[]>> {
  const search = query({ type, limit, pick: 'id,type,name' });
  return getJson(`${entities}${search}`, signal);
}

const stalePage = 1_000;
const mostStale = 20_000;

/** The ids of the entities that are marked silent: the Property `stale` is true. */
export async function readStaleIds(): Promise<Set<string>> {
  const ids = new Set<string>();
  for (let offset = 0; offset < mostStale; offset += stalePage) {
    const search = query({ q: 'stale==true', pick: 'id,type', limit: stalePage, offset });
    const { body } = await getJson<NormalizedEntity[]>(`${entities}${search}`);
    for (const { id } of body) ids.add(id);
    if (body.length < stalePage) break;
  }
  return ids;
}

export interface HistoryRequest {
  id: string;
  /** The attribute's name as the entity's document writes it. */
  attribute: string;
  lastN: number;
  /** `observedAt` leaves out instances that were never stamped; `modifiedAt` has them all. */
  timeproperty: 'observedAt' | 'modifiedAt';
}

/** The newest instances of one attribute, as pairs of value and time. */
export function readHistory(
  request: HistoryRequest,
  signal?: AbortSignal,
): Promise<Answer<NormalizedEntity>> {
  const search = query({
    attrs: request.attribute,
    options: 'temporalValues',
    timerel: 'before',
    timeAt: new Date().toISOString(),
    timeproperty: request.timeproperty,
    lastN: request.lastN,
  });
  const path = `/ngsi-ld/v1/temporal/entities/${encodeURIComponent(request.id)}`;
  return getJson(`${path}${search}`, signal);
}

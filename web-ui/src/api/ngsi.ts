/** The standard API (ETSI GS CIM 009): one entity, its history, and short lists of entities. */
import { type Answer, getJson, query } from './http';

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
export type NormalizedEntity = { id: string; type: string | string[] } & Record<string, Json>;

const entities = '/ngsi-ld/v1/entities';

export function readEntity(id: string, signal?: AbortSignal): Promise<Answer<NormalizedEntity>> {
  return getJson(`${entities}/${encodeURIComponent(id)}${query({ options: 'sysAttrs' })}`, signal);
}

/** What entities are and are called, and nothing else of them; those that do not exist are not answered. */
export function readHeads(
  ids: readonly string[],
  signal?: AbortSignal,
): Promise<Answer<NormalizedEntity[]>> {
  const search = query({
    id: ids.join(','),
    local: 'true',
    pick: 'id,type,name',
    limit: ids.length,
  });
  return getJson(`${entities}${search}`, signal);
}

/** Which attributes the entities of a type have, and of what kinds they are. */
export interface TypeInfo {
  attributeDetails: { attributeName: string; attributeTypes?: string[] }[];
}

export const readTypeInfo = (type: string, signal?: AbortSignal): Promise<Answer<TypeInfo>> =>
  getJson(`/ngsi-ld/v1/types/${encodeURIComponent(type)}`, signal);

/** Entities of a type whose Relationship names a target; how many there are is in `NGSILD-Results-Count`. */
export function readPointing(
  request: { type: string; attribute: string; target: string; limit: number; offset: number },
  signal?: AbortSignal,
): Promise<Answer<NormalizedEntity[]>> {
  const { type, attribute, target, limit, offset } = request;
  const search = query({
    type,
    q: `${attribute}=="${target}"`,
    pick: 'id,type,name',
    count: 'true',
    limit,
    offset,
  });
  return getJson(`${entities}${search}`, signal);
}

import { type NormalizedEntity, readHeads } from '../../api/ngsi';
import { nameOf, rowsOf } from '../../lib/entity';
import type { Head } from './ObjectLink';

export function headOf(document: NormalizedEntity): Head {
  const types = Array.isArray(document.type) ? document.type : [document.type];
  return { id: document.id, types, name: nameOf(rowsOf(document)) };
}

/** What objects are and are called; those that do not exist are left out. */
export async function readAllHeads(
  ids: readonly string[],
  stop: AbortSignal,
): Promise<Map<string, Head>> {
  const { body } = await readHeads(ids, stop);
  return new Map(body.map((document) => [document.id, headOf(document)]));
}

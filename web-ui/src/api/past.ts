/** The past of the layers, told as the changes that a live stream would have told. */
import type { Window } from '../lib/replay';
import { getJson, query } from './http';
import type { Change } from './live';

/** Which layers and which of their attributes; none named: all. */
export interface Asked {
  types: string[];
  attributes: string[];
}

const windowLimit = 5_000;

const listed = ({ types, attributes }: Asked): { type: string; attrs?: string | undefined } => ({
  type: types.join(','),
  attrs: attributes.join(',') || undefined,
});

/** The changes that bring these layers from now to what had last been observed at an instant. */
export async function readState(asked: Asked, at: string, stop: AbortSignal): Promise<Change[]> {
  const search = query({ ...listed(asked), at });
  return (await getJson<{ changes: Change[] }>(`/map/state${search}`, stop)).body.changes;
}

/** What was observed after an instant and until another, in this order. */
export async function readChanges(
  asked: Asked,
  span: { after: string; until: string; limit?: number },
  stop: AbortSignal,
): Promise<Window> {
  const search = query({ ...listed(asked), limit: windowLimit, ...span });
  return (await getJson<Window>(`/map/changes${search}`, stop)).body;
}

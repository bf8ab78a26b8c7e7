/** Objects of filtered layers that changed: whether each is still in its layer is asked of the node, not guessed here. */
import { readItems, countMatching } from '../api/maps';
import { allOf, idsCql } from '../lib/cql';
import { anchorOf } from '../lib/geometry';
import { askedOf, featureOf, loadLayer } from './layers';
import { putObject, removeObject, ring } from './objects';
import { layerState, patchLayer, revision } from './store';

const pause = 400;
const together = 100;
/** More than this at once: reading the layer anew is less. */
const most = 2_000;

const due = new Map<string, Set<string>>();
let timer: ReturnType<typeof setTimeout> | undefined;

export function askLater(type: string, id: string): void {
  const ids = due.get(type) ?? new Set();
  due.set(type, ids.add(id));
  timer ??= setTimeout(() => {
    timer = undefined;
    const batch = [...due];
    due.clear();
    for (const [name, changed] of batch) void ask(name, [...changed]);
  }, pause);
}

async function ask(type: string, ids: string[]): Promise<void> {
  const { filter } = askedOf(type);
  if (ids.length > most) {
    await loadLayer(type);
    return;
  }
  try {
    for (let at = 0; at < ids.length; at += together) {
      await askSome(type, ids.slice(at, at + together));
    }
    const matched = await countMatching(type, filter);
    if (askedOf(type).filter === filter) patchLayer(type, { matched });
  } catch {
    // The node is away; when it is back, changes since are told again, or everything is read anew.
  }
}

async function askSome(type: string, ids: string[]): Promise<void> {
  const asked = askedOf(type);
  const filter = allOf(asked.filter, idsCql(ids));
  const { features } = await readItems(type, { ...asked, filter }, ids.length);
  const state = layerState(type);
  // Another filter was set meanwhile: the layer has been read with it.
  if (!state || askedOf(type).filter !== asked.filter) return;
  const inside = new Map(features.map((item) => [item.id, featureOf(item)]));
  for (const id of ids) {
    const feature = inside.get(id);
    if (feature) {
      putObject(state, feature);
      ring(state, id, anchorOf(feature.geometry));
    } else removeObject(state, id);
  }
  revision.value++;
}

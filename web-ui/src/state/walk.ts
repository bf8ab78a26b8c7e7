/** From object to object by the keyboard. */
import { signal } from '@preact/signals';
import { choose } from './entity';
import { layers, map } from './store';
import { view } from './view';

/** The ids that a list shows, in its order; empty where no list is shown: then the map's objects are walked. */
export const listed = signal<string[]>([]);

/** Chooses the object after the chosen one, or before it. */
export function walk(step: 1 | -1): boolean {
  const { id } = view.value;
  const list = listed.value;
  if (list.length) return take(beside(list, list.indexOf(id), step), true);
  // What is in view, by layer and id: an order that stays when the map moves.
  const places = layers.value.filter(({ role }) => role === 'object');
  const rank = new Map(places.map(({ layer }, index) => [layer.type, index]));
  const seen = (map.value?.inView() ?? [])
    .filter(({ type }) => rank.has(type))
    .map((each) => ({ ...each, rank: rank.get(each.type) ?? 0 }))
    .sort((a, b) => a.rank - b.rank || (a.id < b.id ? -1 : 1));
  const ids = seen.map((each) => each.id);
  return take(beside(ids, ids.indexOf(id), step), false);
}

function beside(ids: string[], at: number, step: 1 | -1): string | undefined {
  if (at >= 0) return ids[at + step];
  return step > 0 ? ids[0] : ids.at(-1);
}

function take(id: string | undefined, fly: boolean): boolean {
  if (id === undefined) return false;
  choose(id, { fly });
  return true;
}

/** From object to object by the keyboard. */
import { signal } from '@preact/signals';
import { choose } from './entity';
import { layers, map } from './store';
import { rowIds } from './table';
import { view } from './view';

/** The ids that a search found, in its order; empty where nothing is searched: then the map's objects are walked. */
export const listed = signal<string[]>([]);

/** What is in view on the map, by layer and id: an order that stays when the map moves. */
export function inView(): { id: string; type: string }[] {
  const places = layers.value.filter(({ role }) => role === 'object');
  const rank = new Map(places.map(({ layer }, index) => [layer.type, index]));
  return (map.value?.hits.inView() ?? [])
    .filter(({ type }) => rank.has(type))
    .map((each) => ({ ...each, rank: rank.get(each.type) ?? 0 }))
    .sort((a, b) => a.rank - b.rank || (a.id < b.id ? -1 : 1));
}

/** Chooses the object after the chosen one, or before it. */
export function walk(step: 1 | -1): boolean {
  const { id } = view.value;
  const list = view.value.page === 'table' ? rowIds.value : listed.value;
  if (list.length) return take(beside(list, list.indexOf(id), step), true);
  if (view.value.page !== 'map') return false;
  const ids = inView().map((each) => each.id);
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

/** Which layers there are and which are shown: the view says it, or the page's own choice at the first visit. */
import type { Layer } from '../api/city';
import { firstView } from '../lib/address';
import { tiledTypes } from '../lib/reading';
import { marksFor, roleOf } from '../lib/symbols';
import { type LayerState, layers, mostInAnswer } from './store';
import { go, view } from './view';

/** Layers are shown at the start, the small ones first, while they stay within this many objects; tiles cost no more than this. */
const startBudget = 50_000;
/** And so many marks: with more of them a city could not be seen. */
const startMarks = 20_000;
const tiledCost = 5_000;

/** The states of a city's layers at the start, in the order of the list. */
export function startingLayers(list: Layer[]): LayerState[] {
  const marks = marksFor(list);
  const tiled = tiledTypes(list, mostInAnswer.value);
  const shown = new Set(shownTypes(list, view.value.shown));
  return list.map((layer): LayerState => ({
    layer,
    role: roleIn(layer),
    mark: marks.get(layer.type) ?? { colour: '#888888', shape: 'circle', dash: [1] },
    visible: shown.has(layer.type),
    tiled: tiled.has(layer.type),
    phase: 'idle',
    problem: '',
    wrongFilter: false,
    matched: null,
    undrawable: [],
    colouring: null,
  }));
}

/** A ground layer of points could not be drawn as ground. */
const roleIn = ({ type, geometry }: Layer) => (geometry === 'Point' ? 'object' : roleOf(type));

/** The types that are shown: those that were chosen, else a choice that is quick to draw. */
export function shownTypes(list: Layer[], chosen: string[] | null): string[] {
  // An address that names nothing of this city shows the city all the same.
  const known = (chosen ?? []).some((type) => list.some((layer) => layer.type === type));
  if (chosen && (known || !chosen.length)) return chosen;
  const tiled = tiledTypes(list, mostInAnswer.value);
  const cost = ({ type, count }: Layer): number =>
    tiled.has(type) ? Math.min(tiledCost, count) : count;
  const ground = (layer: Layer): number => Number(roleIn(layer) === 'object');
  let budget = startBudget;
  let marks = 0;
  const shown: string[] = [];
  for (const layer of [...list].sort((a, b) => ground(a) - ground(b) || a.count - b.count)) {
    // Surfaces that are not ground would lie over everything: they wait until someone asks for them.
    const covers = roleIn(layer) === 'object' && layer.geometry === 'Polygon';
    if (!layer.geometry || covers || cost(layer) > budget) continue;
    if (roleIn(layer) === 'object') {
      // A city of one crowd shows it.
      if (marks > 0 && marks + layer.count > startMarks) continue;
      marks += layer.count;
    }
    budget -= cost(layer);
    shown.push(layer.type);
  }
  return shown;
}

/** Keeps what the reader chose, and what has been read, when the list of layers is read anew. */
export function renewLayers(list: Layer[]): void {
  const before = new Map(layers.value.map((state) => [state.layer.type, state]));
  layers.value = startingLayers(list).map((state) => {
    const known = before.get(state.layer.type);
    // The mark stays too: a new type must not recolour the map under the reader's eyes.
    return known ? { ...known, layer: state.layer } : state;
  });
}

/** Lists objects of a layer that the map cannot show: its table, of these alone; the map keeps its filter. */
export function listInTable(type: string, only: string): void {
  go({ page: 'table', table: { ...firstView.table, type, only } });
}

/** Shows or hides layers; the address remembers it. */
export function showTypes(types: readonly string[], visible: boolean): void {
  const given = new Set(types);
  const shown = layers.value
    .filter((state) => (given.has(state.layer.type) ? visible : state.visible))
    .map(({ layer }) => layer.type);
  go({ shown }, false);
}

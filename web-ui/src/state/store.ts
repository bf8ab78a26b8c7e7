/** What the page knows, as signals: the views read them, the rooms of `state/` write them. */
import { computed, signal } from '@preact/signals';
import type { City, Layer, Source } from '../api/city';
import type { ApiError } from '../api/http';
import type { LiveState } from '../api/live';
import type { Colouring } from '../lib/colouring';
import type { Row } from '../lib/entity';
import type { Mark, Role } from '../lib/symbols';
import { calledIn } from '../lib/telling';
import type { CityMap, MapFeature } from '../map/view';

export type Phase = 'loading' | 'ready' | 'error';

/** One type of the city: its layer, its mark, and what of it has been read. */
export interface LayerState {
  layer: Layer;
  role: Role;
  mark: Mark;
  visible: boolean;
  /** Read as tiles of what is in view: too many to read whole. */
  tiled: boolean;
  phase: 'idle' | Phase;
  /** What the node said where the layer could not be read. */
  problem: string;
  /** It was the filter that the node could not read. */
  wrongFilter: boolean;
  /** How many the layer's filter selects; null without a filter. */
  matched: number | null;
  /** The ids of those whose place cannot be drawn. */
  undrawable: string[];
  colouring: Colouring | null;
}

/** The features of a layer that have been read; of a tiled one, those that changed since. Changed in place, with `revision` told. */
export interface Loaded {
  features: Map<string, MapFeature>;
}

export interface EntityState {
  id: string;
  phase: Phase | 'gone' | 'deleted';
  types: string[];
  rows: Row[];
  /** The past instant whose values the rows are, ISO 8601; "" is now. */
  at: string;
  /** Rows that the last change, live or replayed, touched. */
  changed: Set<string>;
  /** Counts what arrived: charts and flashes follow it. */
  revision: number;
  error: ApiError | null;
}

export type Sheet = 'peek' | 'half' | 'full';

export const phase = signal<Phase>('loading');
export const failure = signal<ApiError | null>(null);
export const city = signal<City | null>(null);
/** The most objects that the node puts into one answer. */
export const mostInAnswer = computed(() => city.value?.itemsMax ?? 0);
export const layers = signal<LayerState[]>([]);
export const loaded = new Map<string, Loaded>();
export const revision = signal(0);
export const sources = signal<{ phase: Phase; list: Source[] }>({ phase: 'loading', list: [] });
export const live = signal<LiveState>('connecting');
export const lastChange = signal<string | null>(null);
export const entity = signal<EntityState | null>(null);
export const sheet = signal<Sheet>('peek');
export const map = signal<CityMap | null>(null);
export const mapFailed = signal(false);
/** The ground is not drawn yet, and objects wait for it. */
export const groundFirst = signal(true);
export const darkScheme = signal(false);

/** Sources that someone should look at. A source that never ran is not late: it was not asked to. */
export const lateSources = computed(() =>
  sources.value.list.filter(({ status }) => status === 'stale' || status === 'failed'),
);

/** Every shown layer has come, and none waits any more. */
export function allRead(): boolean {
  return (
    !groundFirst.value &&
    layers.value.every(
      ({ visible, phase, layer }) => !visible || !layer.geometry || phase === 'ready',
    )
  );
}

export function layerState(type: string): LayerState | undefined {
  return layers.value.find(({ layer }) => layer.type === type);
}

export function patchLayer(type: string, change: Partial<LayerState>): void {
  layers.value = layers.value.map((state) =>
    state.layer.type === type ? { ...state, ...change } : state,
  );
}

/** An object as the map has it, in whichever layer it stands; of a tile, where its tile has been read. */
export function findFeature(id: string): { feature: MapFeature; type: string } | undefined {
  for (const [type, { features }] of loaded) {
    const feature = features.get(id);
    if (feature) return { feature, type };
  }
  for (const { layer, tiled, visible } of layers.value) {
    const found = tiled && visible ? map.value?.findTiled(layer.type, [id]).get(id) : undefined;
    if (!found) continue;
    const { geometry, properties } = found;
    const feature: MapFeature = {
      type: 'Feature',
      geometry,
      properties: { ...properties, id, name: calledIn(properties), stale: false },
    };
    return { feature, type: layer.type };
  }
  return undefined;
}

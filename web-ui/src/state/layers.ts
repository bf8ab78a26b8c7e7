/** Reading layers for the map, and keeping them true as changes arrive. */
import type { Geometry } from 'geojson';
import type { GeoJSONFeatureDiff } from 'maplibre-gl';
import { type Box, type Features, type Layer, type Name, readFeatures } from '../api/city';
import { readStaleIds } from '../api/ngsi';
import type { Change } from '../api/live';
import { anchorOf } from '../lib/geometry';
import { language } from '../lib/i18n';
import { nameText } from '../lib/names';
import { marksFor, roleOf } from '../lib/symbols';
import type { MapFeature } from '../map/view';
import {
  type LayerState,
  type Loaded,
  layerState,
  layers,
  loaded,
  map,
  patchLayer,
  revision,
} from './store';
import { go, view } from './view';

/** A layer up to this size is read whole: a browser holds it, and then nothing is missing. */
const wholeLimit = 100_000;
/** Of a larger layer, what is in view, up to this many. */
const viewLimit = 20_000;
/** Layers are shown at the start, the small ones first, while they stay within this many objects. */
const startBudget = 50_000;
/** From this size on, points far away are dots, below the marks of rarer objects. */
const crowdSize = 600;

/** The states of a city's layers at the start, in the order of the list. */
export function startingLayers(list: Layer[]): LayerState[] {
  const marks = marksFor(list);
  const states = list.map((layer): LayerState => {
    // A ground layer of points could not be drawn as ground.
    const role = layer.geometry === 'Point' ? 'object' : roleOf(layer.type);
    const mark = marks.get(layer.type) ?? { colour: '#888888', shape: 'circle', dash: [1] };
    const byView = layer.count > wholeLimit;
    return { layer, role, mark, visible: false, phase: 'idle', byView, totalInView: null };
  });
  const { shown } = view.value;
  if (shown) {
    for (const state of states) state.visible = shown.includes(state.layer.type);
    return states;
  }
  const ground = (state: LayerState): number => Number(state.role === 'object');
  let budget = startBudget;
  for (const state of [...states].sort(
    (a, b) => ground(a) - ground(b) || a.layer.count - b.layer.count,
  )) {
    // Surfaces that are not ground would lie over everything: they wait until someone asks for them.
    const covers = state.role === 'object' && state.layer.geometry === 'Polygon';
    if (!state.layer.geometry || covers || state.layer.count > budget) continue;
    budget -= state.layer.count;
    state.visible = true;
  }
  return states;
}

/** Keeps what the reader chose when the list of layers is read anew. */
export function renewLayers(list: Layer[]): void {
  const before = new Map(layers.value.map((state) => [state.layer.type, state]));
  layers.value = startingLayers(list).map((state) => {
    const known = before.get(state.layer.type);
    // The mark stays too: a new type must not recolour the map under the reader's eyes.
    return known ? { ...known, layer: state.layer, byView: state.byView } : state;
  });
}

export async function toggleLayer(type: string): Promise<void> {
  const state = layerState(type);
  if (!state) return;
  const visible = !state.visible;
  patchLayer(type, { visible });
  const shown = layers.value.filter((each) => each.visible).map(({ layer }) => layer.type);
  go({ shown }, false);
  map.value?.setVisible(type, visible);
  if (visible && (state.phase !== 'ready' || state.byView)) await loadLayer(type);
}

/** Reads every shown layer: the ground first, so that the city has a shape at once. */
export async function loadShown(): Promise<void> {
  const shown = layers.value.filter(({ visible }) => visible);
  const ground = shown.filter(({ role }) => role !== 'object');
  const objects = shown.filter(({ role }) => role === 'object');
  for (const group of [ground, objects]) {
    await Promise.all(group.map(({ layer }) => loadLayer(layer.type)));
  }
}

/** Reads anew what is in view, of the layers that are too large to read whole. */
export async function loadView(): Promise<void> {
  const due = layers.value.filter(({ visible, byView }) => visible && byView);
  await Promise.all(due.map(({ layer }) => loadLayer(layer.type)));
}

/** Objects that have been silent for longer than expected. */
let stale = new Set<string>();

/** Reads which objects are silent, and hollows their marks. */
export async function loadStale(): Promise<void> {
  stale = await readStaleIds();
  for (const [type, { features }] of loaded) {
    const update = [...features.values()]
      .filter(({ properties }) => properties.stale !== stale.has(properties.id))
      .map((feature) => staleDiff(feature, !feature.properties.stale));
    if (update.length) map.value?.updateFeatures(type, { update });
  }
  revision.value++;
}

function staleDiff(feature: MapFeature, silent: boolean): GeoJSONFeatureDiff {
  feature.properties.stale = silent;
  return {
    id: feature.properties.id,
    addOrUpdateProperties: [{ key: 'stale', value: silent }],
  };
}

const running = new Map<string, AbortController>();

export async function loadLayer(type: string): Promise<void> {
  const state = layerState(type);
  const view = map.value;
  // What is in view is known only once there is a map.
  if (!state?.layer.geometry || (state.byView && !view)) return;
  running.get(type)?.abort();
  const stop = new AbortController();
  running.set(type, stop);
  patchLayer(type, { phase: 'loading' });
  const limit = state.byView ? viewLimit : wholeLimit * 2;
  const box: Box | undefined = state.byView ? view?.box() : undefined;
  try {
    const { body } = await readFeatures(type, limit, language.value, box, stop.signal);
    keep(type, body);
    drawLayer(type);
    const partial = body.numberMatched > body.features.length;
    patchLayer(type, { phase: 'ready', totalInView: partial ? body.numberMatched : null });
  } catch {
    if (!stop.signal.aborted) patchLayer(type, { phase: 'error' });
  } finally {
    if (running.get(type) === stop) running.delete(type);
  }
}

function keep(type: string, collection: Features): void {
  const features = new Map<string, MapFeature>();
  const names = new Map();
  for (const { id, geometry, properties } of collection.features) {
    if (typeof id !== 'string' || !geometry) continue;
    const name = properties?.name;
    if (name !== undefined) names.set(id, name);
    features.set(id, featureOf(id, geometry, nameText(name), stale.has(id)));
  }
  loaded.set(type, { features, names });
  revision.value++;
}

function featureOf(id: string, geometry: Geometry, label: string, stale: boolean): MapFeature {
  return { type: 'Feature', geometry, properties: { id, label, stale } };
}

/** Puts a layer on the map, if there is a map yet. */
export function drawLayer(type: string): void {
  const state = layerState(type);
  const read = loaded.get(type);
  const view = map.value;
  if (!state || !read || !view) return;
  const { role, mark, layer, visible } = state;
  view.addLayer({ type, role, mark, crowded: layer.count > crowdSize });
  view.setFeatures(type, read.features);
  view.setVisible(type, visible);
}

/** Reads the names of objects in the language that was just chosen. */
export function relabel(): void {
  for (const type of loaded.keys()) void loadLayer(type);
}

const waiting = new Map<string, Change & { initial: boolean }>();
let due = false;

/**
 * Takes a change into the map; many in one frame are drawn once.
 *
 * @param initial it tells what is so, not what happens at this moment: nothing is ringed
 */
export function applyChange(change: Change, initial = false): void {
  if (change.kind === 'historyAppended') return;
  // Only the last place of an object in a frame is drawn; its making must not be lost in the merge.
  const earlier = waiting.get(change.entityId);
  const created = earlier?.kind === 'entityCreated' && change.kind === 'entityUpdated';
  waiting.set(change.entityId, {
    ...change,
    initial,
    kind: created ? 'entityCreated' : change.kind,
    // The newest first: whoever looks for an attribute finds its last value.
    changes: [...change.changes, ...(earlier?.changes ?? [])],
    ...((change.location ?? earlier?.location)
      ? { location: (change.location ?? earlier?.location) as Geometry }
      : {}),
  });
  countObject(change);
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    const batch = [...waiting.values()];
    waiting.clear();
    for (const item of batch) drawChange(item);
    revision.value++;
  });
}

function countObject({ kind, type }: Change): void {
  const step = kind === 'entityCreated' ? 1 : kind === 'entityDeleted' ? -1 : 0;
  if (!step) return;
  for (const name of type) {
    const state = layerState(name);
    if (state) patchLayer(name, { layer: { ...state.layer, count: state.layer.count + step } });
  }
}

function drawChange(change: Change & { initial: boolean }): void {
  const { kind, type, entityId, location, changes, initial } = change;
  const view = map.value;
  const mark = changes.find(({ name }) => name === 'stale');
  if (mark) {
    if (mark.value === true) stale.add(entityId);
    else stale.delete(entityId);
  }
  for (const name of type) {
    const read = loaded.get(name);
    if (!read) continue;
    const feature = read.features.get(entityId);
    // Without a place it is not on the map; its name stays known, for when it gets one again.
    const lost = !location && changes.some(({ name, deleted }) => name === 'location' && deleted);
    if (kind === 'entityDeleted' || lost) {
      if (read.features.delete(entityId)) view?.updateFeatures(name, { remove: [entityId] });
      continue;
    }
    const named = changes.find(({ name: attribute }) => attribute === 'name');
    const label = named ? labelOf(read, entityId, named.value) : undefined;
    if (feature && label !== undefined && label !== feature.properties.label) {
      feature.properties.label = label;
      const addOrUpdateProperties = [{ key: 'label', value: label }];
      view?.updateFeatures(name, { update: [{ id: entityId, addOrUpdateProperties }] });
    }
    if (feature && location) {
      if (JSON.stringify(feature.geometry) !== JSON.stringify(location)) {
        feature.geometry = location;
        view?.updateFeatures(name, { update: [{ id: entityId, newGeometry: location }] });
      }
    } else if (location) {
      const kept = label ?? nameText(read.names.get(entityId));
      const made = featureOf(entityId, location, kept, stale.has(entityId));
      read.features.set(entityId, made);
      view?.updateFeatures(name, { add: [made] });
    }
    if (feature && mark && feature.properties.stale !== stale.has(entityId)) {
      view?.updateFeatures(name, { update: [staleDiff(feature, stale.has(entityId))] });
    }
    const place = location ?? feature?.geometry;
    const anchor = place && !initial && layerState(name)?.visible ? anchorOf(place) : null;
    if (anchor) view?.pulse(entityId, anchor);
  }
}

/** The name that a change brought, in the simplified form of its attribute kind. */
function labelOf(read: Loaded, id: string, value: unknown): string {
  const map = (value as { languageMap?: Name } | null)?.languageMap;
  const name = map ?? (typeof value === 'string' ? value : undefined);
  if (name === undefined) read.names.delete(id);
  else read.names.set(id, name);
  return nameText(name);
}

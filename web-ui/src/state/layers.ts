/** Reading layers for the map. */
import { computed, effect, untracked } from '@preact/signals';
import { ApiError } from '../api/http';
import { type Asked, countMatching, type Items, readItems, tilePath } from '../api/maps';
import { isDrawable } from '../lib/geometry';
import { language } from '../lib/i18n';
import { nameText } from '../lib/names';
import { wholeLimit } from '../lib/reading';
import { crowdOf } from '../lib/symbols';
import { calledIn, tellingAttribute } from '../lib/telling';
import type { MapFeature } from '../map/view';
import { shownTypes } from './catalogue';
import { classesAre, classesKey, colouredBy, readClasses } from './classes';
import {
  groundFirst,
  type LayerState,
  layerState,
  layers,
  loaded,
  map,
  mapFailed,
  patchLayer,
  revision,
} from './store';
import { view } from './view';

/** What the page asks of each object of a layer. */
export function askedOf(type: string): Asked {
  const { filters } = view.value;
  const colour = colouredBy(type);
  const properties = new Set(['name', 'stale']);
  const telling = tellingAttribute(layerState(type)?.layer.attributes ?? []);
  if (telling) properties.add(telling);
  if (layerState(type)?.role === 'road') properties.add('roadClass');
  if (colour) properties.add(colour);
  return { filter: filters[type] ?? '', properties: [...properties], lang: language.value };
}

/** Reads every shown layer, the ground first: the browser keeps the order of what it cannot ask at once. */
export async function loadShown(): Promise<void> {
  const shown = layers.value.filter(({ visible }) => visible);
  const rank = ({ role, layer }: (typeof shown)[number]): number =>
    role === 'object' ? layer.count : -1;
  shown.sort((a, b) => rank(a) - rank(b));
  await Promise.all(shown.map(({ layer }) => loadLayer(layer.type)));
}

/** Reads what failed, once more. */
export function retryLayers(): void {
  for (const { layer, visible, phase } of layers.value) {
    if (visible && phase === 'error') void loadLayer(layer.type);
  }
}

const running = new Map<string, AbortController>();
/** What each layer was read with: another language, filter or colour is another reading. */
const readWith = new Map<string, string>();
const signatureOf = (type: string): string =>
  JSON.stringify([view.value.filters[type], view.value.colours[type], language.value]);

export async function loadLayer(type: string): Promise<void> {
  const state = layerState(type);
  if (!state?.layer.geometry) return;
  running.get(type)?.abort();
  const stop = new AbortController();
  running.set(type, stop);
  readWith.set(type, signatureOf(type));
  patchLayer(type, { phase: 'loading', problem: '', wrongFilter: false });
  try {
    await (state.tiled ? loadTiles(type, stop.signal) : loadFeatures(type, stop.signal));
  } catch (thrown) {
    if (stop.signal.aborted) return;
    const error = thrown instanceof ApiError ? thrown : null;
    // Nothing else of what is asked here can be wrong in itself.
    const wrongFilter = error?.status === 400 && askedOf(type).filter !== '';
    patchLayer(type, { phase: 'error', problem: error?.message ?? '', wrongFilter });
  } finally {
    if (running.get(type) === stop) running.delete(type);
    lookForGround();
  }
}

async function loadFeatures(type: string, signal: AbortSignal): Promise<void> {
  const asked = askedOf(type);
  const classes = classesKey(type);
  const [items, colouring] = await Promise.all([
    readItems(type, asked, wholeLimit * 2, signal),
    readClasses(type, asked, signal),
  ]);
  const features = new Map<string, MapFeature>();
  for (const item of items.features) {
    const feature = featureOf(item);
    if (feature) features.set(feature.properties.id, feature);
  }
  loaded.set(type, { features });
  classesAre(type, classes);
  patchLayer(type, {
    phase: 'ready',
    colouring,
    matched: asked.filter ? (items.numberMatched ?? items.features.length) : null,
    undrawable: items.features.flatMap(({ id, geometry }) =>
      geometry && !isDrawable(geometry) ? [String(id)] : [],
    ),
  });
  drawLayer(type);
  revision.value++;
}

/** The tiles themselves are read by the map, as it needs them. */
async function loadTiles(type: string, signal: AbortSignal): Promise<void> {
  const asked = askedOf(type);
  const classes = classesKey(type);
  // What is wrong with a filter is told by the count: a tile only fails.
  const [matched, colouring] = await Promise.all([
    asked.filter ? countMatching(type, asked.filter, signal) : null,
    readClasses(type, asked, signal),
  ]);
  loaded.set(type, { features: new Map() });
  classesAre(type, classes);
  patchLayer(type, { colouring, matched, ...(mapFailed.value ? { phase: 'ready' } : {}) });
  drawLayer(type);
  revision.value++;
}

/** The map says how the reading of tiles went. */
export function tilesCame(type: string, phase: 'ready' | 'error'): void {
  const state = layerState(type);
  if (state && state.phase !== phase && !running.has(type)) patchLayer(type, { phase });
}

/** There will be no map: tiles that it would read are not waited for. */
export function noMap(): void {
  mapFailed.value = true;
  for (const { layer, tiled, phase } of layers.value) {
    if (tiled && phase === 'loading') patchLayer(layer.type, { phase: 'ready' });
  }
}

/** An object for the map; null where it has no place that could be drawn. */
export function featureOf({
  id,
  geometry,
  properties,
}: Items['features'][number]): MapFeature | null {
  if (typeof id !== 'string' || !geometry || !isDrawable(geometry)) return null;
  const name = calledIn({ ...properties, name: nameText(properties?.name as string | undefined) });
  const stale = properties?.stale === true;
  return { type: 'Feature', geometry, properties: { ...properties, id, name, stale } };
}

/** Lets the objects onto the map once the ground is drawn: it is little, and what a reader knows the city by. */
export function lookForGround(): void {
  const at = map.value;
  if (!groundFirst.value || !at) return;
  for (const { layer, role, visible, tiled, phase } of layers.value) {
    if (!visible || role === 'object' || tiled || !layer.geometry || phase === 'error') continue;
    if (phase !== 'ready' || !at.isDrawn(layer.type)) return;
  }
  groundFirst.value = false;
  performance.mark('city seen');
  for (const type of loaded.keys()) if (layerState(type)?.role === 'object') drawLayer(type);
}

/** Puts a layer on the map, if there is a map yet and the ground is on it. */
export function drawLayer(type: string): void {
  const state = layerState(type);
  const read = loaded.get(type);
  const at = map.value;
  if (!state || !read || !at || (groundFirst.value && state.role === 'object')) return;
  const { role, mark, layer, visible, tiled, colouring } = state;
  const crowd = crowdOf(layer, mark, tiled);
  const address = tiled ? { path: tilePath(type, askedOf(type)), box: layer.bbox } : null;
  at.drawLayer({ type, role, mark, crowd, tiled, colouring }, address);
  at.setFeatures(type, read.features);
  at.setVisible(type, isSeen({ role, visible }));
}

/** Beside the queue and a report the map shows the ground alone, for their own marks. */
const groundAlone = computed(() => ['cases', 'report'].includes(view.value.page));

const isSeen = ({ role, visible }: Pick<LayerState, 'role' | 'visible'>): boolean =>
  visible && !(groundAlone.value && role === 'object');

/** Reads every layer in the language that was just chosen; names come in one language at a time. */
export function relabel(): void {
  for (const type of loaded.keys()) void loadLayer(type);
}

/** Follows the view: which layers are shown, with which filter, in which colours. */
export function followLayers(): void {
  effect(() => {
    void groundAlone.value;
    untracked(() => {
      for (const each of layers.value) map.value?.setVisible(each.layer.type, isSeen(each));
    });
  });
  effect(() => {
    const { shown } = view.value;
    void view.value.filters;
    void view.value.colours;
    untracked(() => {
      const wanted = new Set(
        shownTypes(
          layers.value.map(({ layer }) => layer),
          shown,
        ),
      );
      for (const {
        layer: { type },
        role,
        visible: before,
      } of layers.value) {
        const visible = wanted.has(type);
        if (visible !== before) {
          patchLayer(type, { visible });
          map.value?.setVisible(type, isSeen({ role, visible }));
        }
        const other = readWith.has(type) && readWith.get(type) !== signatureOf(type);
        if (visible && (other || layerState(type)?.phase === 'idle')) void loadLayer(type);
      }
    });
  });
}

/** One change on the map: the same for features and tiles, for what happens now and what happened then. */
import type { AttributeChange, Change } from '../api/live';
import { anchorOf, isDrawable } from '../lib/geometry';
import { mentions } from '../lib/cql';
import { merged } from '../lib/merge';
import { nameText } from '../lib/names';
import { noValue } from '../map/expressions';
import { colouredBy } from './classes';
import { instant } from './instant';
import { askLater } from './membership';
import { putObject, removeObject, ring } from './objects';
import { valueCame } from './renewal';
import { type LayerState, layerState, layers, loaded, map, revision } from './store';
import { view } from './view';

const waiting = new Map<string, { change: Change; initial: boolean }>();
let due = false;

/**
 * Takes a change into the map, a live one or one of the past; many in one frame are drawn once.
 *
 * @param initial it tells what is so, not what happens at this moment: nothing is ringed
 */
export function applyChange(change: Change, initial = false): void {
  if (change.kind === 'historyAppended') return;
  const earlier = waiting.get(change.entityId);
  waiting.set(change.entityId, { change: merged(earlier?.change, change), initial });
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    const batch = [...waiting.values()];
    waiting.clear();
    // What was is no news: counts and times are those of now.
    if (!instant.value) takeFacts(batch.map(({ change }) => change));
    for (const { change, initial } of batch) drawChange(change, initial);
    revision.value++;
  });
}

/** What the list of layers tells of them: how many, and when the last value came. */
function takeFacts(batch: Change[]): void {
  const counts = new Map<string, number>();
  const newest = new Map<string, string>();
  for (const { kind, type, changes } of batch) {
    const step = kind === 'entityCreated' ? 1 : kind === 'entityDeleted' ? -1 : 0;
    for (const name of type) {
      if (step) counts.set(name, (counts.get(name) ?? 0) + step);
      for (const { observedAt } of changes) {
        if (observedAt && observedAt > (newest.get(name) ?? '')) newest.set(name, observedAt);
      }
    }
  }
  if (!counts.size && !newest.size) return;
  layers.value = layers.value.map((state) => {
    const { type, count, observed } = state.layer;
    const last = newest.get(type);
    const later = last && (!observed || Date.parse(last) > Date.parse(observed)) ? last : observed;
    const now = count + (counts.get(type) ?? 0);
    if (now === count && later === observed) return state;
    return { ...state, layer: { ...state.layer, count: now, observed: later } };
  });
}

/** @param initial it tells what is so: nothing is ringed */
function drawChange(change: Change, initial: boolean): void {
  for (const type of change.type) {
    const state = layerState(type);
    if (state && loaded.has(type)) drawInLayer(state, change, initial);
  }
}

function drawInLayer(state: LayerState, change: Change, initial: boolean): void {
  const { type } = state.layer;
  const { kind, entityId: id, location, changes } = change;
  const feature = loaded.get(type)?.features.get(id);
  const placeless =
    changes.some(({ name, deleted }) => name === 'location' && deleted) && !location;
  if (kind === 'entityDeleted' || placeless) {
    removeObject(state, id);
    return;
  }
  const filter = view.value.filters[type];
  if (filter) {
    const concerned =
      kind === 'entityCreated' || location || changes.some(({ name }) => mentions(filter, name));
    // Whether it is in the filter, the node knows: of now. In the past, what is shown is moved and coloured.
    if (concerned && !instant.value) {
      askLater(type, id);
      return;
    }
    if (!feature && !state.tiled) return;
  }
  const coloured = colouredBy(type);
  const news = newsOf(changes, coloured);
  if (coloured && coloured in news) valueCame(type, news[coloured]);
  if (location && isDrawable(location)) place(state, change, { ...feature?.properties, ...news });
  else if (feature) {
    Object.assign(feature.properties, news);
    const addOrUpdateProperties = Object.entries(news).map(([key, value]) => ({ key, value }));
    if (addOrUpdateProperties.length) {
      map.value?.updateFeatures(type, { update: [{ id, addOrUpdateProperties }] });
    }
  } else if (state.tiled) setTileNews(state, id, news);
  if (!initial)
    ring(state, id, location ? anchorOf(location) : feature ? anchorOf(feature.geometry) : null);
}

/** The attributes that the map draws, as a change tells them. */
function newsOf(changes: AttributeChange[], coloured: string): Record<string, unknown> {
  const news: Record<string, unknown> = {};
  // The newest come first.
  for (const { name, value, datasetId, deleted } of [...changes].reverse()) {
    if (datasetId) continue;
    if (name === 'name') news.name = nameText(plainOf(value) as string | undefined);
    if (name === 'stale') news.stale = value === true;
    if (name === coloured) news[name] = deleted ? noValue : textOf(value);
  }
  return news;
}

/** The simplified form of a LanguageProperty holds its map in a member. */
function plainOf(value: unknown): unknown {
  return (value as { languageMap?: unknown } | null)?.languageMap ?? value ?? undefined;
}

function textOf(value: unknown): unknown {
  const plain = plainOf(value);
  return typeof plain === 'object' && plain ? nameText(plain as Record<string, string>) : plain;
}

function setTileNews(state: LayerState, id: string, news: Record<string, unknown>): void {
  const attribute = colouredBy(state.layer.type);
  map.value?.setTileState(state.layer.type, id, {
    ...('stale' in news ? { stale: news.stale === true } : {}),
    ...(attribute && attribute in news ? { value: news[attribute] } : {}),
  });
}

/** An object that was made, or stands elsewhere than it was read. */
function place(
  state: LayerState,
  { entityId: id, location, kind }: Change,
  known: Record<string, unknown>,
): void {
  const { type } = state.layer;
  const read = loaded.get(type);
  if (!read || !location) return;
  const fresh = !read.features.has(id);
  // What a tile told of it goes with it.
  const before =
    state.tiled && fresh && kind !== 'entityCreated'
      ? map.value?.findTiled(type, [id]).get(id)?.properties
      : undefined;
  putObject(state, {
    type: 'Feature',
    geometry: location,
    properties: { name: '', stale: false, ...before, ...known, id },
  });
}

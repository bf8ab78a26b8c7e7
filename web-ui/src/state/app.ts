/** The page's course: read the city, draw it, follow its changes. */
import { readCity, readLayers, readSources } from '../api/city';
import { ApiError } from '../api/http';
import { type Change, followChanges } from '../api/live';
import { timeZone } from '../lib/format';
import { followTime } from './time';
import { entityChanged, followChosen, retryEntity, showOnMap } from './entity';
import {
  applyChange,
  drawLayer,
  loadShown,
  loadStale,
  loadView,
  renewLayers,
  startingLayers,
} from './layers';
import {
  city,
  entity,
  failure,
  lastChange,
  layerState,
  layers,
  live,
  loaded,
  phase,
  sources,
  staleUnknown,
} from './store';
import { allChanged, typesChanged } from './news';
import { followTrail } from './trail';
import { view } from './view';

const sourcesEvery = 60_000;
const resumeEvery = 3_000;
let stopFollowing: (() => void) | undefined;

export async function start(): Promise<void> {
  phase.value = 'loading';
  try {
    // The log's place is taken before the layers are read: a change in between is told twice, never lost.
    const place = (await readCity()).body;
    const list = (await readLayers()).body;
    timeZone.value = place.timeZone || 'UTC';
    layers.value = startingLayers(list);
    city.value = place;
    phase.value = 'ready';
    if (view.value.time.mode === 'live') follow(place.seq);
    followTime({ hold, resume: () => void resume() });
    followChosen();
    followTrail();
  } catch (thrown) {
    failure.value = thrown instanceof ApiError ? thrown : new ApiError(0, String(thrown), '');
    phase.value = 'error';
    return;
  }
  void watchSources();
  await loadShown();
  await markStale();
}

/** Called when the map can draw: what was read before it was ready, and the object of the address. */
export function mapReady(): void {
  for (const type of loaded.keys()) drawLayer(type);
  void loadView();
  if (entity.value) showOnMap();
}

export const viewMoved = (): void => void loadView();

function follow(seq: number): void {
  stopFollowing?.();
  stopFollowing = followChanges(seq, {
    change(change: Change) {
      lastChange.value = change.at;
      knowTypes(change);
      applyChange(change);
      typesChanged(change);
      if (change.entityId === entity.value?.id) entityChanged(change.kind);
    },
    reset() {
      void readAnew();
    },
    state(state) {
      live.value = state;
    },
  });
}

/** While the past is shown, no change of now may reach the map. */
function hold(): void {
  stopFollowing?.();
  stopFollowing = undefined;
}

/** Back from the past: what is so now is read anew, and followed from there. */
async function resume(): Promise<void> {
  live.value = 'connecting';
  try {
    // The log's place first, as at the start.
    const { seq } = (await readCity()).body;
    if (view.value.time.mode !== 'live') return;
    follow(seq);
    await readAnew();
  } catch {
    live.value = 'reconnecting';
    setTimeout(() => {
      if (view.value.time.mode === 'live' && !stopFollowing) void resume();
    }, resumeEvery);
  }
}

const asked = new Set<string>();

/** A type that was not there at the start gets its layer; the list is asked for once a type. */
function knowTypes({ kind, type }: Change): void {
  if (kind !== 'entityCreated') return;
  const fresh = type.filter((name) => !layerState(name) && !asked.has(name));
  if (!fresh.length) return;
  for (const name of fresh) asked.add(name);
  // A new type seldom comes alone: its first objects are read together.
  setTimeout(() => void readAnew(), 1_000);
}

async function readAnew(): Promise<void> {
  try {
    renewLayers((await readLayers()).body);
    allChanged();
    await loadShown();
    await markStale();
    retryEntity();
  } catch {
    // The live state tells that the node is away; the next change or reset tries again.
  }
}

/** Silence is drawn last: without it the map is still true. */
async function markStale(): Promise<void> {
  try {
    await loadStale();
  } catch {
    staleUnknown.value = true;
  }
}

async function watchSources(): Promise<void> {
  try {
    sources.value = { phase: 'ready', list: (await readSources()).body };
  } catch {
    sources.value = { phase: 'error', list: sources.value.list };
  }
  setTimeout(() => void watchSources(), sourcesEvery);
}

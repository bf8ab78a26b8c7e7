/** The page's course: read the city, draw it, follow its changes. */
import { batch } from '@preact/signals';
import { readCity, readLayers, readSources } from '../api/city';
import { ApiError } from '../api/http';
import { type Change, followChanges } from '../api/live';
import { timeZone } from '../lib/format';
import { followTime } from './time';
import { entityChanged, followChosen, retryEntity, showOnMap } from './entity';
import { areasChanged, followAreas } from './areas';
import { renewLayers, startingLayers } from './catalogue';
import { applyChange } from './changes';
import { drawLayer, followLayers, loadShown, lookForGround, retryLayers } from './layers';
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
} from './store';
import { allChanged, typesChanged } from './news';
import { followClasses } from './renewal';
import { followTrail } from './trail';
import { view } from './view';

const sourcesEvery = 60_000;
const resumeEvery = 3_000;
let stopFollowing: (() => void) | undefined;

export async function start(): Promise<void> {
  phase.value = 'loading';
  try {
    // The log's place is taken before any object is read: a change in between is told twice, never lost.
    const [{ body: place }, { body: list }] = await Promise.all([readCity(), readLayers()]);
    timeZone.value = place.timeZone || 'UTC';
    batch(() => {
      city.value = place;
      layers.value = startingLayers(list);
    });
    phase.value = 'ready';
    if (view.value.time.mode === 'live') follow(place.seq);
    followTime({ hold, resume: () => void resume() });
    followAreas();
    followClasses();
    followChosen();
    followTrail();
  } catch (thrown) {
    failure.value = thrown instanceof ApiError ? thrown : new ApiError(0, String(thrown), '');
    phase.value = 'error';
    return;
  }
  const read = loadShown();
  followLayers();
  await read;
  void watchSources();
  setTimeout(() => void watchFacts(), factsEvery);
}

/** Called when the map can draw: what was read before it was ready, and the object of the address. */
export function mapReady(): void {
  for (const type of loaded.keys()) drawLayer(type);
  lookForGround();
  if (entity.value) showOnMap();
}

function follow(seq: number): void {
  stopFollowing?.();
  stopFollowing = followChanges(seq, {
    change(change: Change) {
      lastChange.value = change.at;
      knowTypes(change);
      applyChange(change);
      typesChanged(change);
      areasChanged(change);
      if (change.changes.some(({ name }) => name === 'stale')) factsChanged();
      if (change.entityId === entity.value?.id) entityChanged(change.kind);
    },
    reset() {
      void readAnew();
    },
    state(state) {
      const back = state === 'live' && live.value === 'reconnecting';
      live.value = state;
      if (!back) return;
      retryLayers();
      if (entity.value?.phase === 'error') retryEntity();
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
    retryEntity();
  } catch {
    // The live state tells that the node is away; the next change or reset tries again.
  }
}

const factsEvery = 60_000;
const factsPause = 3_000;
let factsDue = false;

/** How many are silent in each layer, the node counts: soon after one fell silent or spoke again. */
function factsChanged(): void {
  if (factsDue) return;
  factsDue = true;
  setTimeout(() => {
    factsDue = false;
    void readFacts();
  }, factsPause);
}

async function readFacts(): Promise<void> {
  try {
    renewLayers((await readLayers()).body);
  } catch {
    // The live state tells that the node is away.
  }
}

async function watchFacts(): Promise<void> {
  await readFacts();
  setTimeout(() => void watchFacts(), factsEvery);
}

async function watchSources(): Promise<void> {
  try {
    sources.value = { phase: 'ready', list: (await readSources()).body };
  } catch {
    sources.value = { phase: 'error', list: sources.value.list };
  }
  setTimeout(() => void watchSources(), sourcesEvery);
}

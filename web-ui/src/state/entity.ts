/** The chosen object: read once, read again when it changes, as it is or as it was; kept in the address. */
import { effect, untracked } from '@preact/signals';
import { readPast } from '../api/history';
import { type Answer, ApiError } from '../api/http';
import { type NormalizedEntity, readEntity } from '../api/ngsi';
import { changedKeys, locationOf, rowsOf } from '../lib/entity';
import { boxOf } from '../lib/geometry';
import { rowsAsOf } from '../lib/past';
import { instant } from './instant';
import { coveredNow } from './covered';
import { entity, findFeature, map, sheet } from './store';
import { go, view } from './view';

/** Chooses an object, or nobody; the address remembers it, so that Back walks the way back. */
export function choose(id: string | null, { fly = false }: { fly?: boolean } = {}): void {
  if ((id ?? '') === view.value.id) return;
  flyTo = fly ? id : null;
  go({ id: id ?? '' });
}

/** The object that the map shall move to once it has been read: one that was not chosen on the map itself. */
let flyTo: string | null = null;

/** Shows the object that the view names, now and whenever it names another, as of the time that is shown. */
export function followChosen(): void {
  flyTo = view.value.id;
  effect(() => {
    const { id } = view.value;
    if (id === (untracked(() => entity.value)?.id ?? '')) return;
    void untracked(() => show(id, { fly: flyTo === id }));
  });
  effect(() => {
    const at = instant.value;
    const now = untracked(() => entity.value);
    if (!now || (now.at === at && now.phase !== 'loading')) return;
    // What was read before the clock went back may be old news by now.
    if (!at) present = null;
    void untracked(() => refresh(now.id));
  });
}

async function show(id: string, { fly = false }: { fly?: boolean }): Promise<void> {
  present = null;
  if (!id) {
    entity.value = null;
    map.value?.setChosen(null);
    return;
  }
  entity.value = {
    id,
    phase: 'loading',
    types: [],
    rows: [],
    at: instant.value,
    changed: new Set(),
    revision: 0,
    error: null,
  };
  if (sheet.value === 'peek') sheet.value = 'half';
  map.value?.setChosen(findFeature(id)?.feature.geometry ?? null);
  await refresh(id);
  if (fly) showOnMap();
}

let reading: string | null = null;
let again = false;
/** While a replay runs its clock moves many times a second; the object is read no more often than this. */
const replayPause = 250;

/** Reads the chosen object; calls that come while one is under way become one more reading. */
async function refresh(id: string): Promise<void> {
  if (reading === id) {
    again = true;
    return;
  }
  reading = id;
  do {
    again = false;
    await readOnce(id);
    if (again && instant.value) await new Promise((done) => setTimeout(done, replayPause));
  } while (again && entity.value?.id === id);
  if (reading === id) reading = null;
}

/** The object as it is now; while the past is shown it is read once and kept. */
let present: { id: string; document: NormalizedEntity | null } | null = null;

async function readOnce(id: string): Promise<void> {
  const at = instant.value;
  try {
    if (!at || present?.id !== id) present = { id, document: await orNull(readEntity(id)) };
    const { document } = present;
    const past = at ? await orNull(readPast(id, at)) : null;
    if (entity.value?.id !== id) return;
    if (!document && !past) throw new ApiError(404, '', '');
    take(document, past, at);
  } catch (thrown) {
    const error = thrown instanceof ApiError ? thrown : new ApiError(0, String(thrown), '');
    const now = entity.value;
    if (now?.id !== id) return;
    // What was read stays on the page: an answer that failed once is no reason to hide it.
    if (error.status === 404) entity.value = { ...now, phase: 'gone', error };
    else if (now.phase !== 'ready' || now.at !== at) {
      entity.value = { ...now, phase: 'error', error };
    }
  }
}

/** The answer's document; null where the node knows nothing under that name. */
async function orNull(answer: Promise<Answer<NormalizedEntity>>): Promise<NormalizedEntity | null> {
  try {
    return (await answer).body;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

function take(document: NormalizedEntity | null, past: NormalizedEntity | null, at: string): void {
  const now = entity.value;
  if (!now) return;
  const today = document ? rowsOf(document) : [];
  // Whether it is silent is said of now alone.
  const lasting = today.filter(({ name }) => name !== 'stale');
  const rows = at ? rowsAsOf(lasting, past ?? { id: now.id, type: [] }) : today;
  const type = document?.type ?? past?.type ?? [];
  const changed = now.phase === 'ready' ? changedKeys(now.rows, rows) : new Set<string>();
  entity.value = {
    ...now,
    phase: 'ready',
    types: Array.isArray(type) ? type : [type],
    rows,
    at,
    changed,
    revision: now.revision + 1,
    error: null,
  };
  map.value?.setChosen(locationOf(rows) ?? findFeature(now.id)?.feature.geometry ?? null);
}

/** A change of the chosen object arrived. Of the past it is read anew whenever that goes on. */
export function entityChanged(kind: string): void {
  const now = entity.value;
  if (!now) return;
  // What happens now is no news of the past that is shown.
  if (kind === 'entityDeleted' && !instant.value) {
    present = null;
    entity.value = { ...now, phase: 'deleted', changed: new Set() };
  } else void refresh(now.id);
}

export function retryEntity(): void {
  if (entity.value) void refresh(entity.value.id);
}

/** Moves the map to the chosen object. */
export function showOnMap(): void {
  const now = entity.value;
  if (!now) return;
  const place = locationOf(now.rows) ?? findFeature(now.id)?.feature.geometry;
  const box = place ? boxOf(place) : null;
  if (!box) return;
  if (sheet.value === 'full') sheet.value = 'half';
  map.value?.goTo(box, coveredNow());
}

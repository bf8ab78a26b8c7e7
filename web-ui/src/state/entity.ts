/** The chosen object: read once, read again when it changes, kept in the address. */
import { effect, untracked } from '@preact/signals';
import { ApiError } from '../api/http';
import { type NormalizedEntity, readEntity } from '../api/ngsi';
import { changedKeys, locationOf, rowsOf } from '../lib/entity';
import { boxOf } from '../lib/geometry';
import { coveredHeight } from './sheet';
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

/** Shows the object that the view names, now and whenever it names another. */
export function followChosen(): void {
  flyTo = view.value.id;
  effect(() => {
    const { id } = view.value;
    if (id === (untracked(() => entity.value)?.id ?? '')) return;
    void untracked(() => show(id, { fly: flyTo === id }));
  });
}

async function show(id: string, { fly = false }: { fly?: boolean }): Promise<void> {
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
  } while (again && entity.value?.id === id);
  if (reading === id) reading = null;
}

async function readOnce(id: string): Promise<void> {
  try {
    take(id, (await readEntity(id)).body);
  } catch (thrown) {
    const error = thrown instanceof ApiError ? thrown : new ApiError(0, String(thrown), '');
    const now = entity.value;
    if (now?.id !== id) return;
    // What was read stays on the page: an answer that failed once is no reason to hide it.
    if (error.status === 404) entity.value = { ...now, phase: 'gone', error };
    else if (now.phase !== 'ready') entity.value = { ...now, phase: 'error', error };
  }
}

function take(id: string, document: NormalizedEntity): void {
  const now = entity.value;
  if (now?.id !== id) return;
  const rows = rowsOf(document);
  const types = Array.isArray(document.type) ? document.type : [document.type];
  const changed = now.phase === 'ready' ? changedKeys(now.rows, rows) : new Set<string>();
  entity.value = {
    ...now,
    phase: 'ready',
    types,
    rows,
    changed,
    revision: now.revision + 1,
    error: null,
  };
  map.value?.setChosen(locationOf(rows) ?? findFeature(id)?.feature.geometry ?? null);
}

/** A change of the chosen object arrived. */
export function entityChanged(kind: string): void {
  const now = entity.value;
  if (!now) return;
  if (kind === 'entityDeleted') entity.value = { ...now, phase: 'deleted', changed: new Set() };
  else void refresh(now.id);
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
  map.value?.goTo(box, coveredHeight());
}

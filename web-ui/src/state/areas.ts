/** Areas coloured by what lies within them: asked of the node, and again when that changes. */
import { computed, effect, signal, untracked } from '@preact/signals';
import type { Feature } from 'geojson';
import { ApiError } from '../api/http';
import type { Change } from '../api/live';
import { type AreaValues, type Items, readAreas, readItems, readSummary } from '../api/maps';
import type { AreaQuery } from '../lib/address';
import { areaClasses, type AreaClasses, areaTexts } from '../lib/areas';
import { anchorOf, boxOf, isDrawable } from '../lib/geometry';
import { language } from '../lib/i18n';
import { wholeLimit } from '../lib/reading';
import { layers, map, type Phase } from './store';
import { view } from './view';

export interface AreaState {
  query: AreaQuery;
  phase: Phase;
  problem: string;
  /** Each area's value, and how many are in it. */
  values: Map<string, { value: number | null; count: number }>;
  /** Where classes end; the least and the largest value; null where no area has one. */
  classes: AreaClasses | null;
  outside: number;
  noPlace: number;
  unitCode: string;
}

export const areaState = signal<AreaState | null>(null);

/** Layers whose areas can be coloured: surfaces, few enough to be read whole. */
export const areaLayers = computed(() =>
  layers.value.filter(
    ({ layer, tiled }) => layer.geometry === 'Polygon' && layer.count > 0 && !tiled,
  ),
);

let reading: AbortController | null = null;
const shapes = new Map<string, Items>();

const wanted = computed(() => {
  const { areas, filters } = view.value;
  return areas ? JSON.stringify([areas, filters[areas.of] ?? '', language.value]) : '';
});

export function followAreas(): void {
  effect(() => {
    void wanted.value;
    untracked(() => void show());
  });
  effect(() => {
    if (areaState.value && map.value) draw(areaState.value);
    else map.value?.setAreas(null);
  });
}

async function show(): Promise<void> {
  reading?.abort();
  const query = view.value.areas;
  if (!query) {
    areaState.value = null;
    return;
  }
  const { signal: stop } = (reading = new AbortController());
  const before = areaState.value;
  const same = before && JSON.stringify(before.query) === JSON.stringify(query);
  areaState.value = same
    ? { ...before, phase: 'loading', problem: '' }
    : { ...empty, query, phase: 'loading' };
  try {
    const filter = view.value.filters[query.of] ?? '';
    const asked = { filter: '', properties: ['name'], lang: language.value };
    const key = `${query.areas} ${language.value}`;
    const [{ body }, items, unitCode] = await Promise.all([
      readAreas(query, filter, stop),
      shapes.get(key) ?? readItems(query.areas, asked, wholeLimit * 2, stop),
      unitOf(query, stop),
    ]);
    shapes.set(key, items);
    areaState.value = stateOf(query, body, unitCode);
  } catch (thrown) {
    if (stop.aborted) return;
    const problem = thrown instanceof ApiError ? thrown.message : String(thrown);
    areaState.value = { ...(areaState.value ?? { ...empty, query }), phase: 'error', problem };
  }
}

const empty = {
  problem: '',
  values: new Map(),
  classes: null,
  outside: 0,
  noPlace: 0,
  unitCode: '',
};

async function unitOf({ of, attribute, aggregate }: AreaQuery, stop: AbortSignal): Promise<string> {
  if (aggregate === 'count' || !attribute) return '';
  const asked = { filter: '', lang: language.value };
  return (await readSummary(of, attribute, asked, null, stop)).unitCode ?? '';
}

function stateOf(
  query: AreaQuery,
  { areas, outside, noPlace }: AreaValues,
  unitCode: string,
): AreaState {
  const classes = areaClasses(
    areas.map(({ value }) => value),
    query.steps,
  );
  return {
    query,
    phase: 'ready',
    problem: '',
    values: new Map(areas.map(({ id, value, count }) => [id, { value, count }])),
    classes,
    outside,
    noPlace,
    unitCode,
  };
}

function draw({ query, values, classes }: AreaState): void {
  const items = shapes.get(`${query.areas} ${language.value}`);
  const features: Feature[] = [];
  for (const { id, geometry, properties } of items?.features ?? []) {
    if (!geometry || !isDrawable(geometry)) continue;
    const value = values.get(String(id))?.value ?? null;
    features.push({
      type: 'Feature',
      geometry,
      properties: { id, name: properties?.name ?? '', value },
    });
    const [at, box] = [anchorOf(geometry), boxOf(geometry)];
    if (!at || !box) continue;
    for (const text of areaTexts(String(properties?.name ?? ''), value, box)) {
      const place = { type: 'Point' as const, coordinates: at };
      features.push({ type: 'Feature', geometry: place, properties: { id, ...text } });
    }
  }
  const paint = { breaks: classes?.breaks ?? [] };
  map.value?.setAreas({ type: query.areas, features, paint });
}

const pause = 3_000;
let timer: ReturnType<typeof setTimeout> | undefined;

/** What was counted may have changed: asked again, once for many changes. */
export function areasChanged({ type, kind }: Change): void {
  const query = view.value.areas;
  if (!query || kind === 'historyAppended') return;
  if (type.includes(query.areas)) shapes.clear();
  if (!type.includes(query.of) && !type.includes(query.areas)) return;
  timer ??= setTimeout(() => {
    timer = undefined;
    void show();
  }, pause);
}

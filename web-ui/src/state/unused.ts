/** What of the address could not be used: told once, in one place, on whichever page it is. */
import { computed, signal } from '@preact/signals';
import { readAddress } from '../lib/address';
import { unfit, unfitChart, unreadable, type Unused, weightiest } from '../lib/unused';
import { entity, layers } from './store';
import { arrived, view } from './view';

/** The table finds out itself what its type has no column for. */
export const unusedColumns = signal<Unused[]>([]);

/** What was told and put away is not told again. */
const dismissed = signal<ReadonlySet<string>>(new Set());
const keyOf = ({ name, value }: Unused): string => `${name}=${value}`;

export const unused = computed<Unused[]>(() => {
  const { search, hash } = arrived.value;
  const given = readAddress(search);
  const all = [
    ...unreadable(search, hash),
    ...unfit(
      view.value,
      layers.value.map(({ layer }) => layer),
    ),
    ...wrongFilters(given.filters),
    ...unusedColumns.value,
    ...strangeCharts(given.id, given.chart),
  ];
  return weightiest(all.filter((each) => !dismissed.value.has(keyOf(each))));
});

/** A filter that is typed here is answered where it is typed; one that came with the address may be out of sight. */
function wrongFilters(given: Record<string, string>): Unused[] {
  return layers.value.flatMap(({ layer: { type }, wrongFilter, problem }): Unused[] => {
    const value = view.value.filters[type] ?? '';
    if (!wrongFilter || given[type] !== value) return [];
    return [{ name: `filter.${type}`, value, why: { kind: 'filter', detail: problem } }];
  });
}

/** Of the object that the address names; others are looked at through the same choice. */
function strangeCharts(id: string, chart: readonly string[]): Unused[] {
  const now = entity.value;
  if (now?.id !== id || now.phase !== 'ready' || view.value.chart.join() !== chart.join())
    return [];
  return unfitChart(chart, now.types[0] ?? '', now.rows);
}

export function dismissUnused(): void {
  dismissed.value = new Set([...dismissed.value, ...unused.value.map(keyOf)]);
}

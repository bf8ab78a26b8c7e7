/** What the table twin shows, derived from the view; and the one way each part of it is changed. */
import { computed, signal } from '@preact/signals';
import type { TableView } from '../lib/address';
import { layers, mostInAnswer } from './store';
import { go, view } from './view';

/** Instead of a type's objects: the areas that are coloured, with their values. */
export const areasChoice = '@areas';

export const pageSize = computed(() => Math.min(100, mostInAnswer.value));

/** The ids of the rows on the page, in their order: what "next" and "previous" walk. */
export const rowIds = signal<string[]>([]);

/** The type whose objects are rows: the one that was chosen, else the first shown one; "" where there is none. */
export const tableType = computed(() => {
  const { type } = view.value.table;
  if (type) return type;
  const shown = layers.value.filter(({ layer, visible }) => visible && layer.count > 0);
  const first = shown.find(({ role }) => role === 'object') ?? shown[0] ?? layers.value[0];
  return first?.layer.type ?? '';
});

/** Changes what the table shows; another selection or order begins with its first row. */
export function setTable(change: Partial<TableView>, step = false): void {
  go({ table: { ...view.value.table, offset: 0, ...change } }, step);
}

/** Another type has columns and an order of its own. */
export function chooseTable(type: string): void {
  setTable({ type, columns: [], sort: '', only: '' }, true);
}

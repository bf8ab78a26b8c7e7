/** What can be asked of each type's attributes: read once a type, when an editor opens. */
import { signal } from '@preact/signals';
import { ApiError } from '../api/http';
import { type Queryable, readQueryables } from '../api/maps';
import type { Kind } from '../lib/cql';
import { compareTexts } from '../lib/i18n';
import { attributeLabel } from '../lib/names';

/** An attribute that can be compared with a value. */
export interface Askable {
  name: string;
  label: string;
  kind: Kind;
  unit: string;
  /** Values that are known; `closed` where there are no others. */
  values: string[];
  closed: boolean;
}

export type Askables =
  | { phase: 'loading' | 'error'; list: []; problem: string }
  | { phase: 'ready'; list: Askable[]; problem: '' };

const read = signal<Record<string, Askables>>({});

/** The attributes of a type as far as they are known; reading begins with the first question. */
export function askablesOf(type: string): Askables {
  const known = read.value[type];
  if (known) return known;
  const waiting: Askables = { phase: 'loading', list: [], problem: '' };
  // Not while something is drawn: the signal that it reads must not change under it.
  queueMicrotask(() => {
    if (!read.value[type]) void load(type, waiting);
  });
  return waiting;
}

async function load(type: string, waiting: Askables): Promise<void> {
  read.value = { ...read.value, [type]: waiting };
  try {
    const list = Object.entries(await readQueryables(type)).flatMap(([name, each]) => {
      const found = askableOf(name, each);
      return found ? [found] : [];
    });
    list.sort((a, b) => rankOf(a.name) - rankOf(b.name) || compareTexts(a.label, b.label));
    read.value = { ...read.value, [type]: { phase: 'ready', list, problem: '' } };
  } catch (thrown) {
    const problem = thrown instanceof ApiError ? thrown.message : String(thrown);
    read.value = { ...read.value, [type]: { phase: 'error', list: [], problem } };
  }
}

/** An object's own attributes first, then parts of them, then what the node keeps of every object. */
function rankOf(name: string): number {
  if (['id', 'createdAt', 'modifiedAt'].includes(name)) return 2;
  return Number(name.includes('.'));
}

function askableOf(name: string, queryable: Queryable): Askable | null {
  const kind = kindOf(queryable);
  if (!kind) return null;
  const values = (queryable.enum ?? queryable.examples ?? []).map(String);
  return {
    name,
    label: labelOf(name),
    kind,
    unit: queryable['x-ogc-unit'] ?? '',
    values,
    closed: queryable.enum !== undefined && kind === 'text',
  };
}

/** Each part of a dotted name in its own words. */
function labelOf(name: string): string {
  return /^[a-z][a-z0-9+.-]*:/i.test(name)
    ? attributeLabel(name)
    : name.split('.').map(attributeLabel).join(' › ');
}

/** Geometries, lists and objects cannot be compared with one value. */
function kindOf({ type, format }: Queryable): Kind | null {
  if (format?.startsWith('geometry')) return null;
  const types = Array.isArray(type) ? type : [type];
  if (types.includes('number') || types.includes('integer')) return 'number';
  if (types.includes('boolean')) return 'boolean';
  if (!types.includes('string')) return null;
  return format === 'date-time' ? 'time' : format === 'date' ? 'date' : 'text';
}

/** An entity as it was last observed at a past time, made of what it is now and of its history. */
import type { Json, NormalizedEntity } from '../api/ngsi';
import { type Row, rowsOf } from './entity';

/** What a deletion leaves in a history. */
const nothing = 'urn:ngsi-ld:null';

/**
 * The rows of an entity as of a past time.
 *
 * What carries a time of observation has the value it had then, or is told to be unknown then; what was never
 * observed (a name, a place that was surveyed once) stays as it is now, since nothing says when it began.
 *
 * @param now the rows of the present; empty for an entity that is no more
 * @param past the newest instance of each attribute up to then, as the temporal API answers it
 */
export function rowsAsOf(now: readonly Row[], past: NormalizedEntity): Row[] {
  const then = new Map(rowsOf(newest(past)).map((row) => [row.key, row]));
  const rows = now.map((row): Row => {
    const found = then.get(row.key);
    then.delete(row.key);
    if (!row.observedAt) return row;
    if (found) return { ...found, rows: found.rows.length ? found.rows : row.rows };
    const { observedAt: _, modifiedAt: __, ...rest } = row;
    return { ...rest, rows: [], unknown: true };
  });
  return [...rows, ...then.values()];
}

/** Of each attribute and data set the instance that was observed last; deletions are nothing. */
function newest(past: NormalizedEntity): NormalizedEntity {
  const out: NormalizedEntity = { id: past.id, type: past.type };
  for (const [name, member] of Object.entries(past)) {
    if (name === 'id' || name === 'type' || typeof member !== 'object' || member === null) continue;
    const found = new Map<string, { [name: string]: Json }>();
    for (const instance of Array.isArray(member) ? member : [member]) {
      if (typeof instance !== 'object' || instance === null || Array.isArray(instance)) continue;
      const dataset = String(instance.datasetId ?? '');
      const before = found.get(dataset);
      const time = (one: { [name: string]: Json }): number => Date.parse(String(one.observedAt));
      if (!before || time(instance) >= time(before)) found.set(dataset, instance);
    }
    const kept = [...found.values()].filter(
      (instance) =>
        instance.deletedAt === undefined &&
        ![instance.value, instance.object, instance.vocab].includes(nothing),
    );
    if (kept.length) out[name] = kept;
  }
  return out;
}

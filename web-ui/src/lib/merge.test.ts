import { describe, expect, it } from 'vitest';
import type { Change } from '../api/live';
import { merged } from './merge';

const at = (lon: number): Pick<Change, 'location' | 'changes'> => {
  const location = { type: 'Point' as const, coordinates: [lon, 0] };
  return { location, changes: [{ name: 'location', value: location }] };
};

const change = (more: Partial<Change>): Change => ({
  at: '2026-06-29T00:00:00Z',
  kind: 'entityUpdated',
  entityId: 'urn:bus:1',
  type: ['Bus'],
  changes: [],
  ...more,
});

describe('two changes of one object', () => {
  it('come to the last value and the last place', () => {
    const both = merged(
      change({ ...at(1), seq: 1 }),
      change({ seq: 2, changes: [{ name: 'speed', value: 5 }] }),
    );
    expect(both.location).toEqual(at(1).location);
    expect(both.seq).toBe(2);
    expect(both.changes.map(({ name }) => name)).toEqual(['speed', 'location']);
    expect(merged(both, change(at(2))).location).toEqual(at(2).location);
  });

  it('come to no place where the later one takes it away', () => {
    const lost = change({ changes: [{ name: 'location', value: null, deleted: true }] });
    expect(merged(change(at(1)), lost)).not.toHaveProperty('location');
    expect(merged(merged(change(at(1)), lost), change(at(3))).location).toEqual(at(3).location);
    const other = change({
      changes: [{ name: 'location', datasetId: 'urn:old', value: null, deleted: true }],
    });
    expect(merged(change(at(1)), other).location).toEqual(at(1).location);
  });

  it('keep that the object was made, unless it is gone again', () => {
    const made = change({ kind: 'entityCreated', ...at(1) });
    expect(merged(made, change({})).kind).toBe('entityCreated');
    expect(merged(made, change({ kind: 'entityDeleted' })).kind).toBe('entityDeleted');
    expect(merged(undefined, made)).toBe(made);
  });
});

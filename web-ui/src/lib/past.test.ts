import { expect, it } from 'vitest';
import type { NormalizedEntity } from '../api/ngsi';
import { rowsOf } from './entity';
import { rowsAsOf } from './past';

const now: NormalizedEntity = {
  id: 'urn:x',
  type: 'X',
  name: { type: 'Property', value: 'Bridge' },
  speed: [
    { type: 'Property', value: 9, unitCode: 'KMH', observedAt: '2026-05-02T00:00:00Z' },
    { type: 'Property', value: 8, datasetId: 'urn:a', observedAt: '2026-05-02T00:00:00Z' },
  ],
  state: { type: 'Property', value: 'open', observedAt: '2026-05-02T00:00:00Z' },
};
const past: NormalizedEntity = {
  id: 'urn:x',
  type: 'X',
  speed: [
    { type: 'Property', value: 3, unitCode: 'KMH', observedAt: '2026-05-01T00:00:00Z' },
    { type: 'Property', value: 2, unitCode: 'KMH', observedAt: '2026-04-30T00:00:00Z' },
  ],
  gone: { type: 'Property', value: 1, observedAt: '2026-04-01T00:00:00Z' },
  left: { type: 'Property', value: 'urn:ngsi-ld:null', observedAt: '2026-04-01T00:00:00Z' },
};
const shown = (rows: ReturnType<typeof rowsAsOf>) =>
  Object.fromEntries(
    rows.map(({ key, shown, unknown }) => [key, unknown ? 'unknown' : shown.value]),
  );

it('shows what was observed then, what was never observed as it is, and the rest as unknown', () => {
  expect(shown(rowsAsOf(rowsOf(now), past))).toEqual({
    'name ': 'Bridge',
    'speed ': 3,
    'speed urn:a': 'unknown',
    'state ': 'unknown',
    'gone ': 1,
  });
});

it('tells the time of the old value, and none of an unknown one', () => {
  const rows = rowsAsOf(rowsOf(now), past);
  expect(rows.find(({ key }) => key === 'speed ')?.observedAt).toBe('2026-05-01T00:00:00Z');
  expect(rows.find(({ key }) => key === 'state ')?.observedAt).toBeUndefined();
});

it('is made of the past alone where there is no present', () => {
  expect(shown(rowsAsOf([], past))).toEqual({ 'speed ': 3, 'gone ': 1 });
});

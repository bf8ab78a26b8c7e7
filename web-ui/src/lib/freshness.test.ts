import { expect, it } from 'vitest';
import { isOld } from './freshness';

const now = Date.parse('2026-06-30T12:00:00Z');
const promise = (expectedInterval: string | null) => [
  { type: ['Gauge', 'Well'], expectedInterval },
];

it('takes a value of more than a year for old, whatever its sources say', () => {
  expect(isOld('Vehicle', '2025-06-29T00:00:00Z', [], now)).toBe(true);
  expect(isOld('Vehicle', '2026-01-01T00:00:00Z', [], now)).toBe(false);
  expect(isOld('Gauge', '2025-06-29T00:00:00Z', promise('P1000D'), now)).toBe(true);
});

it('takes one for old long after its sources promised the next', () => {
  expect(isOld('Gauge', '2026-06-28T00:00:00Z', promise('PT1H'), now)).toBe(true);
  // Ten intervals are ten minutes, but a day is none too long to wait.
  expect(isOld('Gauge', '2026-06-30T00:00:00Z', promise('PT1M'), now)).toBe(false);
  expect(isOld('Gauge', '2026-06-20T00:00:00Z', promise('P1D'), now)).toBe(true);
  expect(isOld('Gauge', '2026-06-21T00:00:00Z', promise('P1D'), now)).toBe(false);
  expect(isOld('Gauge', '2026-06-20T00:00:00Z', promise(null), now)).toBe(false);
  expect(isOld('Lamp', '2026-06-20T00:00:00Z', promise('PT1H'), now)).toBe(false);
});

import { describe, expect, it } from 'vitest';
import { shifted, timeframeOf, zoomed } from './timeframe';

describe('timeframeOf', () => {
  const now = Date.parse('2026-03-10T12:00:00Z');

  it('is the time that is shown, however deep the present may be looked into', () => {
    expect(timeframeOf({ from: 1, to: 2 }, { values: 500 }, now)).toEqual({ from: 1, to: 2 });
  });

  it('is as deep as the reader wishes while the city is live, and goes on', () => {
    expect(timeframeOf(null, { values: 500 }, now)).toEqual({ lastN: 500 });
    expect(timeframeOf(null, { days: 7 }, now)).toEqual({ from: now - 7 * 86_400_000 });
  });
});

describe('zoomed and shifted', () => {
  it('keep the middle and the length', () => {
    const hour = 3_600_000;
    expect(zoomed({ from: 0, to: 4 * hour }, 0.5)).toEqual({ from: hour, to: 3 * hour });
    expect(shifted({ from: 0, to: 4 * hour }, -1)).toEqual({ from: -2 * hour, to: 2 * hour });
    const least = zoomed({ from: 0, to: 60_000 }, 0.01);
    expect(least.to - least.from).toBe(60_000);
  });
});

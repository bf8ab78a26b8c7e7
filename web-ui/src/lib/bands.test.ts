import { describe, expect, it } from 'vitest';
import type { NormalizedEntity } from '../api/ngsi';
import { bandColumns, periodFor, periodsOf, statisticsFrom } from './bands';

const hour = 3_600_000;
const at = (hours: number): string => new Date(hours * hour).toISOString();
const over = (...pairs: [value: number, hours: number][]) =>
  pairs.map(([value, hours]) => [value, at(hours), at(hours + 1)]);

const answer: NormalizedEntity = {
  id: 'urn:x',
  type: 'X',
  no2: {
    type: 'Property',
    avg: over([2, 1], [1, 0], [5, 20]),
    min: over([1, 0], [1, 1], [4, 20]),
    max: over([1, 0], [3, 1], [6, 20]),
  },
};

describe('periodFor', () => {
  it('is the shortest of the usual ones with at most 400 periods', () => {
    expect(periodFor(24 * hour).iso).toBe('PT5M');
    expect(periodFor(400 * hour).iso).toBe('PT1H');
    expect(periodFor(400 * hour + 1).iso).toBe('PT2H');
    expect(periodFor(1e15).iso).toBe('P365D');
  });
});

describe('periodsOf', () => {
  it('joins the methods by period, in the order of time', () => {
    expect(periodsOf(answer, 'no2').map(({ mean, min, max }) => [mean, min, max])).toEqual([
      [1, 1, 1],
      [2, 1, 3],
      [5, 4, 6],
    ]);
    expect(periodsOf(answer, 'o3')).toEqual([]);
    expect(periodsOf(answer, 'no2', 'urn:a')).toEqual([]);
  });

  it('draws a break where periods are missing', () => {
    const [times, means, lows] = bandColumns(periodsOf(answer, 'no2'));
    expect(means).toEqual([1, 2, null, 5]);
    expect(lows).toEqual([1, 1, null, 4]);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });
});

describe('statisticsFrom', () => {
  it('takes what the node computed, and the repeats as the difference of two counts', () => {
    const whole = { ...answer, no2: { totalCount: over([10, 0]), avg: over([4, 0]) } };
    const first = { ...answer, no2: { totalCount: over([7, 0]) } };
    expect(statisticsFrom(whole, first, 'no2', '', [])).toMatchObject({
      count: 10,
      mean: 4,
      min: null,
      missing: null,
      repeats: 3,
    });
    expect(statisticsFrom(answer, answer, 'o3', '', [])).toBeNull();
  });
});

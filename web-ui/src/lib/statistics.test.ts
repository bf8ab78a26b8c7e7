import { expect, it } from 'vitest';
import { gapsOf, type Point } from './history';
import { statisticsOf } from './statistics';

const hour = 3_600_000;
const points = (...pairs: [hours: number, value: number | null][]): Point[] =>
  pairs.map(([hours, value]) => ({ time: hours * hour, value }));

it('computes what a hand computes', () => {
  // Mean 5, squares of the deviations 9+1+1+1+0+0+4+16 = 32, by 8 is 4, the root is 2.
  const eight = points([0, 2], [1, 4], [2, 4], [3, 4], [4, 5], [5, 5], [6, 7], [7, 9]);
  expect(statisticsOf(eight, [])).toEqual({
    count: 8,
    min: 2,
    mean: 5,
    max: 9,
    deviation: 2,
    gaps: 0,
    silent: 0,
    missing: 0,
    repeats: 0,
  });
});

it('counts silences, what is missing in them, and repeats', () => {
  const read = points([0, 1], [1, 1], [2, 1], [2, 1], [3, null], [9, 2], [10, 3]);
  expect(statisticsOf(read, gapsOf(read))).toMatchObject({
    count: 6,
    gaps: 1,
    silent: 6 * hour,
    missing: 5,
    repeats: 1,
  });
});

it('has no numbers where there are none', () => {
  expect(statisticsOf([], [])).toMatchObject({ count: 0, min: null, mean: null, deviation: null });
  expect(statisticsOf(points([0, 7]), [])).toMatchObject({ count: 1, mean: 7, deviation: 0 });
});

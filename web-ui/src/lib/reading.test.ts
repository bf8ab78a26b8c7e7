import { expect, it } from 'vitest';
import { tiledTypes, wholeBudget, wholeLimit } from './reading';

const layer = (type: string, count: number) => ({ type, count, geometry: 'Point' as const });

it('large layers come as tiles, small ones whole', () => {
  expect(tiledTypes([layer('A', wholeLimit + 1), layer('B', wholeLimit)])).toEqual(new Set(['A']));
  expect(tiledTypes([{ type: 'A', count: 1e6, geometry: null }])).toEqual(new Set());
});

it('a city of many middling layers never reads more than the budget whole', () => {
  const many = Array.from({ length: 60 }, (_, at) => layer(`T${at}`, 2_000 + at));
  const tiled = tiledTypes(many);
  const whole = many.filter(({ type }) => !tiled.has(type));
  expect(whole.reduce((sum, { count }) => sum + count, 0)).toBeLessThanOrEqual(wholeBudget);
  expect(tiled.size).toBeLessThan(60);
});

import { expect, it } from 'vitest';
import { tiledTypes, wholeBudget, wholeLimit } from './reading';

const layer = (type: string, count: number) => ({ type, count, geometry: 'Point' as const });

const many = 200_000;

it('a node that answers with few objects at a time is asked for tiles instead of many pages', () => {
  expect(tiledTypes([layer('A', 11), layer('B', 10)], 10)).toEqual(new Set(['A']));
});

it('large layers come as tiles, small ones whole', () => {
  expect(tiledTypes([layer('A', wholeLimit + 1), layer('B', wholeLimit)], many)).toEqual(
    new Set(['A']),
  );
  expect(tiledTypes([{ type: 'A', count: 1e6, geometry: null }], many)).toEqual(new Set());
});

it('a city of many middling layers never reads more than the budget whole', () => {
  const layers = Array.from({ length: 60 }, (_, at) => layer(`T${at}`, 2_000 + at));
  const tiled = tiledTypes(layers, many);
  const whole = layers.filter(({ type }) => !tiled.has(type));
  expect(whole.reduce((sum, { count }) => sum + count, 0)).toBeLessThanOrEqual(wholeBudget);
  expect(tiled.size).toBeLessThan(60);
});

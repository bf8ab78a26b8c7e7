import { describe, expect, it } from 'vitest';
import { askedTogether, tiledTypes, wholeBudget, wholeLimit } from './reading';

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

describe('the past of layers', () => {
  const read = (type: string, phase: 'ready' | 'loading' | 'error') => ({
    type,
    ready: phase === 'ready',
    settled: phase !== 'loading',
  });

  it('is asked for once they are all there, or will not come', () => {
    expect(askedTogether([read('A', 'ready'), read('B', 'loading')], [])).toEqual([]);
    expect(askedTogether([read('A', 'ready'), read('B', 'error')], [])).toEqual(['A']);
    expect(askedTogether([read('A', 'ready'), read('B', 'ready')], [])).toEqual(['A', 'B']);
  });

  it('goes on for those that were there when others come or are read anew', () => {
    const one = [read('A', 'ready'), read('B', 'ready'), read('C', 'loading')];
    expect(askedTogether(one, ['A', 'C'])).toEqual(['A']);
    expect(askedTogether([read('A', 'loading')], ['A'])).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import {
  breaksOf,
  classOf,
  colouringOf,
  coloursOf,
  type NumberClasses,
  quantileAt,
  readChoice,
  viridisColours,
  withRoom,
  writeChoice,
} from './colouring';

const even = { count: 9, min: 0, max: 100, quantiles: [0, 10, 25, 50, 75, 90, 100], whole: true };
const skewed = { count: 9, min: 0, max: 100, quantiles: [0, 0, 0, 0, 1, 1, 100], whole: false };

describe('classes of numbers', () => {
  it('hold about as many objects each, or are as wide as each other', () => {
    expect(breaksOf(even, 'quantile')).toEqual([20, 40, 60, 80]);
    expect(breaksOf({ ...skewed, quantiles: [0, 1, 2, 3, 4, 5, 100] }, 'equal')).toEqual([
      20, 40, 60, 80,
    ]);
  });

  it('are fewer where many values are the same', () => {
    const breaks = breaksOf(skewed, 'quantile');
    expect(breaks.every((value, at) => value > 0 && value > (breaks[at - 1] ?? 0))).toBe(true);
    expect(
      breaksOf({ ...even, min: 5, max: 5, quantiles: [5, 5, 5, 5, 5, 5, 5] }, 'quantile'),
    ).toEqual([]);
  });

  it('hold every value between the ends in just one class', () => {
    const colouring = colouringOf(
      { attribute: 'no2', steps: 'equal' },
      { count: 9, missing: 2, numbers: even },
    );
    const { breaks } = colouring as NumberClasses;
    expect(classOf(colouring as NumberClasses, 0)).toBe(0);
    expect(classOf(colouring as NumberClasses, 20)).toBe(1);
    expect(classOf(colouring as NumberClasses, 100)).toBe(breaks.length);
    expect(classOf(colouring as NumberClasses, '20')).toBeNull();
  });

  it('lie between two known quantiles where none is known', () => {
    const known = [0, 1, 2, 3, 4, 5, 6];
    expect([0, 0.1, 0.25, 0.5, 0.75, 0.9, 1].map((rank) => quantileAt(known, rank))).toEqual(known);
    expect(quantileAt(known, 0.95)).toBeCloseTo(5.5);
    expect(quantileAt(known, 0.6)).toBeCloseTo(3.4);
  });
});

describe('classes of texts', () => {
  const values = Array.from({ length: 10 }, (_, at) => ({ value: `v${at}`, count: at + 1 }));

  it('are the most frequent ones, and one for all others', () => {
    const colouring = colouringOf(
      { attribute: 'kind', steps: 'quantile' },
      { count: 55, missing: 5, values },
    );
    if (colouring?.kind !== 'values') throw new Error('no classes of values');
    expect(colouring.values.map(({ value }) => value)).toEqual([
      'v9',
      'v8',
      'v7',
      'v6',
      'v5',
      'v4',
      'v3',
    ]);
    expect(colouring.others).toBe(6);
    expect(classOf(colouring, 'v9')).toBe(0);
    expect(classOf(colouring, 'v0')).toBeNull();
    expect(new Set(coloursOf(colouring, false)).size).toBe(7);
  });

  it('know true from nothing', () => {
    const summary = { count: 3, missing: 0, values: [{ value: true, count: 3 }] };
    const colouring = colouringOf({ attribute: 'stale', steps: 'quantile' }, summary);
    if (!colouring) throw new Error('no classes');
    expect(classOf(colouring, true)).toBe(0);
    expect(classOf(colouring, undefined)).toBeNull();
  });

  it('are none where nothing has a value', () => {
    expect(colouringOf({ attribute: 'x', steps: 'equal' }, { count: 3, missing: 3 })).toBeNull();
  });
});

it('viridis rises from dark to light', () => {
  const light = (colour: string): number =>
    [1, 3, 5].reduce(
      (sum, at, i) => sum + parseInt(colour.slice(at, at + 2), 16) * ([2, 7, 1][i] ?? 0),
      0,
    );
  for (const dark of [false, true]) {
    const lights = viridisColours(5, dark).map(light);
    expect(lights).toEqual([...lights].sort((a, b) => a - b));
  }
  expect(viridisColours(5, false)[0]).toBe('#440154');
  expect(viridisColours(5, true)[4]).toBe('#fde725');
});

it('a choice of colours comes back from the view as it went in', () => {
  for (const choice of [
    { attribute: 'no2', steps: 'quantile' },
    { attribute: 'https://example.org/x:y', steps: 'equal' },
  ] as const) {
    expect(readChoice(writeChoice(choice))).toEqual(choice);
  }
});

describe('classes that a value leaves', () => {
  const numbers = colouringOf(
    { attribute: 'no2', steps: 'equal' },
    { count: 9, missing: 0, numbers: even },
  ) as NumberClasses;

  it('have room for it, and stay where they are', () => {
    expect(withRoom(numbers, 50)).toBe(numbers);
    expect(withRoom(numbers, 888)).toEqual({ ...numbers, max: 888 });
    expect(withRoom(numbers, -0.5)).toEqual({ ...numbers, min: -0.5, whole: false });
    expect(withRoom(numbers, '')).toEqual({ ...numbers, missing: 1 });
    expect(withRoom({ ...numbers, missing: 3 }, 'text')).toMatchObject({ missing: 3 });
  });

  it('tell that there are other texts, or none', () => {
    const texts = colouringOf(
      { attribute: 'state', steps: 'quantile' },
      { count: 4, missing: 0, values: [{ value: 'open', count: 4 }] },
    );
    expect(texts && withRoom(texts, 'open')).toBe(texts);
    expect(texts && withRoom(texts, 'ajar')).toMatchObject({ others: 1, missing: 0 });
    expect(texts && withRoom(texts, '')).toMatchObject({ others: 0, missing: 1 });
  });
});

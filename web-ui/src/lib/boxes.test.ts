import { describe, expect, it } from 'vitest';
import type { Box } from '../api/city';
import { boxOfLayers, hasStrays } from './boxes';

const layer = (box: Box | null, count = 10, bbox = box) => ({ bbox, usualBbox: box, count });
const city: Box = [123.3, 30.1, 123.5, 30.3];

describe('the first view', () => {
  it('holds every layer of the city, near and thin as it may be', () => {
    const layers = [layer(city, 500), layer([123.2, 30.2, 123.4, 30.5], 2), layer(null, 0)];
    expect(boxOfLayers(layers)).toEqual([123.2, 30.1, 123.5, 30.5]);
    expect(boxOfLayers([layer(null)])).toBeNull();
  });

  it('does not show half the world for one object or one layer far away', () => {
    expect(boxOfLayers([layer(city, 500, [0, 0, 123.5, 30.3])])).toEqual(city);
    expect(boxOfLayers([layer(city, 500), layer([0, 0, 0, 0], 1)])).toEqual(city);
  });
});

it('a layer has strays where its whole box is wider than its usual one', () => {
  expect(hasStrays(layer(city))).toBe(false);
  expect(hasStrays(layer(city, 10, [0, 0, 123.5, 30.3]))).toBe(true);
  expect(hasStrays(layer(null))).toBe(false);
});

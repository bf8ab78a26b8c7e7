import { describe, expect, it } from 'vitest';
import { anchorOf, boxOf } from './geometry';

const square = [
  [100, 50],
  [100.002, 50],
  [100.002, 50.002],
  [100, 50.002],
  [100, 50],
];

describe('boxOf', () => {
  it('holds every position, in parts too', () => {
    expect(boxOf({ type: 'MultiPolygon', coordinates: [[square], [[[-1, -2]]]] })).toEqual([
      -1, -2, 100.002, 50.002,
    ]);
    expect(boxOf({ type: 'MultiPoint', coordinates: [] })).toBeNull();
  });
});

describe('anchorOf', () => {
  it('is the middle of a surface, the largest of several', () => {
    const [lon, lat] =
      anchorOf({
        type: 'MultiPolygon',
        coordinates: [
          [
            [
              [0, 0],
              [0.0001, 0],
              [0, 0.0001],
              [0, 0],
            ],
          ],
          [square],
        ],
      }) ?? [];
    expect(lon).toBeCloseTo(100.001, 9);
    expect(lat).toBeCloseTo(50.001, 9);
  });

  it('is on the line, and at the point', () => {
    expect(
      anchorOf({
        type: 'LineString',
        coordinates: [
          [0, 0],
          [1, 5],
          [9, 9],
        ],
      }),
    ).toEqual([1, 5]);
    expect(anchorOf({ type: 'Point', coordinates: [3, 4] })).toEqual([3, 4]);
  });

  it('is a corner of a surface that has no area, and nothing of nothing', () => {
    expect(
      anchorOf({
        type: 'Polygon',
        coordinates: [
          [
            [1, 1],
            [2, 2],
            [1, 1],
          ],
        ],
      }),
    ).toEqual([1, 1]);
    expect(anchorOf({ type: 'Polygon', coordinates: [] })).toBeNull();
  });
});

import { describe, expect, it } from 'vitest';
import { layoutOf, ranksOf } from './graph';

const edges = [
  { from: 'file', to: 'run' },
  { from: 'party', to: 'run' },
  { from: 'run', to: 'value' },
];
const sizes = new Map([
  ['file', { width: 100, height: 60 }],
  ['party', { width: 100, height: 20 }],
  ['run', { width: 80, height: 40 }],
  ['value', { width: 60, height: 40 }],
]);

describe('ranksOf', () => {
  it('counts the longest way', () => {
    const shortcut = [...edges, { from: 'file', to: 'value' }];
    expect([...ranksOf([...sizes.keys()], shortcut).values()]).toEqual([0, 0, 1, 2]);
  });

  it('ends where arrows go round', () => {
    const round = [
      { from: 'a', to: 'b' },
      { from: 'b', to: 'a' },
    ];
    expect([...ranksOf(['a', 'b'], round).values()]).toEqual([1, 1]);
  });
});

describe('layoutOf', () => {
  it('goes to the right, each rank centred', () => {
    const { places, width, height, paths } = layoutOf(sizes, edges, 'right', 20);
    expect([width, height]).toEqual([100 + 20 + 80 + 20 + 60, 60 + 10 + 20]);
    expect(places.get('file')).toEqual({ x: 0, y: 0 });
    expect(places.get('party')).toEqual({ x: 0, y: 70 });
    expect(places.get('run')).toEqual({ x: 120, y: 25 });
    expect(places.get('value')).toEqual({ x: 220, y: 25 });
    expect(paths).toHaveLength(3);
    expect(paths[2]).toBe('M200 45C210 45 210 45 220 45');
  });

  it('goes down, and no two nodes lie over each other', () => {
    const { places, width, height } = layoutOf(sizes, edges, 'down', 20);
    expect([width, height]).toEqual([100 + 10 + 100, 60 + 20 + 40 + 20 + 40]);
    expect(places.get('run')).toEqual({ x: 65, y: 80 });
    expect(places.get('value')).toEqual({ x: 75, y: 140 });
  });

  it('is nothing of nothing', () => {
    expect(layoutOf(new Map(), [], 'down', 20)).toMatchObject({ width: 0, height: 0, paths: [] });
  });
});

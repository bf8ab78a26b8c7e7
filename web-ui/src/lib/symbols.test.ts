import { describe, expect, it } from 'vitest';
import { crowdOf, marksFor, roleOf, type Shape } from './symbols';

describe('marksFor', () => {
  const layersOf = (count: number, geometry: 'Point' | 'LineString' | 'Polygon') =>
    Array.from({ length: count }, (_, i) => ({ type: `${geometry}${i}`, geometry }));
  const points = layersOf(40, 'Point');

  it('gives no two layers of points the same colour and shape', () => {
    const lamp = { type: 'Streetlight', geometry: 'Point' } as const;
    const marks = [...marksFor([...points, lamp]).values()];
    expect(new Set(marks.map(({ colour, shape }) => `${colour} ${shape}`)).size).toBe(41);
  });

  it('gives no two layers of lines, or of surfaces, the same colour and dash', () => {
    for (const kind of ['LineString', 'Polygon'] as const) {
      const marks = [...marksFor([...points, ...layersOf(28, kind)])]
        .filter(([type]) => type.startsWith(kind))
        .map(([, { colour, dash }]) => `${colour} ${dash}`);
      expect(new Set(marks).size).toBe(28);
    }
  });

  it('gives the same layers the same marks, whatever their order', () => {
    expect(marksFor([...points].reverse())).toEqual(marksFor(points));
  });

  it('still marks a city of more types than there are pairs', () => {
    expect(marksFor(layersOf(80, 'Point')).size).toBe(80);
    expect(marksFor(layersOf(40, 'LineString')).size).toBe(40);
  });
});

describe('crowdOf', () => {
  const crowd = (count: number, shape: Shape, tiled = false) =>
    crowdOf({ count }, { colour: '#000', shape, dash: [1] }, tiled);

  it('leaves a crowd its shape while it is read whole, and never makes two shapes the same dot', () => {
    expect(crowd(600, 'square')).toBeNull();
    expect(crowd(601, 'square')).toBe('marks');
    expect(crowd(601, 'circle')).toBe('dots');
    expect(crowd(80_000, 'circle', true)).toBe('dots');
    expect(crowd(80_000, 'triangle', true)).toBe('rimmed');
  });
});

describe('roleOf', () => {
  it('knows the ground by the names of types, compact or not', () => {
    expect(roleOf('District')).toBe('district');
    expect(roleOf('https://smartdatamodels.org/dataModel.ParksAndGardens/Park')).toBe('green');
    expect(roleOf('RoadSegment')).toBe('road');
    expect(roleOf('Streetlight')).toBe('object');
  });
});

import { describe, expect, it } from 'vitest';
import { marksFor, roleOf } from './symbols';

describe('marksFor', () => {
  const types = Array.from({ length: 40 }, (_, i) => ({ type: `Type${i}` }));

  it('gives no two layers the same colour and shape', () => {
    const marks = [...marksFor([...types, { type: 'Streetlight' }]).values()];
    expect(new Set(marks.map(({ colour, shape }) => `${colour} ${shape}`)).size).toBe(41);
  });

  it('gives the same layers the same marks, whatever their order', () => {
    expect(marksFor([...types].reverse())).toEqual(marksFor(types));
  });

  it('still marks a city of more types than there are pairs', () => {
    const many = Array.from({ length: 80 }, (_, i) => ({ type: `Type${i}` }));
    expect(marksFor(many).size).toBe(80);
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

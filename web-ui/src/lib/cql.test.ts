import { describe, expect, it } from 'vitest';
import {
  allOf,
  type Condition,
  conditionCql,
  type Conditions,
  exampleCql,
  idsCql,
  nameCql,
  readCql,
  valueCql,
  writeCql,
} from './cql';

const is = (attribute: string, value: string): Condition => {
  return { attribute, kind: 'text', operator: '=', values: [value] };
};

/** A small generator of its own, seeded: the same conditions on every run. */
function* conditionsOfAllKinds(count: number): Generator<Conditions> {
  let seed = 7;
  const next = (below: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % below;
  };
  const odd = [
    "it's",
    '100%',
    'a_b',
    '\\',
    '',
    "'; DROP",
    '"',
    'مرحبا',
    '路灯',
    '%_\\%',
    "''",
    'x(y)',
  ];
  const names = [
    'no2',
    'no2.observedAt',
    'not',
    'a b',
    'https://example.org/x#y',
    'say "hi"',
    'date',
  ];
  const some = <T>(all: readonly T[]): T => all[next(all.length)] as T;
  const text = (): string => some(odd) + some(['x', '路', ' ']) + some(odd);
  for (let i = 0; i < count; i++) {
    const list = Array.from({ length: 1 + next(4) }, (): Condition => {
      const attribute = some(names);
      switch (next(8)) {
        case 0:
          return {
            attribute,
            kind: 'number',
            operator: some(['=', '<', '>=']),
            values: [String(next(999) / 8 - 50)],
          };
        case 1:
          return { attribute, kind: 'number', operator: 'between', values: ['-1.5', '1e+21'] };
        case 2:
          return { attribute, kind: 'text', operator: 'in', values: [text(), text()] };
        case 3:
          return {
            attribute,
            kind: 'text',
            operator: some(['contains', 'starts']),
            values: [text()],
          };
        case 4:
          return { attribute, kind: 'boolean', operator: '=', values: [some(['true', 'false'])] };
        case 5:
          return {
            attribute,
            kind: 'time',
            operator: 'between',
            values: ['2025-06-29T00:00:00.000Z', '2025-06-30T00:00:00.000Z'],
          };
        case 6:
          return { attribute, kind: 'text', operator: some(['present', 'missing']), values: [] };
        default:
          return { attribute, kind: 'date', operator: '<', values: ['2025-06-29'] };
      }
    });
    yield { join: list.length > 1 ? some(['AND', 'OR']) : 'AND', list };
  }
}

describe('CQL2 text', () => {
  it('quotes names that are no plain names', () => {
    expect(nameCql('no2.observedAt')).toBe('no2.observedAt');
    expect(nameCql('Not')).toBe('"Not"');
    expect(nameCql('a "b"')).toBe('"a ""b"""');
    expect(nameCql('2nd')).toBe('"2nd"');
  });

  it('keeps a text a text', () => {
    expect(conditionCql(is('name', "O'Hara' OR 1=1 --"))).toBe("name = 'O''Hara'' OR 1=1 --'");
    expect(
      conditionCql({ attribute: 'name', kind: 'text', operator: 'contains', values: ['50%_\\'] }),
    ).toBe("CASEI(name) LIKE CASEI('%50\\%\\_\\\\%')");
  });

  it('refuses values of another kind', () => {
    expect(valueCql('ten', 'number')).toBeNull();
    expect(valueCql('', 'number')).toBeNull();
    expect(valueCql('1e400', 'number')).toBeNull();
    expect(valueCql('yes', 'boolean')).toBeNull();
    expect(valueCql('2025-02-30T25:00', 'time')).toBeNull();
    expect(valueCql('2025-06-31x', 'date')).toBeNull();
    expect(writeCql({ join: 'AND', list: [is('a', 'b'), is('', 'b')] })).toBeNull();
  });

  it('writes times as instants in UTC', () => {
    const [operator, kind] = ['>=', 'time'] as const;
    expect(
      conditionCql({ attribute: 'closed', kind, operator, values: ['2025-06-29T08:00:00+08:00'] }),
    ).toBe("closed >= TIMESTAMP('2025-06-29T00:00:00.000Z')");
  });

  it('joins filters so that each keeps its own "or"', () => {
    expect(allOf('', ' ')).toBe('');
    expect(allOf('a = 1 OR b = 2', '')).toBe('a = 1 OR b = 2');
    expect(allOf('a = 1 OR b = 2', idsCql(["x'y"]))).toBe("(a = 1 OR b = 2) AND (id IN ('x''y'))");
  });

  it('reads back every text that it writes', () => {
    for (const conditions of conditionsOfAllKinds(400)) {
      const text = writeCql(conditions);
      expect(text, JSON.stringify(conditions)).not.toBeNull();
      expect(readCql(text ?? ''), text ?? '').toEqual(conditions);
    }
  });

  it('leaves what the editor cannot show to be typed', () => {
    for (const text of [
      'a = 1 AND b = 2 OR c = 3',
      'NOT a = 1',
      'S_INTERSECTS(location, POINT(1 2))',
      'a = b',
      "CASEI(a) LIKE CASEI('x_y%')",
      'a = ',
      "a = 'open",
      'a BETWEEN 1 AND',
      'a + 1 > 2',
    ]) {
      expect(readCql(text), text).toBeNull();
    }
    expect(readCql(' ')).toEqual({ join: 'AND', list: [] });
  });
});

describe('an example of a filter', () => {
  const kinds = [
    { name: 'lamp', kind: 'text' as const, values: ["l'ed", 'old'] },
    { name: 'name', kind: 'text' as const, values: [] },
    { name: 'rated power', kind: 'number' as const, values: [] },
  ];

  it('is of an attribute that the layer has', () => {
    expect(exampleCql(kinds)).toBe('"rated power" > 20');
    expect(exampleCql(kinds.slice(0, 2))).toBe("lamp = 'l''ed'");
    expect(exampleCql(kinds.slice(1, 2))).toBe("name LIKE 'A%'");
    expect(exampleCql([])).toBeNull();
  });
});

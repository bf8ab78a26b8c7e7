import { describe, expect, it } from 'vitest';
import { inColumns } from './columns';

describe('lines in columns', () => {
  it('fill column after column', () => {
    expect(inColumns([1, 1, 1, 1, 1], 2)).toEqual({
      places: [0, 1, 2]
        .map((row) => ({ column: 0, row }))
        .concat([0, 1].map((row) => ({ column: 1, row }))),
      rows: 3,
    });
    expect(inColumns([], 3)).toEqual({ places: [], rows: 0 });
  });

  it('never tear a group apart, lie over each other or leave their columns', () => {
    for (let seed = 0; seed < 500; seed++) {
      const groups = Array.from({ length: seed % 17 }, (_, at) => 1 + ((seed * 31 + at * 7) % 6));
      const columns = 1 + (seed % 5);
      const { places, rows } = inColumns(groups, columns);
      const taken = new Set<string>();
      places.forEach(({ column, row }, at) => {
        for (let line = 0; line < (groups[at] ?? 0); line++) {
          expect(row + line).toBeLessThan(rows);
          expect(column).toBeLessThan(columns);
          expect(taken.has(`${column} ${row + line}`)).toBe(false);
          taken.add(`${column} ${row + line}`);
        }
      });
    }
  });
});

import { describe, expect, it } from 'vitest';
import type { RuleTable } from '../api/rules';
import {
  cellText,
  columnsOf,
  diffTables,
  insertRow,
  literalsOf,
  moveRow,
  pasteCells,
  readCells,
  removeRow,
  rowName,
  setCell,
  toggleColumn,
  valueOf,
} from './rules';

const table: RuleTable = {
  decisionTable: 'who-comes',
  kind: 'routing',
  version: '1',
  hitPolicy: 'FIRST',
  inputs: [{ name: 'type' }, { name: 'area', optional: true }],
  outputs: [{ name: 'department' }],
  rows: [
    {
      id: 'lamps-north',
      when: { type: 'street-light', area: 'north' },
      then: { department: 'lamps' },
    },
    { id: 'covers', when: { type: '"water-cover", x' }, then: { department: 'water' } },
    { id: 'else', then: { department: 'streets' }, note: 'whoever is near' },
  ],
};
const columns = columnsOf(table);
const texts = (of: RuleTable): string[][] =>
  of.rows.map((row) => columnsOf(of).map((column) => cellText(row, column)));
const column = (key: string) => columns.find((each) => each.key === key)!;

describe('a grid', () => {
  it('has a name, the inputs, the outputs and a note', () => {
    expect(columns.map(({ key, role }) => `${role} ${key}`)).toEqual([
      'id id',
      'input type',
      'input area',
      'output department',
      'note note',
    ]);
    expect(texts(table)[2]).toEqual(['else', '', '', 'streets', 'whoever is near']);
    expect(rowName({}, 4)).toBe('5');
  });

  it('shows what was written as a number or a truth value, and nothing for everything', () => {
    const row = { when: { redone: 3, type: '-' }, then: { goesUp: true } };
    const of = (role: 'input' | 'output', key: string): string =>
      cellText(row, { role, key, part: null });
    expect([of('input', 'redone'), of('input', 'type'), of('output', 'goesUp')]).toEqual([
      '3',
      '',
      'true',
    ]);
  });

  it('keeps what is typed and leaves out what is emptied', () => {
    const typed = setCell(table, 2, column('type'), ' litter-bin ');
    expect(typed.rows[2]?.when).toEqual({ type: 'litter-bin' });
    const emptied = setCell(table, 0, column('area'), '');
    expect(emptied.rows[0]?.when).toEqual({ type: 'street-light' });
    expect(setCell(table, 0, column('id'), 'north').rows[0]?.id).toBe('north');
    // What is not touched is the same: nothing else of the table was written anew.
    expect(typed.rows[0]).toBe(table.rows[0]);
  });

  it('adds, moves and removes rows', () => {
    expect(insertRow(table, 1).rows.map((row) => row.id)).toEqual([
      'lamps-north',
      undefined,
      'covers',
      'else',
    ]);
    expect(moveRow(table, 2, -1).rows.map((row) => row.id)).toEqual([
      'lamps-north',
      'else',
      'covers',
    ]);
    expect(moveRow(table, 0, -1)).toBe(table);
    expect(removeRow(table, 0).rows.map((row) => row.id)).toEqual(['covers', 'else']);
  });

  it('takes a column with what stands in it, and gives an empty one', () => {
    const without = toggleColumn(table, 'inputs', 'area', 'string');
    expect(texts(without)[0]).toEqual(['lamps-north', 'street-light', 'lamps', '']);
    expect(toggleColumn(without, 'inputs', 'redone', 'number').inputs.at(-1)).toEqual({
      name: 'redone',
      type: 'number',
      optional: true,
    });
  });
});

describe('cells from a spreadsheet', () => {
  it('are told apart by tabs and lines', () => {
    expect(readCells('a\tb\r\nc\t\r\n')).toEqual([
      ['a', 'b'],
      ['c', ''],
    ]);
    expect(readCells('one')).toEqual([['one']]);
  });

  it('may hold quotes, tabs and lines where the spreadsheet quotes them', () => {
    expect(readCells('"a\nb"\t"say ""x"""')).toEqual([['a\nb', 'say "x"']]);
  });

  it('keep the quotes that belong to what someone wrote', () => {
    expect(readCells('"water-cover", "b c"\tx')).toEqual([['"water-cover", "b c"', 'x']]);
    expect(readCells('"water-cover"')).toEqual([['"water-cover"']]);
  });

  it('are laid over the grid, with rows that are wanting and without columns that are not there', () => {
    const pasted = pasteCells(table, 2, 3, [
      ['parks', 'green', 'beyond'],
      ['gas', '-'],
    ]);
    expect(texts(pasted).slice(2)).toEqual([
      ['else', '', '', 'parks', 'green'],
      ['', '', '', 'gas', '-'],
    ]);
    expect(texts(pasted).slice(0, 2)).toEqual(texts(table).slice(0, 2));
  });
});

describe('two versions', () => {
  const diff = (after: RuleTable) => {
    const { rows, gone, changed, added, moved, head } = diffTables(table, after);
    return {
      rows: rows.map(({ change, columns }) => [change, ...columns].join(' ')),
      gone: gone.map(({ id }) => id),
      counts: [changed, added, moved],
      head,
    };
  };

  it('that say the same do not differ', () => {
    expect(diff({ ...table, version: '2' })).toEqual({
      rows: ['same', 'same', 'same'],
      gone: [],
      counts: [0, 0, 0],
      head: false,
    });
  });

  it('differ in cells, rows, order and head', () => {
    const written = setCell(insertRow(table, 1, { id: 'new' }), 0, column('area'), 'south');
    expect(diff(written).rows).toEqual(['changed area', 'new', 'same', 'same']);
    expect(diff(removeRow(table, 1))).toMatchObject({
      rows: ['same', 'same'],
      gone: ['covers'],
      counts: [0, 0, 0],
    });
    // One row was taken from the end to the start: one is moved, not all three.
    const [first, second, third] = table.rows as [object, object, object];
    expect(diff({ ...table, rows: [third, first, second] })).toMatchObject({
      rows: ['moved', 'same', 'same'],
      counts: [0, 0, 1],
    });
    expect(diff({ ...table, title: { en: 'Who' } }).head).toBe(true);
    expect(diff(toggleColumn(table, 'inputs', 'area', 'string')).rows).toEqual([
      'changed area',
      'same',
      'same',
    ]);
  });
});

describe('cells', () => {
  it('tell the codes that they hold', () => {
    expect(literalsOf('"water-cover", x, x')).toEqual(['water-cover', 'x']);
    expect(literalsOf('not("a b", c)')).toEqual(['a b', 'c']);
    expect(literalsOf('-')).toEqual([]);
    expect(literalsOf('null, >= 4.5')).toEqual(['4.5']);
  });

  it('become values to ask with', () => {
    expect([valueOf(' 3 ', 'number'), valueOf('x', 'number'), valueOf('true', 'boolean')]).toEqual([
      3,
      'x',
      true,
    ]);
    expect(valueOf('  ')).toBeNull();
  });
});

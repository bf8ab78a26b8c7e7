/** Decision tables as a grid: their columns, cells and edits, and how two versions differ. Pure. */
import type { CellValue, Finding, Part, Row, RuleTable } from '../api/rules';

/** A column of the grid; `key` names it in findings, too. */
export interface Column {
  key: string;
  role: 'id' | 'input' | 'output' | 'note';
  part: Part | null;
}

/** A row's name first, then what must hold, what follows, and what a person notes. */
export const columnsOf = ({ inputs, outputs }: Pick<RuleTable, 'inputs' | 'outputs'>): Column[] => [
  { key: 'id', role: 'id', part: null },
  ...inputs.map((part): Column => ({ key: part.name, role: 'input', part })),
  ...outputs.map((part): Column => ({ key: part.name, role: 'output', part })),
  { key: 'note', role: 'note', part: null },
];

/** A cell as text; "" is everything, or nothing given. */
export function cellText(row: Row, { role, key }: Column): string {
  if (role === 'id' || role === 'note') return row[role] ?? '';
  const value = (role === 'input' ? row.when : row.then)?.[key];
  return value === undefined || value === null || value === '-' ? '' : String(value);
}

/** The name by which a decision tells a row: its own, or its place. */
export const rowName = (row: Row, index: number): string => row.id || String(index + 1);

/** A row with another text in a cell; an empty one is left out. */
export function withCell(row: Row, { role, key }: Column, text: string): Row {
  const given = text.trim();
  if (role === 'id' || role === 'note') return { ...row, [role]: given };
  const place = role === 'input' ? 'when' : 'then';
  const { [key]: _, ...others } = row[place] ?? {};
  return { ...row, [place]: given && given !== '-' ? { ...others, [key]: given } : others };
}

export const setCell = (table: RuleTable, at: number, column: Column, text: string): RuleTable => ({
  ...table,
  rows: table.rows.map((row, index) => (index === at ? withCell(row, column, text) : row)),
});

export const insertRow = (table: RuleTable, at: number, row: Row = {}): RuleTable => ({
  ...table,
  rows: [...table.rows.slice(0, at), row, ...table.rows.slice(at)],
});

export const removeRow = (table: RuleTable, at: number): RuleTable => ({
  ...table,
  rows: table.rows.filter((_, index) => index !== at),
});

/** A row one place up or down; the same table where it stands at the edge. */
export function moveRow(table: RuleTable, at: number, step: 1 | -1): RuleTable {
  const rows = [...table.rows];
  const [one, other] = [rows[at], rows[at + step]];
  if (!one || !other) return table;
  rows[at] = other;
  rows[at + step] = one;
  return { ...table, rows };
}

/** The cells that a spreadsheet puts on the clipboard: tabs between them, quotes where one holds a tab or a line. */
export function readCells(text: string): string[][] {
  const rows: string[][] = [[]];
  let cell = '';
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (quoted) {
      if (sign !== '"') cell += sign;
      else if (text[at + 1] === '"') cell += text[++at];
      else quoted = false;
    } else if (sign === '"' && cell === '' && closes(text, at)) quoted = true;
    else if (sign === '\t') {
      rows.at(-1)?.push(cell);
      cell = '';
    } else if (sign === '\n') {
      rows.at(-1)?.push(cell.replace(/\r$/, ''));
      cell = '';
      rows.push([]);
    } else cell += sign;
  }
  rows.at(-1)?.push(cell);
  const last = rows.at(-1);
  if (rows.length > 1 && last?.length === 1 && last[0] === '') rows.pop();
  return rows;
}

/** Whether a quote opens a cell of a spreadsheet: `"a", "b"` is what someone wrote, and its quotes stay. */
function closes(text: string, at: number): boolean {
  const end = /"(?:[^"]|"")*"(?=[\t\r\n]|$)/y;
  end.lastIndex = at;
  const found = end.exec(text);
  return found !== null && /[\t\n]|""/.test(found[0].slice(1, -1));
}

/** Cells laid over the grid from a place on; rows that are missing are added, columns that are not there left out. */
export function pasteCells(
  table: RuleTable,
  at: number,
  from: number,
  cells: readonly string[][],
): RuleTable {
  const columns = columnsOf(table);
  const rows = [...table.rows];
  cells.forEach((line, down) => {
    let row = rows[at + down] ?? {};
    line.forEach((text, right) => {
      const column = columns[from + right];
      if (column) row = withCell(row, column, text);
    });
    rows[at + down] = row;
  });
  return { ...table, rows };
}

/** The names and numbers that stand in a cell: `"a b", c` and `not(a, c)` hold two each. */
export function literalsOf(text: string): string[] {
  const found: string[] = [];
  for (const [, quoted, word] of text.matchAll(/"((?:[^"\\]|\\.)*)"|([^\s,()[\]<>=!"]+)/g)) {
    const literal = quoted === undefined ? (word ?? '') : quoted.replace(/\\(.)/g, '$1');
    if (literal && literal !== '-' && !(quoted === undefined && /^(not|null)$/.test(literal))) {
      found.push(literal);
    }
  }
  return [...new Set(found)];
}

/** With another input or output, or without it; what stands in its cells goes with it. */
export function toggleColumn(
  table: RuleTable,
  place: 'inputs' | 'outputs',
  name: string,
  type: string,
): RuleTable {
  if (table[place].some((part) => part.name === name)) {
    const cells = place === 'inputs' ? 'when' : 'then';
    const rows = table.rows.map((row) => {
      const { [name]: _, ...others } = row[cells] ?? {};
      return { ...row, [cells]: others };
    });
    return { ...table, rows, [place]: table[place].filter((part) => part.name !== name) };
  }
  const part: Part = {
    name,
    ...(type === 'string' ? {} : { type }),
    ...(place === 'inputs' ? { optional: true } : {}),
  };
  return { ...table, [place]: [...table[place], part] };
}

/** How a row differs from another version. */
export type RowChange = 'same' | 'new' | 'changed' | 'moved';

export interface TableDiff {
  /** By place in the newer table. */
  rows: { change: RowChange; columns: Set<string> }[];
  /** Rows that the newer table does not have any more. */
  gone: Row[];
  changed: number;
  added: number;
  moved: number;
  /** Anything but rows: title, hit policy, columns. */
  head: boolean;
}

/** What is another than in a version before. Rows are known again by their names, without one by what they say. */
export function diffTables(before: RuleTable, after: RuleTable): TableDiff {
  const columns = columnsOf({
    inputs: joined(before.inputs, after.inputs),
    outputs: joined(before.outputs, after.outputs),
  });
  const left = new Map(before.rows.map((row) => [known(row, columns), row]));
  const order: Row[] = [];
  const rows = after.rows.map((row): { change: RowChange; columns: Set<string> } => {
    const name = known(row, columns);
    const was = left.get(name);
    left.delete(name);
    if (!was) return { change: 'new', columns: new Set() };
    order.push(was);
    const other = columns.filter((column) => cellText(was, column) !== cellText(row, column));
    return {
      change: other.length ? 'changed' : 'same',
      columns: new Set(other.map(({ key }) => key)),
    };
  });
  const moved = outOfOrder(order.map((row) => before.rows.indexOf(row)));
  let place = 0;
  for (const row of rows) {
    if (row.change === 'new') continue;
    if (moved.has(place++) && row.change === 'same') row.change = 'moved';
  }
  const count = (change: RowChange): number => rows.filter((row) => row.change === change).length;
  return {
    rows,
    gone: [...left.values()],
    changed: count('changed'),
    added: count('new'),
    moved: count('moved'),
    head: JSON.stringify(headOf(before)) !== JSON.stringify(headOf(after)),
  };
}

const joined = (one: readonly Part[], other: readonly Part[]): Part[] => [
  ...one,
  ...other.filter(({ name }) => !one.some((part) => part.name === name)),
];

const headOf = ({ title = {}, hitPolicy, inputs, outputs }: RuleTable): unknown => [
  Object.entries(title).sort(),
  hitPolicy,
  inputs,
  outputs,
];

const known = (row: Row, columns: readonly Column[]): string =>
  row.id ? `id ${row.id}` : columns.map((column) => cellText(row, column)).join('\t');

/** The places that do not belong to the longest run that still goes up: as few as can be called moved. */
function outOfOrder(places: readonly number[]): Set<number> {
  const ends: number[] = [];
  const before: number[] = [];
  places.forEach((value, at) => {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((places[ends[middle] as number] as number) < value) low = middle + 1;
      else high = middle;
    }
    before[at] = low ? (ends[low - 1] as number) : -1;
    ends[low] = at;
  });
  const kept = new Set<number>();
  for (let at = ends.at(-1) ?? -1; at >= 0; at = before[at] as number) kept.add(at);
  return new Set(places.map((_, at) => at).filter((at) => !kept.has(at)));
}

/** Findings by where they are shown: at a cell, at a row (column ""), or at the table (row 0). */
export const findingsAt = (findings: readonly Finding[], number: number, column = ''): Finding[] =>
  findings.filter((one) => one.number === number && one.column === column);

/** A value to ask with, of a column's type; null where nothing is given or it is none. */
export function valueOf(text: string, type = 'string'): CellValue {
  const given = text.trim();
  if (!given) return null;
  if (type === 'number') return Number.isFinite(Number(given)) ? Number(given) : given;
  if (type === 'boolean') return given === 'true' ? true : given === 'false' ? false : given;
  return given;
}

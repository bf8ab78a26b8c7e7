import { useEffect, useRef, useState } from 'preact/hooks';
import type { Finding, KindOfTable, Row, RuleTable } from '../../api/rules';
import { plural, t } from '../../lib/i18n';
import {
  cellText,
  type Column,
  columnsOf,
  findingsAt,
  insertRow,
  moveRow,
  pasteCells,
  readCells,
  removeRow,
  rowName,
  setCell,
  type TableDiff,
} from '../../lib/rules';
import { cellTitle, columnTitle } from '../../state/rules';
import { Codes, codesFor } from './Codes';
import { CellInput, type Way } from './CellInput';
import { faultText } from './words';

/** A cell to go to; `nth` tells two goings to the same one apart. */
export interface Place {
  row: number;
  column: string;
  nth: number;
}

export type Edit = (by: (table: RuleTable) => RuleTable) => void;

interface Properties {
  table: RuleTable;
  /** Nothing where it cannot be edited. */
  edit: Edit | undefined;
  kind: KindOfTable;
  findings: readonly Finding[];
  diff: TableDiff | null;
  /** The row that decides what is tried out, 1 = first; 0 is none. */
  hit: number;
  /** The row that the address points at, 0 = first; -1 is none. */
  pointed: number;
  place: Place | null;
  undo(): void;
  save(): void;
}

interface At {
  row: number;
  column: number;
}

const step = 200;

/** A table as a spreadsheet has it: what must hold, what follows, and a note; a row a rule. */
export function Grid(properties: Properties) {
  const { table, edit, kind, findings, diff, hit, pointed, place } = properties;
  const columns = columnsOf(table);
  const [at, setAt] = useState<At>({ row: 0, column: 0 });
  const [text, setText] = useState('');
  const [most, setMost] = useState(step);
  // Whether the keyboard is in the grid: a cell that is gone to takes the focus then, and only then.
  const [held, setHeld] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const last = table.rows.length - 1;
  const now: At = {
    row: Math.min(at.row, Math.max(0, last)),
    column: Math.min(at.column, columns.length - 1),
  };
  const goTo = (row: number, column: number): void => {
    setHeld(true);
    setAt({ row, column });
    if (row >= most) setMost(row + step);
  };
  const bringUp = (row: number): void => {
    if (row >= most) setMost(row + step);
    setText('');
    setTimeout(() =>
      box.current?.querySelector(`[data-row="${row + 1}"]`)?.scrollIntoView({ block: 'center' }),
    );
  };
  useEffect(() => {
    if (!place) return;
    bringUp(place.row);
    const column = columns.findIndex(({ key }) => key === place.column);
    goTo(place.row, Math.max(0, column));
  }, [place]);
  useEffect(() => {
    if (pointed >= 0) bringUp(pointed);
  }, [pointed]);

  const wanted = text.trim().toLowerCase();
  const rows = table.rows
    .map((row, index) => ({ row, index }))
    .filter(({ row }) => !wanted || speaksOf(row, columns, wanted));
  const order = rows.map(({ index }) => index);

  /** The cell beside one, among the rows that are shown; null beyond the edge. */
  const beside = (way: Way): At | null => {
    const place = order.indexOf(now.row);
    const [down, right] = steps[way];
    if (way === 'next' || way === 'previous') {
      const flat = place * columns.length + now.column + right;
      const row = order[Math.floor(flat / columns.length)];
      return flat < 0 || row === undefined ? null : { row, column: flat % columns.length };
    }
    if (way === 'start') return { ...now, column: 0 };
    if (way === 'end') return { ...now, column: columns.length - 1 };
    const row = order[Math.min(Math.max(place + down, 0), order.length - 1)] ?? now.row;
    const column = Math.min(Math.max(now.column + right, 0), columns.length - 1);
    return { row, column };
  };
  const leave = (value: string, way: Way | null): boolean => {
    const column = columns[now.column];
    if (edit && column && value !== cellText(table.rows[now.row] ?? {}, column)) {
      edit((table) => setCell(table, now.row, column, value));
    }
    const next = way ? beside(way) : null;
    if (next) goTo(next.row, next.column);
    return next !== null;
  };
  const paste = (text: string): boolean => {
    const cells = readCells(text);
    if (!edit || (cells.length < 2 && (cells[0]?.length ?? 0) < 2)) return false;
    edit((table) => pasteCells(table, now.row, now.column, cells));
    return true;
  };
  return (
    <section class="rule-table" aria-labelledby="rule-table">
      <div class="rule-tools">
        <h3 id="rule-table">{t('rules.table')}</h3>
        <input
          type="search"
          class="search"
          aria-label={t('rules.find')}
          placeholder={t('rules.find')}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        {edit && <RowTools {...{ now, last, edit }} put={(row) => setAt({ ...now, row })} />}
      </div>
      {wanted && (
        <p class="small quiet" role="status">
          {plural('rules.found', rows.length)}
        </p>
      )}
      {edit && <Codes columns={columns} />}
      <div
        class="rule-box"
        ref={box}
        // What scrolls must be reachable by the keyboard; in a draft its cells are.
        tabIndex={edit ? undefined : 0}
        role={edit ? undefined : 'region'}
        aria-labelledby="rule-table"
        onKeyDown={(event) => {
          if (!edit || !(event.ctrlKey || event.metaKey) || event.altKey) return;
          const act = { s: properties.save, z: properties.undo }[event.key.toLowerCase()];
          if (!act || (event.key.toLowerCase() === 'z' && typedIn(event.target))) return;
          event.preventDefault();
          if (event.target instanceof HTMLInputElement) leave(event.target.value, null);
          act();
        }}
      >
        <table
          class="rule-grid"
          role={edit ? 'grid' : undefined}
          aria-rowcount={edit ? table.rows.length + 1 : undefined}
        >
          <thead>
            <tr>
              <th scope="col" class="rule-number">
                #
              </th>
              {columns.map(({ key, role, part }) => (
                <th key={`${role} ${key}`} scope="col" data-role={role}>
                  <span class="rule-role">{t(`rules.role.${role}`)}</span>
                  {role === 'id' || role === 'note'
                    ? t(`rules.column.${role}`)
                    : columnTitle(key, part?.title)}
                  {part && (
                    <span class="rule-code">
                      {key}
                      {part.unit ? ` (${part.unit})` : ''}
                    </span>
                  )}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, most).map(({ row, index }) => (
              <RowOf
                key={index}
                {...{ row, index, columns, table, edit, now, held, leave, paste, goTo, setHeld }}
                required={kind.required}
                findings={findings.filter((one) => one.number === index + 1)}
                diff={diff?.rows[index]}
                mark={hit === index + 1 ? 'hit' : pointed === index ? 'pointed' : ''}
              />
            ))}
          </tbody>
        </table>
        {rows.length > most && (
          <button type="button" class="button" onClick={() => setMost(most + step)}>
            {plural('rules.more', rows.length - most)}
          </button>
        )}
      </div>
      {edit && <p class="small quiet rule-hint">{t('rules.hint')}</p>}
    </section>
  );
}

/** Down and right. */
const steps: Record<Way, [number, number]> = {
  up: [-1, 0],
  down: [1, 0],
  left: [0, -1],
  right: [0, 1],
  next: [0, 1],
  previous: [0, -1],
  start: [0, 0],
  end: [0, 0],
  pageUp: [-10, 0],
  pageDown: [10, 0],
};

/** What is typed in a cell and not taken yet is the browser's to undo. */
const typedIn = (target: EventTarget | null): boolean =>
  target instanceof HTMLInputElement && target.dataset.typing === 'true';

function speaksOf(row: Row, columns: readonly Column[], wanted: string): boolean {
  return columns.some((column) => {
    const text = cellText(row, column);
    return [text, cellTitle(column.key, text)].some((each) => each.toLowerCase().includes(wanted));
  });
}

interface ToolProperties {
  now: At;
  last: number;
  edit: Edit;
  put(row: number): void;
}

function RowTools({ now, last, edit, put }: ToolProperties) {
  const act = (by: (table: RuleTable) => RuleTable, row: number): void => {
    edit(by);
    put(Math.max(0, row));
  };
  return (
    <div class="rule-row-tools" role="toolbar" aria-label={t('rules.rowTools')}>
      <span class="small quiet">{t('rules.atNumber', { number: now.row + 1 })}</span>
      <button
        type="button"
        class="button"
        data-act="add"
        onClick={() => act((table) => insertRow(table, now.row + 1), now.row + 1)}
      >
        {t('rules.addBelow')}
      </button>
      <button
        type="button"
        class="button"
        data-act="above"
        onClick={() => act((table) => insertRow(table, now.row), now.row)}
      >
        {t('rules.addAbove')}
      </button>
      <button
        type="button"
        class="button"
        data-act="up"
        disabled={now.row === 0}
        onClick={() => act((table) => moveRow(table, now.row, -1), now.row - 1)}
      >
        <span aria-hidden="true">↑</span> {t('rules.up')}
      </button>
      <button
        type="button"
        class="button"
        data-act="down"
        disabled={now.row >= last}
        onClick={() => act((table) => moveRow(table, now.row, 1), now.row + 1)}
      >
        <span aria-hidden="true">↓</span> {t('rules.down')}
      </button>
      <button
        type="button"
        class="button"
        data-act="remove"
        disabled={last < 1}
        onClick={() => act((table) => removeRow(table, now.row), Math.min(now.row, last - 1))}
      >
        {t('rules.removeRow')}
      </button>
    </div>
  );
}

interface RowProperties {
  row: Row;
  index: number;
  columns: readonly Column[];
  table: RuleTable;
  edit: Edit | undefined;
  now: At;
  held: boolean;
  required: readonly string[];
  findings: readonly Finding[];
  diff: TableDiff['rows'][number] | undefined;
  mark: '' | 'hit' | 'pointed';
  leave(value: string, way: Way | null): boolean;
  paste(text: string): boolean;
  goTo(row: number, column: number): void;
  setHeld(held: boolean): void;
}

function RowOf(properties: RowProperties) {
  const { row, index, columns, edit, now, held, findings, diff, mark } = properties;
  const { leave, paste, goTo, setHeld } = properties;
  const name = rowName(row, index);
  const ofRow = findings.filter(({ column }) => !columns.some(({ key }) => key === column));
  return (
    <>
      <tr
        data-row={index + 1}
        data-mark={mark || undefined}
        data-change={diff && diff.change !== 'same' ? diff.change : undefined}
        data-fault={findings.some(({ level }) => level === 'error') || undefined}
        aria-current={mark ? 'true' : undefined}
      >
        <th scope="row" class="rule-number">
          {index + 1}
          {diff && diff.change !== 'same' && (
            <span class="rule-change" title={t(`rules.change.${diff.change}`)}>
              <span aria-hidden="true">{signs[diff.change]}</span>
              <span class="unseen">{t(`rules.change.${diff.change}`)}</span>
            </span>
          )}
          {mark === 'hit' && <span class="rule-decides">{t('rules.decides')}</span>}
        </th>
        {columns.map((column, place) => {
          const text = cellText(row, column);
          const title = cellTitle(column.key, text);
          const wrong = findingsAt(findings, index + 1, column.key);
          const active = edit !== undefined && now.row === index && now.column === place;
          const told = wrong.map(faultText).join(' ');
          return (
            <td
              key={`${column.role} ${column.key}`}
              role={edit ? 'gridcell' : undefined}
              data-column={column.key}
              data-role={column.role}
              data-active={active || undefined}
              data-fault={wrong.length > 0 || undefined}
              data-changed={diff?.columns.has(column.key) || undefined}
              onMouseDown={(event) => {
                if (!edit || active) return;
                event.preventDefault();
                // What was typed elsewhere is taken first: its cell gives up the focus.
                if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
                goTo(index, place);
              }}
            >
              {active ? (
                <CellInput
                  text={text}
                  held={held}
                  label={`${name}, ${column.part ? columnTitle(column.key, column.part.title) : t(`rules.column.${column.role as 'id'}`)}`}
                  list={codesFor(column.key)}
                  wrong={told}
                  {...{ leave, paste, setHeld }}
                />
              ) : (
                <span class="rule-text" dir="auto">
                  {text || (column.role === 'input' ? <span class="quiet">–</span> : '')}
                </span>
              )}
              {title && <span class="rule-title">{title}</span>}
              {told && (
                <span class="rule-wrong" id={active ? 'rule-wrong' : undefined}>
                  {told}
                </span>
              )}
            </td>
          );
        })}
      </tr>
      {ofRow.length > 0 && (
        <tr class="rule-row-fault">
          <td colSpan={columns.length + 1}>{ofRow.map(faultText).join(' ')}</td>
        </tr>
      )}
    </>
  );
}

const signs = { new: '+', changed: '•', moved: '↕', same: '' } as const;

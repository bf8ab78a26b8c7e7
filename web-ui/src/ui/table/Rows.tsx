import type { TableRow } from '../../api/table';
import { isDrawable } from '../../lib/geometry';
import { t } from '../../lib/i18n';
import { idEnd, typeLabel } from '../../lib/names';
import { type Column, type Direction, directionOf, nextSort } from '../../lib/table';
import { calledIn } from '../../lib/telling';
import { choose } from '../../state/entity';
import { layerState } from '../../state/store';
import { setTable } from '../../state/table';
import { view } from '../../state/view';
import { Cell } from './Cell';

interface RowsProps {
  type: string;
  caption: string;
  columns: Column[];
  rows: TableRow[];
  busy: boolean;
}

export function Rows({ type, caption, columns, rows, busy }: RowsProps) {
  const placed = layerState(type)?.layer.geometry != null;
  const label = t('table.scroll', { type: typeLabel(type) });
  return (
    <div class="table-box" role="region" tabIndex={0} aria-label={label} aria-busy={busy}>
      <table class="table">
        <caption>
          <span role="status">{caption}</span>
        </caption>
        <thead>
          <tr>
            <Head name="name" label={t('table.name')} />
            {columns.map((column) => (
              <Head key={column.name} {...column} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={row.id} row={row} columns={columns} placed={placed} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

const signs = { ascending: 'M7 14l5-5 5 5z', descending: 'M7 10l5 5 5-5z' };

/** Which way a column orders, or that it could. */
export function SortSign({ direction }: { direction: Direction | null }) {
  return (
    <svg class="sort-sign" viewBox="0 0 24 24" aria-hidden="true">
      {direction ? (
        <path d={signs[direction]} />
      ) : (
        <path class="could" d="M8 10l4-4 4 4zM8 14l4 4 4-4z" />
      )}
    </svg>
  );
}

/** The head of a column, which sorts by it. */
export function Head({
  name,
  label,
  unit,
  kind,
}: Pick<Column, 'name' | 'label'> & Partial<Column>) {
  const { sort } = view.value.table;
  const direction = directionOf(sort, name);
  return (
    <th
      scope="col"
      data-column={name}
      class={kind === 'number' ? 'of-numbers' : undefined}
      aria-sort={direction ?? 'none'}
    >
      <button
        type="button"
        title={t('table.sort', { column: label })}
        onClick={() => setTable({ sort: nextSort(sort, name) })}
      >
        <span>
          {label}
          {unit && <span class="quiet unit"> {unit}</span>}
        </span>
        <SortSign direction={direction} />
      </button>
    </th>
  );
}

interface RowProps {
  row: TableRow;
  columns: Column[];
  /** Objects of this type have places: one without is an exception. */
  placed: boolean;
}

function Row({ row, columns, placed }: RowProps) {
  const { id, geometry } = row;
  const unseen = !placed
    ? ''
    : !geometry
      ? t('layers.noPlace')
      : isDrawable(geometry)
        ? ''
        : t('layers.noDrawing');
  const name = row.properties?.name ?? '';
  const called = typeof name === 'string' ? calledIn(row.properties ?? {}) : JSON.stringify(name);
  // What tells is no name: many may have the same.
  const title = called && !name ? t('table.called', { called, id: idEnd(id) }) : called;
  return (
    <tr class={view.value.id === id ? 'chosen' : undefined}>
      <th scope="row">
        <button
          type="button"
          class="row-name"
          data-object={id}
          title={id}
          aria-current={view.value.id === id ? 'true' : undefined}
          onClick={() => choose(id, { fly: true })}
        >
          <bdi>{title || idEnd(id)}</bdi>
        </button>
        {unseen && <span class="row-note">{unseen}</span>}
      </th>
      {columns.map((column) => (
        <Cell
          key={column.name}
          column={column}
          value={column.name === 'id' ? id : row.properties?.[column.name]}
        />
      ))}
    </tr>
  );
}

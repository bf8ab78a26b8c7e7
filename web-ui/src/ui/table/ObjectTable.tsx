import { effect } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { readQueryables } from '../../api/maps';
import { readRows, type Selection, type TableRows } from '../../api/table';
import { allOf } from '../../lib/cql';
import { numberText } from '../../lib/format';
import { language, t } from '../../lib/i18n';
import { typeLabel } from '../../lib/names';
import { columnsOf, shownColumns } from '../../lib/table';
import { tellingAttribute } from '../../lib/telling';
import { unfitColumns } from '../../lib/unused';
import { newsOf } from '../../state/news';
import { layerState } from '../../state/store';
import { pageSize, rowIds, setTable } from '../../state/table';
import { unusedColumns } from '../../state/unused';
import { view } from '../../state/view';
import { Problem } from '../parts/Problem';
import { useRead } from '../parts/useRead';
import { ColumnChooser } from './ColumnChooser';
import { Downloads } from './Downloads';
import { Filter } from './Filter';
import { Pager } from './Pager';
import { Rows } from './Rows';
import { OnlyNote } from './OnlyNote';
import { PastNote } from './PastNote';

/** The objects of one type, a page of them, under the filter that the map has. */
export function ObjectTable({ type, chooser }: { type: string; chooser: ComponentChildren }) {
  const { columns: chosen, sort, only, offset } = view.value.table;
  const filter = allOf(view.value.filters[type] ?? '', only);
  const queryables = useRead(`columns ${type}`, () => readQueryables(type));
  const all = queryables.body ? columnsOf(queryables.body) : [];
  const telling = tellingAttribute(Object.keys(queryables.body ?? {}));
  const columns = shownColumns(all, chosen, !telling);
  const selection: Selection = {
    type,
    filter,
    sort,
    properties: [...new Set(['name', telling, ...columns.map(({ name }) => name)])].filter(Boolean),
    lang: language.value,
  };
  const key = queryables.body ? JSON.stringify([selection, offset]) : '';
  const read = useRead(
    key,
    (stop) => readRows(selection, pageSize.value, offset, stop),
    newsOf(type),
  );
  const wrongFilter = filter && read.error?.status === 400 ? read.error.message : '';
  const rows = useLasting(read.body, read.phase === 'error');
  const matched = rows?.numberMatched ?? 0;

  const filtered = useRef(filter);
  useEffect(() => {
    // Another filter, from whichever room: its first rows.
    if (filtered.current !== filter && offset > 0) setTable({ offset: 0 });
    filtered.current = filter;
  }, [filter]);
  useEffect(() => {
    // Deletions left fewer rows than the address knew of.
    if (read.body && !read.body.features.length && offset > 0) setTable({ offset: 0 });
  }, [read.body]);
  useEffect(() => {
    rowIds.value = rows?.features.map(({ id }) => id) ?? [];
    return () => {
      rowIds.value = [];
    };
  }, [rows]);
  useEffect(() => effect(() => showChosen(view.value.id)), []);
  const { body } = queryables;
  useEffect(() => {
    const names = Object.keys(body ?? {});
    unusedColumns.value = body ? unfitColumns(view.value.table, type, names) : [];
    return () => {
      unusedColumns.value = [];
    };
  }, [body, chosen.join(), sort]);

  return (
    <>
      <div class="table-head">
        {chooser}
        {queryables.body && <ColumnChooser type={type} all={all} shown={columns} />}
        {rows && <Downloads selection={selection} matched={matched} />}
      </div>
      <Filter type={type} wrong={wrongFilter} />
      <OnlyNote />
      <PastNote />
      {queryables.error ? (
        <Problem
          title={t('table.columns.failed')}
          error={queryables.error}
          retry={queryables.retry}
        />
      ) : read.error && !wrongFilter ? (
        <Problem title={t('table.failed')} error={read.error} retry={read.retry} />
      ) : rows ? (
        <>
          <Rows
            type={type}
            caption={captionOf(type, filter, matched)}
            columns={columns}
            rows={rows.features}
            busy={read.phase === 'loading'}
          />
          {matched === 0 && (
            <p class="table-empty">{t(filter ? 'table.empty.filter' : 'table.empty')}</p>
          )}
          <Pager offset={offset} size={rows.features.length} matched={matched} />
        </>
      ) : (
        !wrongFilter && (
          <p class="quiet" role="status">
            {t('table.reading')}
          </p>
        )
      )}
    </>
  );
}

/** What was read last, until there is something newer: the table does not blink between two pages. */
function useLasting(body: TableRows | null, forget: boolean): TableRows | null {
  const last = useRef<TableRows | null>(null);
  const [, redraw] = useState(0);
  useEffect(() => {
    if (forget && last.current) {
      last.current = null;
      redraw((count) => count + 1);
    }
  }, [forget]);
  if (body) last.current = body;
  return forget ? null : last.current;
}

function captionOf(type: string, filter: string, matched: number): string {
  const count = layerState(type)?.layer.count ?? matched;
  return t(filter ? 'table.caption.filtered' : 'table.caption', {
    type: typeLabel(type),
    matched: numberText(matched),
    count: numberText(count),
  });
}

/** The row of the object that was chosen elsewhere comes into sight. */
function showChosen(id: string): void {
  if (!id) return;
  setTimeout(() => {
    document
      .querySelector(`.table [data-object="${CSS.escape(id)}"]`)
      ?.scrollIntoView({ block: 'nearest' });
  });
}

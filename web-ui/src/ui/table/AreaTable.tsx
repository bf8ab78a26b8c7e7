import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { readAreas, readItems, readQueryables } from '../../api/maps';
import type { AreaQuery } from '../../lib/address';
import { csvText } from '../../lib/csv';
import { numberText } from '../../lib/format';
import { compareTexts, language, t } from '../../lib/i18n';
import { attributeLabel, idEnd, typeLabel } from '../../lib/names';
import { columnsOf } from '../../lib/table';
import { choose } from '../../state/entity';
import { newsOf } from '../../state/news';
import { rowIds } from '../../state/table';
import { view } from '../../state/view';
import { Problem } from '../parts/Problem';
import { saveText } from '../parts/save';
import { useRead } from '../parts/useRead';
import { tableFile } from './Downloads';
import { Filter } from './Filter';
import { PastNote } from './PastNote';
import { Head } from './Rows';

/** More areas than this are not named one by one. */
const mostAreas = 5_000;

interface AreaRow {
  id: string;
  name: string;
  value: number | null;
  count: number;
}

const whatOf = ({ of, aggregate, attribute }: AreaQuery): string =>
  t(`table.aggregate.${aggregate}`, {
    type: typeLabel(of),
    attribute: attributeLabel(attribute),
  });

export const areasTitle = (query: AreaQuery): string =>
  t('table.areas', { areas: typeLabel(query.areas), what: whatOf(query) });

/** What the colours of areas stand for, as numbers. */
export function AreaTable({ chooser }: { chooser: ComponentChildren }) {
  const query = view.value.areas;
  if (!query) {
    return (
      <>
        <div class="table-head">{chooser}</div>
        <p class="quiet">{t('table.areas.none')}</p>
      </>
    );
  }
  return <Areas query={query} chooser={chooser} />;
}

function Areas({ query, chooser }: { query: AreaQuery; chooser: ComponentChildren }) {
  const { sort } = view.value.table;
  const filter = view.value.filters[query.of] ?? '';
  const read = useRead(
    JSON.stringify([query, filter]),
    async (stop) => (await readAreas(query, filter, stop)).body,
    newsOf(query.of) + newsOf(query.areas),
  );
  const lang = language.value;
  const names = useRead(JSON.stringify(['names', query.areas, lang]), async (stop) => {
    const asked = { filter: '', properties: ['name'], lang };
    const { features } = await readItems(query.areas, asked, mostAreas, stop);
    return new Map(
      features.map(({ id, properties }) => [String(id), String(properties?.name ?? '')]),
    );
  });
  const measured = useRead(query.attribute && `columns ${query.of}`, () =>
    readQueryables(query.of),
  );
  const unit =
    columnsOf(measured.body ?? {}).find(({ name }) => name === query.attribute)?.unit ?? '';
  const wrongFilter = filter && read.error?.status === 400 ? read.error.message : '';
  const rows = sorted(
    (read.body?.areas ?? []).map((each) => ({
      ...each,
      name: names.body?.get(each.id) || idEnd(each.id),
    })),
    sort,
  );
  const ids = rows.map(({ id }) => id).join(' ');
  useEffect(() => {
    rowIds.value = rows.map(({ id }) => id);
    return () => {
      rowIds.value = [];
    };
  }, [ids]);

  const title = areasTitle(query);
  const counts = query.aggregate === 'count';
  return (
    <>
      <div class="table-head">
        {chooser}
        {read.body && (
          <div class="table-files" role="group" aria-label={t('table.download')}>
            <span class="quiet small" aria-hidden="true">
              {t('table.download')}
            </span>
            <button type="button" class="button" onClick={() => save(query, title, rows)}>
              CSV
            </button>
          </div>
        )}
      </div>
      <Filter type={query.of} wrong={wrongFilter} />
      <PastNote />
      {read.error && !wrongFilter ? (
        <Problem title={t('table.failed')} error={read.error} retry={read.retry} />
      ) : read.body ? (
        <div class="table-box" role="region" tabIndex={0} aria-label={title}>
          <table class="table">
            <caption>{title}</caption>
            <thead>
              <tr>
                <Head name="name" label={t('table.area')} />
                {!counts && <Head name="value" label={whatOf(query)} kind="number" unit={unit} />}
                <Head name="count" label={t('table.count')} kind="number" />
              </tr>
            </thead>
            <tbody>
              {rows.map(({ id, name, value, count }) => (
                <tr key={id} class={view.value.id === id ? 'chosen' : undefined}>
                  <th scope="row">
                    <button
                      type="button"
                      class="row-name"
                      data-object={id}
                      title={id}
                      onClick={() => choose(id, { fly: true })}
                    >
                      <bdi>{name}</bdi>
                    </button>
                  </th>
                  {!counts && (
                    <td class="of-numbers">{value === null ? '–' : numberText(value)}</td>
                  )}
                  <td class="of-numbers">{numberText(count)}</td>
                </tr>
              ))}
            </tbody>
            <tfoot>
              <tr>
                <th scope="row">{t('table.outside')}</th>
                {!counts && <td />}
                <td class="of-numbers">{numberText(read.body.outside)}</td>
              </tr>
              {read.body.noPlace > 0 && (
                <tr>
                  <th scope="row">{t('table.noPlace')}</th>
                  {!counts && <td />}
                  <td class="of-numbers">{numberText(read.body.noPlace)}</td>
                </tr>
              )}
            </tfoot>
          </table>
        </div>
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

/** Areas without a value come last, whichever way the others go. */
function sorted(rows: AreaRow[], sort: string): AreaRow[] {
  const name = sort.replace(/^-/, '');
  const turn = sort.startsWith('-') ? -1 : 1;
  return rows.sort((a, b) => {
    if (name === 'name') return turn * compareTexts(a.name, b.name);
    if (name !== 'value' && name !== 'count') return a.id < b.id ? -1 : 1;
    const [left, right] = [a[name], b[name]];
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    return turn * (left - right);
  });
}

/** The node has no file of these: what is on the page is all there is. */
function save(query: AreaQuery, title: string, rows: AreaRow[]): void {
  const text = csvText(
    [
      'id',
      'name',
      query.aggregate === 'count' ? 'count' : `${query.aggregate}.${query.attribute}`,
      'objects',
    ],
    rows.map(({ id, name, value, count }) => [id, name, value, count]),
  );
  saveText(tableFile(title, 'csv'), text, 'text/csv');
}

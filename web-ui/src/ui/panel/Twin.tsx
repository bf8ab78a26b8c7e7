import { useState } from 'preact/hooks';
import { csvText } from '../../lib/csv';
import { timeText } from '../../lib/format';
import { stateText } from '../../lib/history';
import { plural, t } from '../../lib/i18n';
import type { Past } from '../../state/histories';
import { periodText, titleOf, valueText } from './words';

/** The newest times only: the file has them all. */
const mostRows = 100;

/** What the charts draw as a table, for whoever cannot see them, and as a file. */
export function Twin({ id, pasts }: { id: string; pasts: Past[] }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="sub twin" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{t('history.table')}</summary>
      {open && (
        <>
          <p>
            <button type="button" class="button" onClick={() => save(id, pasts)}>
              {t('history.csv')}
            </button>
          </p>
          <Table pasts={pasts} />
        </>
      )}
    </details>
  );
}

function Table({ pasts }: { pasts: Past[] }) {
  const columns = pasts.map((past) => ({ past, at: byTime(past) }));
  const times = [...new Set(columns.flatMap(({ at }) => [...at.keys()]))].sort((a, b) => b - a);
  return (
    <>
      <div class="scrolled" tabIndex={0} role="region" aria-label={t('history.table')}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t('history.time')}</th>
              {pasts.map((past) => (
                <th key={past.key} scope="col">
                  <bdi>{titleOf(past)}</bdi>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {times.slice(0, mostRows).map((time) => (
              <tr key={time}>
                <th scope="row">{timeText(time)}</th>
                {columns.map(({ past, at }) => (
                  <td key={past.key} class="number">
                    {at.get(time)?.() ?? '–'}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {times.length > mostRows && (
        <p class="quiet small">{plural('history.moreRows', times.length - mostRows)}</p>
      )}
    </>
  );
}

/** What stands in a column of the table, by time; put into words only where it is shown. */
function byTime({ kind, points, periods, unitCode }: Past): Map<number, () => string> {
  return kind === 'bands'
    ? new Map(periods.map((period) => [period.time, () => periodText(period, unitCode)]))
    : new Map(points.map((point) => [point.time, () => valueText(point, unitCode)]));
}

const header = [
  'entity',
  'attribute',
  'datasetId',
  'unitCode',
  'from',
  'to',
  'value',
  'min',
  'max',
];

/** One line a value, or a period with its mean: plain names and numbers, for programs. */
export function csvOf(id: string, pasts: readonly Past[]): string {
  const iso = (time: number): string => new Date(time).toISOString();
  const rows = pasts.flatMap(({ name, datasetId, unitCode = '', kind, points, periods }) => {
    const head = [id, name, datasetId, unitCode];
    if (kind === 'bands') {
      return periods.map(({ time, until, mean, min, max }) => [
        ...head,
        iso(time),
        iso(until),
        mean,
        min,
        max,
      ]);
    }
    return points.map(({ time, value }) => [
      ...head,
      iso(time),
      iso(time),
      typeof value === 'number' ? value : stateText(value),
      null,
      null,
    ]);
  });
  return csvText(header, rows);
}

function save(id: string, pasts: readonly Past[]): void {
  const address = URL.createObjectURL(new Blob([csvOf(id, pasts)], { type: 'text/csv' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = `${id.replace(/[^\w.-]+/g, '_').slice(-80)}.csv`;
  link.click();
  // The browser takes the file at its leisure.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

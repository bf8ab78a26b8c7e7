import { useEffect, useState } from 'preact/hooks';
import { ApiError } from '../../api/http';
import { readHistory } from '../../api/ngsi';
import { chartable, type Row } from '../../lib/entity';
import { numberText, quantity, timeText, timeZone } from '../../lib/format';
import { pointsOf, type Series, seriesOf, stateText } from '../../lib/history';
import { t } from '../../lib/i18n';
import { attributeLabel, shortId } from '../../lib/names';
import { Chart } from './Chart';
import { wordOf } from '../parts/Value';

const lengths = [100, 500, 2_000];
const tableRows = 50;

interface Properties {
  rows: Row[];
  id: string;
  changed: Set<string>;
  revision: number;
}

interface Read {
  key: string;
  series: Series;
  /** The values carry no observation time: their times are those of writing. */
  written: boolean;
  failed: boolean;
}

/** The past of one attribute: a chart, a sentence, and a table for whoever cannot see a chart. */
export function History({ rows, id, changed, revision }: Properties) {
  const choices = chartable(rows);
  const [wanted, setWanted] = useState('');
  const [lastN, setLastN] = useState(500);
  const [read, setRead] = useState<Read | null>(null);
  const row = choices.find(({ key }) => key === wanted) ?? choices[0];
  const key = row ? `${id} ${row.key} ${lastN}` : '';
  // A change of another attribute is no reason to read this one's past again.
  const news = row && changed.has(row.key) ? revision : 0;

  // `key` and `news` say when to read.
  useEffect(() => {
    if (!row) return;
    const stop = new AbortController();
    readSeries(id, row, lastN, stop.signal)
      .then((answer) => setRead({ key, failed: false, ...answer }))
      .catch(() => {
        if (!stop.signal.aborted) {
          setRead({ key, series: { kind: 'empty' }, written: false, failed: true });
        }
      });
    return () => stop.abort();
  }, [key, news]);

  return (
    <section class="section history" aria-labelledby="history-title">
      <h3 id="history-title">{t('history.title')}</h3>
      {row ? (
        <>
          <div class="find-row">
            <select
              class="select"
              aria-label={t('history.of')}
              value={row.key}
              onChange={(event) => setWanted(event.currentTarget.value)}
            >
              {choices.map((choice) => (
                <option key={choice.key} value={choice.key}>
                  {attributeLabel(choice.name)}
                  {choice.datasetId && ` (${shortId(choice.datasetId)})`}
                </option>
              ))}
            </select>
            <select
              class="select narrow"
              aria-label={t('history.length')}
              value={lastN}
              onChange={(event) => setLastN(Number(event.currentTarget.value))}
            >
              {lengths.map((length) => (
                <option key={length} value={length}>
                  {t('history.values', { count: numberText(length) })}
                </option>
              ))}
            </select>
          </div>
          <Past read={read?.key === key ? read : null} row={row} />
        </>
      ) : (
        <p class="quiet">{t('history.none')}</p>
      )}
    </section>
  );
}

async function readSeries(
  id: string,
  row: Row,
  lastN: number,
  signal: AbortSignal,
): Promise<{ series: Series; written: boolean }> {
  for (const timeproperty of ['observedAt', 'modifiedAt'] as const) {
    try {
      const request = { id, attribute: row.name, lastN, timeproperty };
      const { body } = await readHistory(request, signal);
      const series = seriesOf(pointsOf(body, row.name, row.datasetId));
      if (series.kind !== 'empty') return { series, written: timeproperty === 'modifiedAt' };
    } catch (error) {
      // The node may answer "nothing in that time" as a missing resource.
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
    }
  }
  return { series: { kind: 'empty' }, written: false };
}

function Past({ read, row }: { read: Read | null; row: Row }) {
  if (!read) {
    return (
      <p class="quiet chart-space" role="status">
        {t('loading.history')}
      </p>
    );
  }
  if (read.failed) return <p role="alert">{t('error.history')}</p>;
  const { series } = read;
  if (series.kind === 'empty') return <p class="quiet">{t('history.empty')}</p>;
  return (
    <>
      <Chart series={series} label={attributeLabel(row.name)} unitCode={row.unitCode} />
      <p class="small quiet">{summaryOf(series, row.unitCode)}</p>
      <p class="small quiet">
        {t('history.zone', { zone: timeZone.value })} {read.written && t('history.modified')}
      </p>
      <details class="sub">
        <summary>{t('history.table')}</summary>
        <table>
          <thead>
            <tr>
              <th scope="col">{t('history.time')}</th>
              <th scope="col">{t('history.value')}</th>
            </tr>
          </thead>
          <tbody>
            {series.points
              .slice(-tableRows)
              .reverse()
              .map(({ time, value }, index) => (
                // Two values may carry the same time: the place in the list tells them apart.
                <tr key={`${time} ${index}`}>
                  <td>{timeText(time)}</td>
                  <td class="number">{valueText(value, row.unitCode)}</td>
                </tr>
              ))}
          </tbody>
        </table>
      </details>
    </>
  );
}

function valueText(value: Parameters<typeof stateText>[0], unitCode?: string): string {
  return typeof value === 'number' ? quantity(value, unitCode) : wordOf(stateText(value));
}

function summaryOf(series: Exclude<Series, { kind: 'empty' }>, unitCode?: string): string {
  const { points } = series;
  const last = points.at(-1);
  const common = {
    count: numberText(points.length),
    from: timeText(points[0]?.time ?? 0, 'short'),
    to: timeText(last?.time ?? 0, 'short'),
    latest: valueText(last?.value ?? null, unitCode),
  };
  if (series.kind === 'states') return t('history.states', common);
  return t('history.summary', {
    ...common,
    min: quantity(series.min, unitCode),
    max: quantity(series.max, unitCode),
  });
}

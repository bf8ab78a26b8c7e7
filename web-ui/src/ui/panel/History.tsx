import { signal } from '@preact/signals';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { chartable, codeOf, type Row } from '../../lib/entity';
import { numberText, timeText } from '../../lib/format';
import { plural, t } from '../../lib/i18n';
import { attributeLabel, shortId } from '../../lib/names';
import { nodeNow } from '../../lib/nodetime';
import { type Depth, shifted, type Timeframe, timeframeOf, zoomed } from '../../lib/timeframe';
import { span } from '../../state/span';
import { readPasts } from '../../state/histories';
import { go, view } from '../../state/view';
import { Problem } from '../parts/Problem';
import { useRead } from '../parts/useRead';
import { Charts } from './Charts';
import './history.css';
import { mostLines, Swatch } from './Swatch';

interface Properties {
  rows: Row[];
  id: string;
  changed: Set<string>;
  revision: number;
  /** The past instant that is shown; "" is now. */
  at: string;
}

/** What the reader wants to see of the present: it holds from object to object. */
const depthChosen = signal<Depth>({ values: 500 });

type Zoom = { from: number; to: number };

/** The past of the chosen attributes: charts, statistics, and a table for whoever cannot see a chart. */
export function History({ rows, id, changed, revision, at }: Properties) {
  const choices = chartable(rows);
  const chosen = chosenOf(choices, view.value.chart);
  const depth = depthChosen.value;
  const [zoom, setZoom] = useState<Zoom | null>(null);
  const shown = span.value;
  const timeKey = JSON.stringify([shown, depth]);
  // What "now" is stands still until something else is asked for: or every drawing would be another time.
  const whole = useMemo(() => timeframeOf(shown, depth, nodeNow()), [id, timeKey]);
  useEffect(() => setZoom(null), [id, timeKey]);
  const frame: Timeframe = zoom ?? whole;
  const key = [id, ...chosen.map((row) => row.key), JSON.stringify(frame)].join('\n');
  // A change of another attribute, or one that is replayed, is no reason to read the past again.
  const news = !at && chosen.some((row) => changed.has(row.key)) ? revision : 0;
  const read = useRead(
    chosen.length ? key : '',
    (stop) => readPasts(id, chosen, frame, stop),
    news,
  );
  const pasts = (read.body ?? []).flatMap((each) => ('past' in each ? [each.past] : []));
  const failed = (read.body ?? []).flatMap((each) => ('error' in each ? [each] : []));

  return (
    <section class="section history" aria-labelledby="history-title">
      <h3 id="history-title">{t('history.title')}</h3>
      {!chosen.length && (
        <p class="quiet">{t(choices.length ? 'history.choose' : 'history.none')}</p>
      )}
      {(choices.length > 1 || (choices.length > 0 && !chosen.length)) && (
        <Choices choices={choices} chosen={chosen} />
      )}
      {chosen.length > 0 && (
        <>
          {!shown && <DepthChoice />}
          {read.phase === 'loading' && (
            <p class="quiet chart-space" role="status">
              {t('loading.history')}
            </p>
          )}
          {read.error && (
            <Problem title={t('error.history')} error={read.error} retry={read.retry} />
          )}
          {failed.map(({ row, error }) => (
            <Problem
              key={row.key}
              title={t('history.failed', { attribute: attributeLabel(row.name) })}
              error={error}
              retry={read.retry}
            />
          ))}
          {read.phase === 'ready' && (
            <Charts
              id={id}
              pasts={pasts}
              order={chosen.map((row) => row.key)}
              frame={frame}
              at={at}
              onZoom={setZoom}
            >
              <ZoomButtons pasts={pasts} frame={frame} zoom={zoom} onZoom={setZoom} />
            </Charts>
          )}
        </>
      )}
    </section>
  );
}

/**
 * What the address names, as far as this object has it; else the first that is observed: one number that was
 * written once makes no picture.
 */
function chosenOf(choices: readonly Row[], wanted: readonly string[]): Row[] {
  const named = wanted.flatMap((code) => choices.find((row) => codeOf(row) === code) ?? []);
  return named.length
    ? named.slice(0, mostLines)
    : choices.filter(({ observedAt }) => observedAt).slice(0, 1);
}

function Choices({ choices, chosen }: { choices: Row[]; chosen: Row[] }) {
  const full = chosen.length >= mostLines;
  const toggle = (row: Row): void => {
    const on = chosen.includes(row);
    const next = on ? chosen.filter((each) => each !== row) : [...chosen, row];
    // At least one is drawn: switching off the last does nothing.
    if (next.length) go({ chart: next.map(codeOf) }, false);
  };
  return (
    <fieldset class="chips">
      <legend class="unseen">{t('history.of')}</legend>
      {choices.map((row) => {
        const place = chosen.indexOf(row);
        const on = place >= 0;
        return (
          <label
            key={row.key}
            class="chip"
            data-chart={codeOf(row)}
            data-full={(full && !on) || undefined}
          >
            <input
              type="checkbox"
              checked={on}
              disabled={full && !on}
              onChange={(event) => {
                toggle(row);
                // The last one stays on, and its box must say so.
                event.currentTarget.checked = on ? chosen.length === 1 : true;
              }}
            />
            {on && <Swatch place={place} />}
            <bdi>{attributeLabel(row.name)}</bdi>
            {row.datasetId && <span class="quiet small">{shortId(row.datasetId)}</span>}
          </label>
        );
      })}
      {full && <p class="quiet small">{plural('history.full', mostLines)}</p>}
    </fieldset>
  );
}

const depths: Depth[] = [
  { values: 100 },
  { values: 500 },
  { values: 2_000 },
  { days: 1 },
  { days: 7 },
  { days: 30 },
  { days: 365 },
];

function DepthChoice() {
  const code = JSON.stringify;
  return (
    <label class="depth">
      <span class="quiet small">{t('history.length')}</span>
      <select
        class="select narrow"
        value={code(depthChosen.value)}
        onChange={(event) => {
          depthChosen.value = JSON.parse(event.currentTarget.value) as Depth;
        }}
      >
        {depths.map((each) => (
          <option key={code(each)} value={code(each)}>
            {'values' in each
              ? t('history.values', { count: numberText(each.values) })
              : plural('history.days', each.days)}
          </option>
        ))}
      </select>
    </label>
  );
}

interface ZoomProperties {
  pasts: { points: { time: number }[] }[];
  frame: Timeframe;
  zoom: Zoom | null;
  onZoom(zoom: Zoom | null): void;
}

/** What dragging on the chart does, for whoever cannot drag. */
function ZoomButtons({ pasts, frame, zoom, onZoom }: ZoomProperties) {
  const times = pasts.flatMap(({ points }) => [points[0]?.time, points.at(-1)?.time]);
  const known = times.filter((time) => time !== undefined);
  const now = {
    from: frame.from ?? Math.min(...known),
    to: frame.to ?? Math.max(...known),
  };
  if (!Number.isFinite(now.from) || !Number.isFinite(now.to) || now.from >= now.to) return null;
  return (
    <div class="zoom" role="group" aria-label={t('history.zoom')}>
      <button type="button" class="button" onClick={() => onZoom(shifted(now, -1))}>
        <span aria-hidden="true">‹</span>
        <span class="unseen">{t('history.earlier')}</span>
      </button>
      <button type="button" class="button" onClick={() => onZoom(zoomed(now, 2))}>
        <span aria-hidden="true">−</span>
        <span class="unseen">{t('history.zoomOut')}</span>
      </button>
      <button type="button" class="button" onClick={() => onZoom(zoomed(now, 0.5))}>
        <span aria-hidden="true">+</span>
        <span class="unseen">{t('history.zoomIn')}</span>
      </button>
      <button type="button" class="button" onClick={() => onZoom(shifted(now, 1))}>
        <span aria-hidden="true">›</span>
        <span class="unseen">{t('history.later')}</span>
      </button>
      {zoom && (
        <button type="button" class="button plain" onClick={() => onZoom(null)}>
          {t('history.whole')}
        </button>
      )}
      {zoom && (
        <p class="quiet small" role="status">
          {timeText(zoom.from, 'short')} – {timeText(zoom.to, 'short')}
        </p>
      )}
    </div>
  );
}

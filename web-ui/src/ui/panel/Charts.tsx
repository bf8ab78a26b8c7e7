import { type Signal, useSignal } from '@preact/signals';
import type { ComponentChildren, ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { numberText, quantity, timeText, timeZone } from '../../lib/format';
import { drawnEnd, pointAt } from '../../lib/history';
import { plural, t } from '../../lib/i18n';
import { lanesOf } from '../../lib/lanes';
import type { Timeframe } from '../../lib/timeframe';
import { mostPoints, type Past } from '../../state/histories';
import { Problem } from '../parts/Problem';
import type { LaneProperties } from './Lanes';
import { Numbers } from './Numbers';
import { Swatch } from './Swatch';
import { Twin } from './Twin';
import { periodText, titleOf, valueText } from './words';

interface Properties {
  id: string;
  pasts: Past[];
  /** The keys of what was chosen, in the order that decides colours. */
  order: string[];
  frame: Timeframe;
  at: string;
  onZoom(zoom: { from: number; to: number } | null): void;
  /** Stands right below the charts. */
  children: ComponentChildren;
}

/** Where the pointer is, milliseconds since 1970; null is nowhere. */
type Cursor = Signal<number | null>;
type LaneComponent = ComponentType<LaneProperties>;

/** The charts of several attributes: what shares a unit shares one, the others follow below. */
export function Charts({ id, pasts, order, frame, at, onZoom, children }: Properties) {
  // A signal: only the words that follow the pointer are written anew when it moves.
  const cursor = useSignal<number | null>(null);
  const { Lane, failed, retry } = useLane();
  const drawn = pasts.filter(({ kind }) => kind !== 'empty');
  const empty = pasts.filter(({ kind }) => kind === 'empty');
  const lanes = lanesOf(drawn);
  const place = ({ key }: Past): number => order.indexOf(key);
  const range = rangeOf(drawn, frame);
  const states = drawn.some(({ kind }) => kind === 'states');
  return (
    <>
      {empty.length > 0 && (
        <p class="quiet">
          {frame.from === undefined
            ? t('history.empty', { attributes: namesOf(empty) })
            : t('history.emptyTime', { attributes: namesOf(empty) })}
        </p>
      )}
      {failed && drawn.length > 0 && (
        <Problem title={t('history.noChart')} error={null} retry={retry} />
      )}
      {drawn.length > 0 && <CursorTime cursor={cursor} at={at} />}
      {lanes.map((lane, index) => (
        <figure key={lane.map(({ key }) => key).join('\n')} class="lane">
          <figcaption>
            <ul class="chart-legend">
              {lane.map((past) => (
                <Reading key={past.key} past={past} place={place(past)} cursor={cursor} at={at} />
              ))}
            </ul>
          </figcaption>
          {Lane && range ? (
            <Lane
              pasts={lane}
              places={lane.map(place)}
              range={range}
              axisSize={states ? 76 : 52}
              last={index === lanes.length - 1}
              label={lane.map((past) => `${titleOf(past)}: ${summaryOf(past)}`).join(' ')}
              mark={at ? Date.parse(at) / 1000 : null}
              onCursor={(time) => (cursor.value = time)}
              onZoom={(from, to) => onZoom({ from: Math.round(from), to: Math.round(to) })}
              onWhole={() => onZoom(null)}
            />
          ) : (
            <div class="chart-space" />
          )}
        </figure>
      ))}
      {children}
      {drawn.length > 0 && <Notes pasts={drawn} frame={frame} at={at} />}
      {drawn.length > 0 && <Numbers pasts={drawn} />}
      {drawn.length > 0 && <Twin id={id} pasts={drawn} />}
    </>
  );
}

/** The drawing code comes when a chart is first shown: the first sight of the city does not wait for it. */
function useLane(): { Lane: LaneComponent | null; failed: boolean; retry: () => void } {
  const [Lane, setLane] = useState<LaneComponent | null>(null);
  const [failed, setFailed] = useState(false);
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    let wanted = true;
    import('./Lanes')
      .then((loaded) => wanted && (setLane(() => loaded.Lane), setFailed(false)))
      .catch(() => wanted && setFailed(true));
    return () => void (wanted = false);
  }, [attempt]);
  return { Lane, failed, retry: () => setAttempt(attempt + 1) };
}

function CursorTime({ cursor, at }: { cursor: Cursor; at: string }) {
  const time = cursor.value;
  const words = at ? t('history.then') : t('history.newest');
  return <p class="quiet small">{time === null ? words : timeText(time)}</p>;
}

interface ReadingProperties {
  past: Past;
  place: number;
  cursor: Cursor;
  at: string;
}

/** One line's name and value: where the pointer is, or else at the time that is shown, or else the newest. */
function Reading({ past, place, cursor, at }: ReadingProperties) {
  const time = cursor.value ?? (at ? Date.parse(at) : null);
  return (
    <li data-chart={past.key.trim()}>
      <Swatch place={place} />
      <bdi>{titleOf(past)}</bdi> <span class="number strong">{readingOf(past, time)}</span>
    </li>
  );
}

function readingOf(past: Past, cursor: number | null): string {
  if (past.kind === 'bands' && cursor !== null) {
    const period = pointAt(past.periods, cursor);
    if (!period || period.until <= cursor) return '–';
    return periodText(period, past.unitCode);
  }
  const point = cursor === null ? past.points.at(-1) : pointAt(past.points, cursor);
  const silent = cursor !== null && past.gaps.some(({ from, to }) => from < cursor && cursor < to);
  return !point || (silent && point.time < (cursor ?? 0)) ? '–' : valueText(point, past.unitCode);
}

const namesOf = (pasts: readonly Past[]): string => pasts.map(titleOf).join(', ');

/** From when to when the charts reach, in seconds: the time that was asked for, or that of the values. */
function rangeOf(pasts: readonly Past[], frame: Timeframe): [number, number] | null {
  if (!pasts.length) return null;
  const starts = pasts.map(({ points }) => points[0]?.time ?? Number.POSITIVE_INFINITY);
  const from = frame.from ?? Math.min(...starts);
  const to = frame.to ?? drawnEnd(pasts).to;
  // One value alone still needs some time around it.
  const room = from < to ? 0 : 1_800_000;
  return [(from - room) / 1000, (to + room) / 1000];
}

function Notes({ pasts, frame, at }: { pasts: Past[]; frame: Timeframe; at: string }) {
  const [only] = pasts;
  const bands = pasts.filter(({ kind }) => kind === 'bands');
  const cut = pasts.filter(({ kind, cut }) => cut && kind !== 'bands');
  const silent = pasts.some(({ gaps }) => gaps.length > 0);
  const lasting = frame.to === undefined && drawnEnd(pasts).cut;
  return (
    <div class="quiet small notes">
      {pasts.length === 1 && only && <p>{summaryOf(only)}</p>}
      {bands.length > 0 && (
        <p>
          {t('history.bands', {
            attributes: namesOf(bands),
            most: numberText(mostPoints),
            period: durationText(bands[0]?.period ?? ''),
          })}
        </p>
      )}
      {cut.length > 0 && (
        <p>{t('history.cut', { attributes: namesOf(cut), most: numberText(mostPoints) })}</p>
      )}
      {silent && (
        <p>
          {t('history.silent')} {lasting && t('history.lasting')}
        </p>
      )}
      {at && <p>{t('history.mark', { time: timeText(at) })}</p>}
      <p>
        {t('history.zone', { zone: timeZone.value })}{' '}
        {pasts.some(({ written }) => written) &&
          t('history.modified', { attributes: namesOf(pasts.filter(({ written }) => written)) })}
      </p>
    </div>
  );
}

/** A duration such as PT15M or P7D in words. */
function durationText(iso: string): string {
  const [, days, hours, minutes] = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?$/.exec(iso) ?? [];
  if (days) return plural('history.perDays', Number(days));
  if (hours) return plural('history.perHours', Number(hours));
  return plural('history.perMinutes', Number(minutes ?? 1));
}

export function summaryOf(past: Past): string {
  const { points, statistics, unitCode } = past;
  const last = points.at(-1);
  const count = past.byNode ? (statistics?.count ?? 0) : points.length;
  const common = {
    from: timeText((past.periods[0] ?? points[0])?.time ?? 0, 'short'),
    to: timeText(last?.time ?? 0, 'short'),
    latest: valueText(last ?? { value: null }, unitCode),
  };
  if (past.kind === 'states' || !statistics) return plural('history.states', count, common);
  return plural('history.summary', count, {
    ...common,
    min: quantity(statistics.min ?? 0, unitCode),
    max: quantity(statistics.max ?? 0, unitCode),
  });
}

import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { numberText, quantity, timeText, timeZone } from '../../lib/format';
import { columnsOf, type Series } from '../../lib/history';
import { language, t } from '../../lib/i18n';
import { darkScheme } from '../../state/store';
import { wordOf } from '../parts/Value';

const height = 180;
/** More states than this have no room on an axis. */
const mostStates = 8;

interface Properties {
  series: Exclude<Series, { kind: 'empty' }>;
  label: string;
  unitCode: string | undefined;
}

export function Chart({ series, label, unitCode }: Properties) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const columns = columnsOf(series);
  const latest = useRef(columns);
  latest.current = columns;
  const states = series.kind === 'states' ? series.states.join('\n') : '';

  // The chart is made anew for another attribute, language or scheme; new values only move its line.
  // `states` stands for the words of the axis.
  useEffect(() => {
    const box = place.current;
    if (!box) return;
    const made = new uPlot(optionsOf(box, series, label, unitCode), latest.current, box);
    chart.current = made;
    const watch = new ResizeObserver(() => made.setSize({ width: box.clientWidth, height }));
    watch.observe(box);
    return () => {
      watch.disconnect();
      made.destroy();
      chart.current = null;
    };
  }, [label, unitCode, series.kind, states, language.value, darkScheme.value]);

  useEffect(() => chart.current?.setData(columns), [columns]);

  return (
    <div
      class="chart"
      ref={place}
      role="img"
      aria-label={t('history.chart', { attribute: label })}
    />
  );
}

function optionsOf(
  box: HTMLElement,
  series: Properties['series'],
  label: string,
  unitCode: string | undefined,
): uPlot.Options {
  const style = getComputedStyle(box);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--quiet'),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line'), width: 1 },
  };
  const words = series.kind === 'states' ? series.states.map(wordOf) : [];
  const told = (value: number | null): string => {
    if (value === null) return '–';
    return series.kind === 'states' ? (words[value] ?? '') : quantity(value, unitCode);
  };
  return {
    width: box.clientWidth,
    height,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), timeZone.value),
    cursor: { y: false, drag: { setScale: false } },
    // With no pointer on the chart its legend tells the newest value.
    hooks: { ready: [tellNewest], setData: [tellNewest], setCursor: [tellNewest] },
    legend: { live: true },
    scales:
      series.kind === 'states' ? { y: { range: [-0.5, Math.max(words.length, 1) - 0.5] } } : {},
    axes: [
      { ...axis, values: timeTicks, space: 70 },
      series.kind === 'states'
        ? {
            ...axis,
            size: 72,
            splits: () => (words.length > mostStates ? [] : words.map((_, index) => index)),
            values: (_, splits) => splits.map((at) => shorten(words[at] ?? '')),
          }
        : { ...axis, size: 52, values: (_, splits) => splits.map((at) => numberText(at)) },
    ],
    series: [
      {
        label: t('history.time'),
        value: (_, seconds) => (seconds ? timeText(seconds * 1000) : '–'),
      },
      {
        label,
        stroke: colour('--chart'),
        width: 1.8,
        points: { show: false },
        ...(series.kind === 'states' && uPlot.paths.stepped
          ? { paths: uPlot.paths.stepped({ align: 1 }) }
          : {}),
        value: (_, value) => told(value),
      },
    ],
  };
}

function tellNewest(chart: uPlot): void {
  const last = chart.data[0].length - 1;
  if (chart.cursor.idx == null && last >= 0) chart.setLegend({ idx: last }, false);
}

function shorten(text: string): string {
  return text.length > 11 ? `${text.slice(0, 10)}…` : text;
}

/** The ticks of the time axis: hours within a day, days beyond, by the reader's language. */
function timeTicks(
  _: uPlot,
  splits: number[],
  _axis: number,
  _space: number,
  step: number,
): string[] {
  const day = 86_400;
  const options: Intl.DateTimeFormatOptions =
    step >= 28 * day
      ? { year: 'numeric', month: 'short' }
      : step >= day
        ? { month: 'short', day: 'numeric' }
        : { hour: '2-digit', minute: '2-digit' };
  const format = new Intl.DateTimeFormat(language.value, { ...options, timeZone: timeZone.value });
  const date = new Intl.DateTimeFormat(language.value, {
    month: 'short',
    day: 'numeric',
    timeZone: timeZone.value,
  });
  let before = '';
  return splits.map((seconds) => {
    const time = new Date(seconds * 1000);
    const text = format.format(time);
    if (step >= day) return text;
    const on = date.format(time);
    const first = on !== before;
    before = on;
    return first ? `${text}\n${on}` : text;
  });
}

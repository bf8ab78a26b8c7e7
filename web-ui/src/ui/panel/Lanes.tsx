/** The charts of a history, one below the other, with one time axis. Loaded when a history is first drawn. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { bandColumns } from '../../lib/bands';
import { numberText, timeZone } from '../../lib/format';
import { type Columns, columnsOf, commonGaps, seriesOf } from '../../lib/history';
import { language } from '../../lib/i18n';
import type { Past } from '../../state/histories';
import { darkScheme } from '../../state/store';
import { wordOf } from '../parts/Value';
import { dashes } from './Swatch';
import { timeTicks } from './ticks';

const numbersHeight = 150;
const statesHeight = 64;
const stateHeight = 20;
/** Two lines: hours, and the day below the first of them. */
const timesHeight = 36;
/** More states than this have no room on an axis. */
const mostStates = 8;

export interface LaneProperties {
  pasts: Past[];
  /** The place of each in the order of what was chosen: it decides colour and dash. */
  places: number[];
  /** Seconds since 1970. */
  range: [from: number, to: number];
  /** Room for the words of the value axis, in pixels: the same in every lane, so that times lie below each other. */
  axisSize: number;
  /** The lowest lane tells the times. */
  last: boolean;
  label: string;
  /** The past instant that is shown, in seconds; null is now. */
  mark: number | null;
  /** Milliseconds since 1970, or null: the pointer has left. */
  onCursor(time: number | null): void;
  onZoom(from: number, to: number): void;
  onWhole(): void;
}

export function Lane(properties: LaneProperties) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const latest = useRef(properties);
  latest.current = properties;
  const { pasts, places, range, axisSize, last, label, mark } = properties;
  const shape = JSON.stringify([
    pasts.map((past) => [past.key, past.kind, past.written, past.unitCode, statesOf(past)]),
    places,
    axisSize,
    last,
  ]);

  // The chart is made anew for other attributes, another language or scheme; new values only move its lines.
  useEffect(() => {
    const box = place.current;
    if (!box) return;
    const made = new uPlot(optionsOf(box, latest), dataOf(latest.current.pasts), box);
    chart.current = made;
    const watch = new ResizeObserver(() =>
      made.setSize({ width: box.clientWidth, height: made.height }),
    );
    watch.observe(box);
    return () => {
      watch.disconnect();
      made.destroy();
      chart.current = null;
    };
  }, [shape, language.value, darkScheme.value]);

  useEffect(() => chart.current?.setData(dataOf(pasts)), [pasts, range[0], range[1]]);
  useEffect(() => chart.current?.redraw(false), [mark]);

  return <div class="chart" ref={place} role="img" aria-label={label} />;
}

function statesOf(past: Past): string[] {
  const series = seriesOf(past.points);
  return series.kind === 'states' ? series.states : [];
}

function dataOf(pasts: readonly Past[]): uPlot.AlignedData {
  const tables = pasts.map((past): Columns =>
    past.kind === 'bands'
      ? bandColumns(past.periods)
      : columnsOf(seriesOf(past.points), past.written),
  );
  return uPlot.join(tables as uPlot.AlignedData[]);
}

export function heightOf(pasts: readonly Past[], last: boolean): number {
  const words = pasts.flatMap(statesOf).length;
  const plot = words ? Math.min(numbersHeight, statesHeight + stateHeight * words) : numbersHeight;
  return last ? plot + timesHeight : plot;
}

type Latest = { current: LaneProperties };

function optionsOf(box: HTMLElement, latest: Latest): uPlot.Options {
  const { pasts, places, axisSize, last } = latest.current;
  const style = getComputedStyle(box);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--quiet'),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line'), width: 1, size: 4 },
  };
  const words = pasts.flatMap(statesOf).map(wordOf);
  return {
    width: box.clientWidth,
    height: heightOf(pasts, last),
    padding: [8, 8, 0, 0],
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), timeZone.value),
    legend: { show: false },
    cursor: {
      y: false,
      sync: { key: 'cityloom-history', setSeries: false },
      drag: { x: true, y: false, setScale: false },
      bind: { dblclick: () => () => (latest.current.onWhole(), null) },
    },
    hooks: {
      drawClear: [(chart) => drawSilence(chart, latest.current, colour('--quiet'))],
      draw: [(chart) => drawMark(chart, latest.current, colour('--ink'))],
      setCursor: [(chart) => tellCursor(chart, latest.current)],
      setSelect: [(chart) => takeZoom(chart, latest.current)],
    },
    scales: {
      x: { range: () => latest.current.range },
      ...(words.length
        ? { y: { range: [-0.5, Math.max(words.length, 1) - 0.5] as [number, number] } }
        : {}),
    },
    axes: [
      last
        ? { ...axis, values: timeTicks, space: 70, size: timesHeight }
        : { ...axis, values: (_, splits) => splits.map(() => ''), size: 6 },
      words.length
        ? {
            ...axis,
            size: axisSize,
            splits: () => (words.length > mostStates ? [] : words.map((_, index) => index)),
            values: (_, splits) => splits.map((at) => shorten(words[at] ?? '')),
          }
        : { ...axis, size: axisSize, values: (_, splits) => splits.map((at) => numberText(at)) },
    ],
    series: [{}, ...pasts.flatMap((past, index) => seriesFor(past, places[index] ?? 0, colour))],
    bands: bandsOf(pasts, places, colour),
  };
}

function seriesFor(past: Past, place: number, colour: (name: string) => string): uPlot.Series[] {
  const stroke = colour(`--series-${place + 1}`);
  const dash = dashes[place] ?? [];
  const held = past.kind === 'states' || past.written;
  const line: uPlot.Series = {
    stroke,
    width: 1.8,
    ...(dash.length ? { dash } : {}),
    // One value alone makes no line: it is a dot.
    points: { show: past.points.length <= 60, size: 5, fill: stroke, stroke },
    ...(held && uPlot.paths.stepped ? { paths: uPlot.paths.stepped({ align: 1 }) } : {}),
  };
  if (past.kind !== 'bands') return [line];
  const edge: uPlot.Series = { width: 0, points: { show: false } };
  return [{ ...line, points: { show: false } }, edge, edge];
}

/** The room between the lowest and the highest of each period. */
function bandsOf(
  pasts: readonly Past[],
  places: readonly number[],
  colour: (name: string) => string,
): uPlot.Band[] {
  const bands: uPlot.Band[] = [];
  let at = 1;
  pasts.forEach(({ kind }, index) => {
    if (kind === 'bands') {
      const fill = `${colour(`--series-${(places[index] ?? 0) + 1}`)}40`;
      bands.push({ series: [at + 2, at + 1], fill });
    }
    at += kind === 'bands' ? 3 : 1;
  });
  return bands;
}

/** The times at which nothing came: hatched, so that colour is not alone. */
function drawSilence(chart: uPlot, { pasts }: LaneProperties, colour: string): void {
  const { ctx, bbox } = chart;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = scale;
  for (const { from, to } of commonGaps(pasts.map(({ gaps }) => gaps))) {
    const left = Math.max(bbox.left, chart.valToPos(from / 1000, 'x', true));
    const right = Math.min(bbox.left + bbox.width, chart.valToPos(to / 1000, 'x', true));
    if (right - left < scale) continue;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, bbox.top, right - left, bbox.height);
    ctx.clip();
    ctx.globalAlpha = 0.08;
    ctx.fillStyle = colour;
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
    ctx.globalAlpha = 0.3;
    ctx.beginPath();
    for (let x = left - bbox.height; x < right; x += 7 * scale) {
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, bbox.top);
    }
    ctx.stroke();
    ctx.restore();
  }
  ctx.restore();
}

/** The past instant that the whole page shows. */
function drawMark(chart: uPlot, { mark, range }: LaneProperties, colour: string): void {
  if (mark === null || mark < range[0] || mark > range[1]) return;
  const { ctx, bbox } = chart;
  const scale = devicePixelRatio;
  const x = Math.round(chart.valToPos(mark, 'x', true)) + 0.5;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.fillStyle = colour;
  ctx.lineWidth = 1.5 * scale;
  ctx.setLineDash([4 * scale, 3 * scale]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.beginPath();
  ctx.moveTo(x - 5 * scale, bbox.top - 6 * scale);
  ctx.lineTo(x + 5 * scale, bbox.top - 6 * scale);
  ctx.lineTo(x, bbox.top + 2 * scale);
  ctx.fill();
  ctx.restore();
}

function tellCursor(chart: uPlot, { onCursor }: LaneProperties): void {
  const { left } = chart.cursor;
  onCursor(left === undefined || left < 0 ? null : chart.posToVal(left, 'x') * 1000);
}

/** A drag narrower than this was a click. */
const leastDrag = 8;

function takeZoom(chart: uPlot, { onZoom }: LaneProperties): void {
  const { left, width } = chart.select;
  if (width < leastDrag) return;
  chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  onZoom(chart.posToVal(left, 'x') * 1000, chart.posToVal(left + width, 'x') * 1000);
}

function shorten(text: string): string {
  return text.length > 11 ? `${text.slice(0, 10)}…` : text;
}

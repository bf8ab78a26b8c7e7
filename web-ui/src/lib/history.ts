/** The history of one attribute, made ready for a chart. */
import type { Json, NormalizedEntity } from '../api/ngsi';

export interface Point {
  /** Milliseconds since 1970. */
  time: number;
  value: Json;
}

export type Series =
  | { kind: 'empty' }
  | { kind: 'numbers'; points: Point[]; min: number; max: number }
  | { kind: 'states'; points: Point[]; states: string[] };

/**
 * The instances of one attribute in the simplified temporal form, oldest first.
 *
 * Source: ETSI GS CIM 009 clause 4.5.9 (pairs of value and time, a member per attribute kind).
 */
export function pointsOf(document: NormalizedEntity, attribute: string, datasetId = ''): Point[] {
  const member = document[attribute];
  const instances = Array.isArray(member) ? member : [member];
  const points: Point[] = [];
  for (const instance of instances) {
    if (typeof instance !== 'object' || instance === null || Array.isArray(instance)) continue;
    if ((instance.datasetId ?? '') !== datasetId) continue;
    const pairs = instance.values ?? instance.vocabs;
    if (!Array.isArray(pairs)) continue;
    for (const pair of pairs) {
      if (!Array.isArray(pair) || typeof pair[1] !== 'string') continue;
      const time = Date.parse(pair[1]);
      if (!Number.isNaN(time)) points.push({ time, value: pair[0] ?? null });
    }
  }
  return points.sort((a, b) => a.time - b.time);
}

/** What kind of chart the points make. */
export function seriesOf(points: Point[]): Series {
  if (!points.length) return { kind: 'empty' };
  const numbers = points.flatMap(({ value }) => (typeof value === 'number' ? [value] : []));
  if (numbers.length * 2 >= points.length) {
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    for (const number of numbers) {
      min = Math.min(min, number);
      max = Math.max(max, number);
    }
    return { kind: 'numbers', points, min, max };
  }
  const states = [...new Set(points.map(({ value }) => stateText(value)))];
  return { kind: 'states', points, states };
}

export function stateText(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A time without values, from the last one before it to the first one after it. */
export interface Gap {
  from: number;
  to: number;
}

/** A silence begins where nothing came for this many times the usual step. */
const silentSteps = 4;

/** The usual time between two values (the median), in milliseconds; 0 where it cannot be told. */
export function usualStep(points: readonly { time: number }[]): number {
  const steps: number[] = [];
  for (let i = 1; i < points.length; i++) {
    const step = (points[i]?.time ?? 0) - (points[i - 1]?.time ?? 0);
    // Two values of one time (a source that repeats itself) say nothing about its rhythm.
    if (step > 0) steps.push(step);
  }
  steps.sort((a, b) => a - b);
  return steps[Math.floor((steps.length - 1) / 2)] ?? 0;
}

/**
 * Where nothing came for four times as long as usual.
 *
 * @param points in the order of time
 * @param from where the time that was looked at begins, where it is known: a silence may stand at its beginning
 * @param to its end, or now
 */
export function gapsOf(points: readonly { time: number }[], from?: number, to?: number): Gap[] {
  const usual = usualStep(points);
  if (!usual) return [];
  const times = points.map(({ time }) => time);
  if (from !== undefined) times.unshift(Math.min(from, times[0] ?? from));
  if (to !== undefined) times.push(Math.max(to, times.at(-1) ?? to));
  const gaps: Gap[] = [];
  for (let i = 1; i < times.length; i++) {
    const gap = { from: times[i - 1] ?? 0, to: times[i] ?? 0 };
    if (gap.to - gap.from > silentSteps * usual) gaps.push(gap);
  }
  return gaps;
}

/** A silence that still lasts may be so many times as long in the drawing as the time that has values. */
const drawnSilence = 3;

/**
 * Where a drawing of some series ends that no time was asked for: their silence is drawn up to its end, but
 * not so long that the values have no room beside it.
 */
export function drawnEnd(
  series: readonly { points: readonly { time: number }[]; gaps: readonly Gap[] }[],
): { to: number; cut: boolean } {
  const first = Math.min(...series.map(({ points }) => points[0]?.time ?? Infinity));
  const last = Math.max(...series.map(({ points }) => points.at(-1)?.time ?? -Infinity));
  const end = Math.max(last, ...series.map(({ gaps }) => gaps.at(-1)?.to ?? -Infinity));
  const room = last + (last - first) * drawnSilence;
  return { to: Math.min(end, room), cut: end > room };
}

/** The times at which every one of several series was silent. */
export function commonGaps(lists: readonly Gap[][]): Gap[] {
  const [first = [], ...others] = lists;
  return others.reduce(
    (common, gaps) =>
      common.flatMap((a) =>
        gaps
          .map((b) => ({ from: Math.max(a.from, b.from), to: Math.min(a.to, b.to) }))
          .filter(({ from, to }) => from < to),
      ),
    first,
  );
}

/** Times in seconds since 1970, and one or more columns of values; null is a break in the line. */
export type Columns = [times: number[], ...values: (number | null)[][]];

/**
 * The columns a chart draws.
 *
 * A line is broken (by a null) where nothing came for four times as long as usual: a silent sensor must
 * not look like a steady one.
 */
export function columnsOf(series: Series, steady = false): Columns {
  if (series.kind === 'empty') return [[], []];
  const usual = steady ? 0 : usualStep(series.points);
  const times: number[] = [];
  const values: (number | null)[] = [];
  let before: number | undefined;
  for (const { time, value } of series.points) {
    // Times grow, or a chart cannot find its place in them: of one time the last value is drawn.
    if (time === before) {
      times.pop();
      values.pop();
    }
    const silent = before !== undefined && usual > 0 && time - before > silentSteps * usual;
    if (silent && before !== undefined && series.kind === 'numbers') {
      times.push((before + usual) / 1000);
      values.push(null);
    }
    times.push(time / 1000);
    if (series.kind === 'numbers') values.push(typeof value === 'number' ? value : null);
    else values.push(series.states.indexOf(stateText(value)));
    before = time;
  }
  return [times, values];
}

/** What held at a time: the last point at or before it. */
export function pointAt<P extends { time: number }>(
  points: readonly P[],
  time: number,
): P | undefined {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((points[middle]?.time ?? 0) <= time) low = middle + 1;
    else high = middle;
  }
  return points[low - 1];
}

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

export type Columns = [times: number[], values: (number | null)[]];

/**
 * The columns a chart draws: seconds since 1970 and values.
 *
 * A line is broken (by a null) where nothing came for four times as long as usual: a silent sensor must
 * not look like a steady one.
 */
export function columnsOf(series: Series): Columns {
  if (series.kind === 'empty') return [[], []];
  const usual = medianStep(series.points);
  const times: number[] = [];
  const values: (number | null)[] = [];
  let before: number | undefined;
  for (const { time, value } of series.points) {
    const silent = before !== undefined && usual > 0 && time - before > 4 * usual;
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

function medianStep(points: Point[]): number {
  const steps: number[] = [];
  for (let i = 1; i < points.length; i++) {
    steps.push((points[i]?.time ?? 0) - (points[i - 1]?.time ?? 0));
  }
  steps.sort((a, b) => a - b);
  return steps[Math.floor(steps.length / 2)] ?? 0;
}

/** What a series amounts to, in a few numbers. */
import { type Gap, type Point, usualStep } from './history';

export interface Statistics {
  /** Values that are numbers. */
  count: number;
  min: number | null;
  mean: number | null;
  max: number | null;
  /** Of the population, as the node computes it; 0 for one value. */
  deviation: number | null;
  /** How often nothing came for long, and for how many milliseconds in all. */
  gaps: number;
  silent: number;
  /** Values that should have come within the gaps, by the usual step; null: not known. */
  missing: number | null;
  /** Values that came again for a time that had one; null: not known. */
  repeats: number | null;
}

/** The statistics of the points of one series, in the order of time, and of the gaps between them. */
export function statisticsOf(points: readonly Point[], gaps: readonly Gap[]): Statistics {
  const numbers = points.flatMap(({ value }) => (typeof value === 'number' ? [value] : []));
  const mean = numbers.length ? sum(numbers) / numbers.length : null;
  const squares = numbers.map((value) => (value - (mean ?? 0)) ** 2);
  return {
    count: numbers.length,
    min: numbers.length ? numbers.reduce((a, b) => Math.min(a, b)) : null,
    mean,
    max: numbers.length ? numbers.reduce((a, b) => Math.max(a, b)) : null,
    deviation: numbers.length ? Math.sqrt(sum(squares) / numbers.length) : null,
    ...silenceOf(gaps),
    missing: missingIn(gaps, usualStep(points)),
    repeats: points.filter(({ time }, index) => time === points[index - 1]?.time).length,
  };
}

export function silenceOf(gaps: readonly Gap[]): { gaps: number; silent: number } {
  return { gaps: gaps.length, silent: sum(gaps.map(({ from, to }) => to - from)) };
}

function missingIn(gaps: readonly Gap[], usual: number): number {
  if (!usual) return 0;
  return sum(gaps.map(({ from, to }) => Math.max(0, Math.round((to - from) / usual) - 1)));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

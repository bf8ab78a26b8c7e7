/**
 * More values than a screen has pixels: the lowest, the mean and the highest of each period.
 *
 * Source: ETSI GS CIM 009 clause 4.5.19 (aggregated temporal representation).
 */
import type { Json, NormalizedEntity } from '../api/ngsi';
import { type Columns, type Gap, gapsOf, usualStep } from './history';
import { silenceOf, type Statistics } from './statistics';

/** What one period of a series amounts to. */
export interface Period {
  /** Where it begins and ends, milliseconds since 1970. */
  time: number;
  until: number;
  mean: number;
  min: number;
  max: number;
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const durations: [iso: string, length: number][] = [
  ['PT1M', minute],
  ['PT5M', 5 * minute],
  ['PT10M', 10 * minute],
  ['PT15M', 15 * minute],
  ['PT30M', 30 * minute],
  ['PT1H', hour],
  ['PT2H', 2 * hour],
  ['PT3H', 3 * hour],
  ['PT6H', 6 * hour],
  ['PT12H', 12 * hour],
  ['P1D', day],
  ['P7D', 7 * day],
  ['P30D', 30 * day],
  ['P365D', 365 * day],
];
/** More periods than this have no room side by side. */
const mostPeriods = 400;

/** The shortest usual duration (ISO 8601) that cuts a time (milliseconds) into few enough periods. */
export function periodFor(length: number): { iso: string; length: number } {
  const [iso, size] =
    durations.find(([, size]) => length / size <= mostPeriods) ??
    (durations.at(-1) as [string, number]);
  return { iso, length: size };
}

/** The periods of one attribute, in the order of time; those without a value are not there. */
export function periodsOf(document: NormalizedEntity, attribute: string, datasetId = ''): Period[] {
  const found = instanceOf(document, attribute, datasetId);
  const lows = byStart(found.min);
  const highs = byStart(found.max);
  return triples(found.avg)
    .flatMap(([mean, time, until]) => {
      const min = lows.get(time);
      const max = highs.get(time);
      return min === undefined || max === undefined ? [] : [{ time, until, mean, min, max }];
    })
    .sort((a, b) => a.time - b.time);
}

/** What the node computed over the whole of a time: one period; null where it had nothing. */
export function statisticsFrom(
  whole: NormalizedEntity,
  withoutRepeats: NormalizedEntity,
  attribute: string,
  datasetId: string,
  gaps: readonly Gap[],
): Statistics | null {
  const found = instanceOf(whole, attribute, datasetId);
  const one = (member: Json | undefined): number | null => triples(member)[0]?.[0] ?? null;
  const count = one(found.totalCount);
  if (count === null) return null;
  const first = one(instanceOf(withoutRepeats, attribute, datasetId).totalCount);
  return {
    count,
    min: one(found.min),
    mean: one(found.avg),
    max: one(found.max),
    deviation: one(found.stddev),
    ...silenceOf(gaps),
    missing: null,
    repeats: first === null ? null : count - first,
  };
}

/** The columns a chart draws: the middle of each period, and its mean, lowest and highest value. */
export function bandColumns(periods: readonly Period[]): Columns {
  const middle = ({ time, until }: Period): number => (time + until) / 2000;
  const broken = gapsOf(periods);
  const usual = usualStep(periods);
  const columns: Columns = [[], [], [], []];
  let at = 0;
  for (const period of periods) {
    if (broken[at]?.to === period.time) {
      columns[0].push(((broken[at]?.from ?? 0) + usual) / 1000);
      for (const column of columns.slice(1)) column.push(null as never);
      at++;
    }
    columns[0].push(middle(period));
    [period.mean, period.min, period.max].forEach((value, i) => columns[i + 1]?.push(value));
  }
  return columns;
}

function instanceOf(
  document: NormalizedEntity,
  attribute: string,
  datasetId: string,
): { [name: string]: Json } {
  const member = document[attribute];
  for (const instance of Array.isArray(member) ? member : [member]) {
    if (typeof instance !== 'object' || instance === null || Array.isArray(instance)) continue;
    if ((instance.datasetId ?? '') === datasetId) return instance;
  }
  return {};
}

function triples(member: Json | undefined): [value: number, start: number, end: number][] {
  if (!Array.isArray(member)) return [];
  return member.flatMap((triple) => {
    if (!Array.isArray(triple) || typeof triple[0] !== 'number') return [];
    const [start, end] = [Date.parse(String(triple[1])), Date.parse(String(triple[2]))];
    return Number.isNaN(start) || Number.isNaN(end) ? [] : [[triple[0], start, end]];
  });
}

function byStart(member: Json | undefined): Map<number, number> {
  return new Map(triples(member).map(([value, start]) => [start, value]));
}

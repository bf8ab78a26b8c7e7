/** Reading the history of attributes: every value where they can be drawn, or else their means by period. */
import { ApiError } from '../api/http';
import { type HistoryRequest, readAggregates, readHistory } from '../api/history';
import type { NormalizedEntity } from '../api/ngsi';
import { type Period, periodFor, periodsOf, statisticsFrom } from '../lib/bands';
import type { Row } from '../lib/entity';
import { type Gap, gapsOf, type Point, pointsOf, seriesOf } from '../lib/history';
import { nodeNow } from '../lib/nodetime';
import { type Statistics, statisticsOf } from '../lib/statistics';
import type { Timeframe } from '../lib/timeframe';

/** More values than this are drawn by period. */
export const mostPoints = 2_000;

/** The history of one attribute, ready to be drawn, counted and written. */
export interface Past {
  key: string;
  name: string;
  datasetId: string;
  unitCode: string | undefined;
  kind: 'empty' | 'numbers' | 'bands' | 'states';
  /** Every value, or the newest of them where they are drawn by period. */
  points: Point[];
  periods: Period[];
  /** The duration (ISO 8601) of a period. */
  period: string;
  /** The values carry no observation time: their times are those of writing, and they hold until the next. */
  written: boolean;
  gaps: Gap[];
  statistics: Statistics | null;
  /** The statistics are of the whole time by the node, not of the values on the page. */
  byNode: boolean;
  /** There are more values than could be read: these are the newest. */
  cut: boolean;
}

export type PastRead = { row: Row; past: Past } | { row: Row; error: ApiError };

/** Reads several histories; one that fails leaves the others whole. */
export function readPasts(
  id: string,
  rows: readonly Row[],
  frame: Timeframe,
  stop: AbortSignal,
): Promise<PastRead[]> {
  return Promise.all(
    rows.map(async (row): Promise<PastRead> => {
      try {
        return { row, past: await readOne(id, row, frame, stop) };
      } catch (thrown) {
        if (stop.aborted) throw thrown;
        return { row, error: thrown instanceof ApiError ? thrown : new ApiError(0, '', '') };
      }
    }),
  );
}

async function readOne(id: string, row: Row, frame: Timeframe, stop: AbortSignal): Promise<Past> {
  const lastN = frame.lastN ?? mostPoints + 1;
  for (const timeproperty of ['observedAt', 'modifiedAt'] as const) {
    const request: HistoryRequest = {
      id,
      attribute: row.name,
      datasetId: row.datasetId,
      timeproperty,
      ...(frame.from === undefined ? {} : { from: frame.from }),
      ...(frame.to === undefined ? {} : { to: frame.to }),
    };
    const document = await orNothing(readHistory({ ...request, lastN }, stop));
    const points = pointsOf(document, row.name, row.datasetId);
    if (!points.length) continue;
    const cut = frame.lastN === undefined && points.length > mostPoints;
    const past = pastOf(row, points, frame, timeproperty === 'modifiedAt', cut);
    const bands = cut && past.kind === 'numbers' && frame.from !== undefined;
    return bands ? byPeriod(past, request, frame, stop) : past;
  }
  return pastOf(row, [], frame, false, false);
}

function pastOf(
  row: Row,
  points: Point[],
  { from, to }: Timeframe,
  written: boolean,
  cut: boolean,
): Past {
  const gaps = written ? [] : gapsOf(points, cut ? undefined : from, endOf(points, to));
  return {
    key: row.key,
    name: row.name,
    datasetId: row.datasetId,
    unitCode: row.unitCode,
    kind: seriesOf(points).kind,
    points,
    periods: [],
    period: '',
    written,
    gaps,
    statistics: points.length ? statisticsOf(points, gaps) : null,
    byNode: false,
    cut,
  };
}

/** Silence after the last value lasts until now, or to the end of the time that was asked for. */
function endOf(points: readonly Point[], to: number | undefined): number | undefined {
  const last = points.at(-1)?.time;
  if (last === undefined) return to;
  return Math.max(last, Math.min(to ?? Number.POSITIVE_INFINITY, nodeNow()));
}

const methods = 'totalCount,min,max,avg,stddev';

async function byPeriod(
  past: Past,
  request: HistoryRequest,
  frame: Timeframe,
  stop: AbortSignal,
): Promise<Past> {
  const { key: _, name, datasetId } = past;
  const from = frame.from ?? 0;
  const to = Math.min(frame.to ?? nodeNow(), nodeNow());
  const period = periodFor(to - from);
  const [byTime, whole, once] = await Promise.all([
    orNothing(readAggregates({ ...request, methods: 'min,max,avg', period: period.iso }, stop)),
    orNothing(readAggregates({ ...request, methods }, stop)),
    orNothing(readAggregates({ ...request, methods: 'totalCount', repeats: 'omit' }, stop)),
  ]);
  const periods = periodsOf(byTime, name, datasetId);
  // A period is silent when it has no value: their own rhythm, not that of the values, is what is drawn.
  const gaps = gapsOf(periods, from, to);
  return {
    ...past,
    kind: 'bands',
    periods,
    period: period.iso,
    gaps,
    statistics: statisticsFrom(whole, once, name, datasetId, gaps),
    byNode: true,
  };
}

/** The node may answer "nothing in that time" as a missing resource. */
async function orNothing(answer: Promise<{ body: NormalizedEntity }>): Promise<NormalizedEntity> {
  try {
    return (await answer).body;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return { id: '', type: [] };
    throw error;
  }
}

/** The temporal API (ETSI GS CIM 009 clause 5.7.3): what an entity's attributes were. */
import { type Answer, getJson, query } from './http';
import type { NormalizedEntity } from './ngsi';

export interface HistoryRequest {
  id: string;
  /** The attribute's name as the entity's document writes it. */
  attribute: string;
  /** "" is the default instance. */
  datasetId: string;
  /** `observedAt` leaves out instances that were never stamped; `modifiedAt` has them all. */
  timeproperty: 'observedAt' | 'modifiedAt';
  /** Milliseconds since 1970; without a beginning all of the past counts, without an end all until now. */
  from?: number;
  to?: number;
}

const pathOf = (id: string): string => `/ngsi-ld/v1/temporal/entities/${encodeURIComponent(id)}`;

/** The newest instances of one attribute, as pairs of value and time. */
export function readHistory(
  request: HistoryRequest & { lastN: number },
  signal?: AbortSignal,
): Promise<Answer<NormalizedEntity>> {
  const search = query({
    ...selection(request),
    options: 'temporalValues',
    lastN: request.lastN,
  });
  return getJson(`${pathOf(request.id)}${search}`, signal);
}

/** What the instances of one attribute amount to, by period or (without one) over the whole time. */
export function readAggregates(
  request: HistoryRequest & { methods: string; period?: string; repeats?: 'omit' },
  signal?: AbortSignal,
): Promise<Answer<NormalizedEntity>> {
  const search = query({
    ...selection(request),
    options: 'aggregatedValues',
    aggrMethods: request.methods,
    aggrPeriodDuration: request.period,
    repeats: request.repeats,
  });
  return getJson(`${pathOf(request.id)}${search}`, signal);
}

/** The newest observed instance of each attribute up to an instant (ISO 8601), that instant included. */
export function readPast(
  id: string,
  instant: string,
  signal?: AbortSignal,
): Promise<Answer<NormalizedEntity>> {
  // "before" leaves the instant itself out: the next microsecond is the first that comes after it.
  const after = new Date(Date.parse(instant)).toISOString().replace('Z', '001Z');
  const search = query({ timerel: 'before', timeAt: after, lastN: 1 });
  return getJson(`${pathOf(id)}${search}`, signal);
}

/** The instances of all attributes that the node was told until an instant (ISO 8601), the newest of each. */
export function readInstances(
  id: string,
  until: string,
  signal?: AbortSignal,
): Promise<Answer<NormalizedEntity>> {
  const search = query({
    timeproperty: 'modifiedAt',
    timerel: 'before',
    timeAt: new Date(Date.parse(until) + 1).toISOString(),
    lastN: 200,
    options: 'sysAttrs',
  });
  return getJson(`${pathOf(id)}${search}`, signal);
}

/** Later than any observation: a clock that is wrong, here or at a sensor, must not hide the newest values. */
const end = '9999-12-31T23:59:59Z';

function selection(request: HistoryRequest): Record<string, string | undefined> {
  const { attribute, datasetId, timeproperty, from, to } = request;
  const iso = (time: number): string => new Date(time).toISOString();
  return {
    attrs: attribute,
    datasetId: datasetId || undefined,
    timeproperty,
    ...(from === undefined
      ? { timerel: 'before', timeAt: to === undefined ? end : iso(to) }
      : { timerel: 'between', timeAt: iso(from), endTimeAt: to === undefined ? end : iso(to) }),
  };
}

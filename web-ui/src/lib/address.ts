/**
 * The whole view as an address, and back: what someone sees can be sent to someone else.
 *
 * The map's own place stands in the fragment (`#map=zoom/lat/lon`), everything else in the query. A part
 * that is as at the first visit is left out, so that the plain address stays plain. Pure.
 */

import type { Steps } from './colouring';

export const pages = [
  'map',
  'table',
  'cases',
  'report',
  'status',
  'evaluation',
  'rules',
  'sources',
  'node',
] as const;
export type Page = (typeof pages)[number];
/** Pages beside which the map is shown. */
export const mapPages: readonly Page[] = ['map', 'cases', 'report'];

/** How areas are coloured by what lies within them. */
export interface AreaQuery {
  /** The type whose surfaces are coloured. */
  areas: string;
  /** The type that is counted or measured within them. */
  of: string;
  aggregate: Aggregate;
  /** Of the counted type; "" where things are just counted. */
  attribute: string;
  /** How the values are cut into classes. */
  steps: Steps;
}
export type Aggregate = 'count' | 'sum' | 'avg' | 'min' | 'max';
const aggregates: readonly string[] = ['count', 'sum', 'avg', 'min', 'max'];

/** Which time is shown. Times are ISO 8601 instants, a day is one of the city's own time zone. */
export type TimeView =
  | { mode: 'live' }
  | { mode: 'last24h' }
  | { mode: 'day'; day: string }
  | { mode: 'range'; from: string; to: string };

export interface TableView {
  /** "" is the first shown layer. */
  type: string;
  /** Attributes in the reader's order; empty: a choice of the page's own. */
  columns: string[];
  /** An attribute, with "-" before it where the largest comes first; "" is by id. */
  sort: string;
  /** CQL2 text that narrows the rows down and leaves the map as it is; "" is none. */
  only: string;
  /** How many rows lie before the first one shown. */
  offset: number;
}

/** Which cases stand in the queue, which one is open, and in which role the reader acts. */
export interface CasesView {
  /** The number of the chosen case (`2026-000123`); "" is none. */
  number: string;
  /** A role, `department:<code>` for one that acts for a department; "" is every role. */
  as: string;
  /** `1`: what the role may move on, in every department. */
  mine: '1' | '';
  status: CaseStatus;
  light: Light | '';
  department: string;
  step: string;
  type: string;
  /** The id of an area; "" is every one. */
  area: string;
  /** When the cases were reported, ISO 8601 instants; "" is no bound. */
  reportedSince: string;
  reportedUntil: string;
}
export type Light = 'green' | 'amber' | 'red';
export const lights: readonly Light[] = ['green', 'amber', 'red'];
export type CaseStatus = 'open' | 'closed' | 'all';
export const caseStatuses: readonly CaseStatus[] = ['open', 'closed', 'all'];

/** Which days are evaluated, who is looked at, and which figure is opened. */
export interface EvaluationView {
  /** `month` (this one), `last`, `year`, or days: `2026-07-01/2026-07-31`, both included; "" chose none. */
  period: string;
  by: Division;
  /** A department, an area or a type; "" is everything. */
  group: string;
  /** An indicator; "" is none. */
  figure: string;
  /** Which of its cases are listed; "" is the page's own choice. */
  part: string;
  /** The column that orders the table, with "-" before it where the largest comes first. */
  order: string;
}
export type Division = 'department' | 'area' | 'type' | 'role';
export const divisions: readonly Division[] = ['department', 'area', 'type', 'role'];
export const periods: readonly string[] = ['month', 'last', 'year'];

/** Which version of a decision table is open, which of its rows is pointed at, which replay is told. */
export interface RulesView {
  /** `<table>@<version>`; "" is the list of all. */
  version: string;
  /** By its name; "" is none. */
  row: string;
  /** By its id; "" is the last one. */
  replay: string;
}

export interface View {
  page: Page;
  /** The chosen object; "" is none. */
  id: string;
  /** The types that are shown; null: the page's own choice. */
  shown: string[] | null;
  /** CQL2 text by type: the map, the table and downloads show what it selects. */
  filters: Record<string, string>;
  /** The attribute that colours a type's objects, by type. */
  colours: Record<string, string>;
  areas: AreaQuery | null;
  time: TimeView;
  /** Where in a past time the clock stands; "" is its beginning. */
  at: string;
  /** Seconds of the past that pass in one second. */
  speed: number;
  table: TableView;
  /** The attributes whose history is drawn, each as the key of its row; empty: the page's own choice. */
  chart: string[];
  cases: CasesView;
  evaluation: EvaluationView;
  rules: RulesView;
}

export const firstSpeed = 600;

export const firstView: View = {
  page: 'map',
  id: '',
  shown: null,
  filters: {},
  colours: {},
  areas: null,
  time: { mode: 'live' },
  at: '',
  speed: firstSpeed,
  table: { type: '', columns: [], sort: '', only: '', offset: 0 },
  chart: [],
  cases: {
    number: '',
    as: '',
    mine: '',
    status: 'open',
    light: '',
    department: '',
    step: '',
    type: '',
    area: '',
    reportedSince: '',
    reportedUntil: '',
  },
  evaluation: { period: '', by: 'department', group: '', figure: '', part: '', order: '' },
  rules: { version: '', row: '', replay: '' },
};

/** Reads an address; what it does not understand is as at the first visit, never an error. */
export function readAddress(search: string): View {
  const given = new URLSearchParams(search);
  const page = given.get('page') as Page;
  const speed = Number(given.get('speed'));
  return {
    page: pages.includes(page) ? page : 'map',
    id: given.get('id') ?? '',
    shown: given.has('layers') ? split(given.get('layers')) : null,
    filters: byType(given, 'filter.'),
    colours: byType(given, 'colour.'),
    areas: readAreas(given.get('areas')),
    time: readTime(given.get('time') ?? ''),
    at: instant(given.get('at')) ?? '',
    speed: speed >= 1 && speed <= 1e6 ? speed : firstSpeed,
    table: {
      type: given.get('table') ?? '',
      columns: split(given.get('columns')),
      sort: given.get('sort') ?? '',
      only: given.get('only') ?? '',
      offset: whole(given.get('row')),
    },
    chart: split(given.get('chart')),
    cases: readCases(given),
    evaluation: readEvaluation(given),
    rules: {
      version: given.get('rule') ?? '',
      row: given.get('ruleRow') ?? '',
      replay: given.get('replay') ?? '',
    },
  };
}

function readEvaluation(given: URLSearchParams): EvaluationView {
  const [period, by] = [given.get('period') ?? '', given.get('by') as Division];
  return {
    period: isPeriod(period) ? period : firstView.evaluation.period,
    by: divisions.includes(by) ? by : firstView.evaluation.by,
    group: given.get('group') ?? '',
    figure: given.get('figure') ?? '',
    part: given.get('part') ?? '',
    order: given.get('order') ?? '',
  };
}

/** A name of a period, or two days in their order. */
export function isPeriod(text: string): boolean {
  if (periods.includes(text)) return true;
  const [, from, to] = /^(\d{4}-\d\d-\d\d)\/(\d{4}-\d\d-\d\d)$/.exec(text) ?? [];
  return !!from && !!to && isDay(from) && isDay(to) && from <= to;
}

/** A day that the calendar has: 30 February would be read as another one. */
const isDay = (text: string): boolean => {
  const at = Date.parse(`${text}T00:00Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text);
};

function readCases(given: URLSearchParams): CasesView {
  const [status, light] = [given.get('status') as CaseStatus, given.get('light') as Light];
  return {
    number: given.get('case') ?? '',
    as: given.get('as') ?? '',
    mine: given.get('mine') === '1' ? '1' : '',
    status: caseStatuses.includes(status) ? status : 'open',
    light: lights.includes(light) ? light : '',
    department: given.get('department') ?? '',
    step: given.get('step') ?? '',
    type: given.get('type') ?? '',
    area: given.get('area') ?? '',
    reportedSince: instant(given.get('reportedSince')) ?? '',
    reportedUntil: instant(given.get('reportedUntil')) ?? '',
  };
}

/** The query of a view, with "?" before it where there is any. `kept` are parameters of others (`lang`). */
export function writeAddress(view: View, kept: Record<string, string> = {}): string {
  const out = new URLSearchParams(kept);
  const put = (name: string, value: string, usual = ''): void => {
    if (value !== usual) out.set(name, value);
  };
  put('page', view.page, 'map');
  put('id', view.id);
  if (view.shown) out.set('layers', view.shown.map(encodeURIComponent).join(','));
  for (const [type, filter] of Object.entries(view.filters)) put(`filter.${type}`, filter);
  for (const [type, attribute] of Object.entries(view.colours)) put(`colour.${type}`, attribute);
  if (view.areas) {
    const { areas, of, aggregate, attribute, steps } = view.areas;
    const parts = [areas, of, aggregate, attribute, ...(steps === 'equal' ? [] : [steps])];
    put('areas', parts.map(encodeURIComponent).join(':'));
  }
  put('time', timeCode(view.time), 'live');
  put('at', view.at);
  put('speed', String(view.speed), String(firstSpeed));
  put('table', view.table.type);
  put('columns', view.table.columns.map(encodeURIComponent).join(','));
  put('sort', view.table.sort);
  put('only', view.table.only);
  put('row', String(view.table.offset), '0');
  put('chart', view.chart.map(encodeURIComponent).join(','));
  const { number, status, ...others } = view.cases;
  put('case', number);
  put('status', status, 'open');
  for (const [name, value] of Object.entries(others)) put(name, value);
  for (const [name, value] of Object.entries(view.evaluation))
    put(name, value, firstView.evaluation[name as keyof EvaluationView]);
  put('rule', view.rules.version);
  put('ruleRow', view.rules.row);
  put('replay', view.rules.replay);
  const text = out.toString();
  return text ? `?${text}` : '';
}

/** A whole number that is not negative; 0 for anything else. */
function whole(text: string | null): number {
  return /^\d{1,9}$/.test(text ?? '') ? Number(text) : 0;
}

/** Members are encoded each on their own, since a type's name may hold a comma. */
function split(text: string | null): string[] {
  return (text ?? '').split(',').filter(Boolean).map(decoded);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function byType(given: URLSearchParams, prefix: string): Record<string, string> {
  const found: [string, string][] = [];
  for (const [name, value] of given) {
    if (name.startsWith(prefix) && name.length > prefix.length && value) {
      found.push([name.slice(prefix.length), value]);
    }
  }
  return Object.fromEntries(found);
}

function readAreas(text: string | null): AreaQuery | null {
  const [areas = '', of = '', aggregate = '', attribute = '', steps = 'equal'] = (text ?? '')
    .split(':')
    .map(decoded);
  if (!areas || !of || !aggregates.includes(aggregate)) return null;
  if (aggregate !== 'count' && !attribute) return null;
  if (steps !== 'equal' && steps !== 'quantile') return null;
  return { areas, of, aggregate: aggregate as Aggregate, attribute, steps };
}

function timeCode(time: TimeView): string {
  switch (time.mode) {
    case 'day':
      return time.day;
    case 'range':
      return `${time.from}/${time.to}`;
    default:
      return time.mode;
  }
}

function readTime(text: string): TimeView {
  if (text === 'last24h') return { mode: 'last24h' };
  if (/^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text))) {
    return { mode: 'day', day: text };
  }
  const [from, to] = text.split('/').map(instant);
  return from && to && Date.parse(from) < Date.parse(to)
    ? { mode: 'range', from, to }
    : { mode: 'live' };
}

/** An instant as it was written, if it is one. */
function instant(text: string | null | undefined): string | null {
  const isOne = /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(text ?? '');
  return isOne && !Number.isNaN(Date.parse(text as string)) ? (text as string) : null;
}

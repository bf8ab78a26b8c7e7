/** Cases: the queue, a case whole, moves, photos, reports and what everyone may know. */
import type { CasesView, Light } from '../lib/address';
import type { Name } from './city';
import { type Answer, getJson, post, postJson, query } from './http';
import type { RuleRow } from './rules';

export interface CaseClock {
  clock: string;
  state: string;
  light: Light;
  /** Seconds of the clock's own measure; below 0 when it is late. */
  left: number;
  used: number;
  limit?: string;
  measure?: 'continuous' | 'work';
  /** Of work time: seconds of a work day. */
  workDay?: number;
  /** A paused clock has none. */
  deadline?: string;
  department?: string;
  decidedBy?: string;
  /** The row of the limits that gave the limit; none where an act gave it. */
  ruled?: RuleRow;
}

export interface CaseRow {
  id: string;
  number: number;
  state: string;
  step: string;
  status: 'open' | 'closed';
  type?: string;
  condition?: string;
  department?: string;
  holder?: string;
  description?: string;
  /** By language, where a rule told it in several. */
  descriptions?: Record<string, string>;
  address?: string;
  location?: [lon: number, lat: number];
  place: 'known' | 'unknown';
  area?: string;
  about?: string;
  channel?: string;
  reportedAt: string;
  light?: Light;
  clocks: CaseClock[];
  /** Which personal data of the reporter are kept, never the data. */
  reportedBy?: string[];
  partOf?: string;
  into?: string;
}

export interface CaseStep {
  step: string;
  title: Name;
  state: 'done' | 'now' | 'ahead';
  since?: string;
  until?: string;
  holder?: string;
  actor?: string;
  visits?: number;
}

/** A move that is open to the reader, what it needs and what it may take besides. */
export interface CaseMove {
  move: string;
  role: string;
  actingFor?: string;
  to: string[];
  needs: string[];
  takes: string[];
  title: Name;
  conditions?: string[];
}

export interface CaseTransition {
  id: string;
  number: number;
  move: string;
  fromState: string;
  toState: string;
  at: string;
  actor: string;
  role: string;
  actingFor?: string;
  reason?: string;
  finding?: string;
  /** Photos, and what else there is: of a rule, the instances that fired. */
  evidence?: string[];
  given?: Record<string, string | string[]>;
}

export interface CasePhoto {
  id: string;
  caption?: string;
  addedAt: string;
  by?: string;
  /** Metres from where the photo says it was taken to the case. */
  distance?: number;
}

export interface CaseWhole {
  case: CaseRow;
  /** To be sent with the next move. */
  seen: number;
  steps: CaseStep[];
  moves: CaseMove[];
  transitions: CaseTransition[];
  evidence: CasePhoto[];
  parts: { case: string; department: string; done: boolean }[];
  /** By kind: the rows by which it was opened, dispatched and escalated. */
  ruled: Record<string, RuleRow>;
}

export interface PublicCase {
  id: string;
  status: 'open' | 'closed';
  state: string;
  stateTitle: Name;
  typeTitle?: Name;
  departmentTitle?: Name;
  reportedAt: string;
  closedAt?: string;
  promisedBy?: string;
  late?: boolean;
  into?: string;
  steps: CaseStep[];
}

export interface Coded {
  code: string;
  title: Name;
}

export interface CaseTypes {
  grades: string[];
  types: (Coded & { conditions: Coded[] })[];
  departments: Coded[];
}

export interface Workflow {
  steps: Record<string, Name>;
  roles: Record<string, { title: Name; holder: boolean }>;
  /** `closed`: the work is done, though something may still be asked. */
  states: Record<string, { title: Name; closed?: boolean }>;
  moves: { move: string; title: Name; from: string[]; roles: string[]; effects?: string[] }[];
  /** `limit`: a step of the city's own has its limit in the limits. */
  clocks: Record<string, { limit: string }>;
}

export interface Reporter {
  name?: string;
  phone?: string;
  email?: string;
  note?: string;
}

export interface Report {
  type: string;
  description: string;
  location?: { type: 'Point'; coordinates: [lon: number, lat: number] };
  channel: string;
  reporter: Reporter;
  requestId: string;
}

export const pathOf = (number: string): string => `/cases/${encodeURIComponent(number)}`;

/** What the id of a case has before its number. */
export const idOf = 'urn:ngsi-ld:Case:';

/** A case's number, by which every door knows it: all of its id that tells it from other cases. */
export const numberOf = (id: string): string => (id.startsWith(idOf) ? id.slice(idOf.length) : id);

/** `states`: only cases in one of them; none is no bound. */
export const readQueue = (
  { status, light, department, step, type, area, reportedSince, reportedUntil }: CasesView,
  states: readonly string[],
  limit: number,
  stop: AbortSignal,
): Promise<Answer<{ total: number; cases: CaseRow[] }>> => {
  const search = query({
    status,
    state: states.join(',') || undefined,
    light: light || undefined,
    department: department || undefined,
    step: step || undefined,
    type: type || undefined,
    area: area || undefined,
    since: reportedSince || undefined,
    until: reportedUntil || undefined,
    limit,
  });
  return getJson(`/cases${search}`, stop);
};

/** `as`: a role, or `department:<code>`; "" is every role that the reader holds. */
export const readCase = (
  number: string,
  as: string,
  stop: AbortSignal,
): Promise<Answer<CaseWhole>> => {
  const [role = '', actingFor = ''] = as.split(':');
  const search = query({ role: role || undefined, actingFor: actingFor || undefined });
  return getJson(`${pathOf(number)}${search}`, stop);
};

export const moveCase = (number: string, wish: Record<string, unknown>): Promise<CaseWhole> =>
  postJson(`${pathOf(number)}/moves`, wish);

export const addPhoto = (number: string, photo: Blob): Promise<CasePhoto> =>
  post(`${pathOf(number)}/evidence`, photo, photo.type);

export const photoPath = (number: string, photo: string): string =>
  `${pathOf(number)}/evidence/${encodeURIComponent(photo)}`;

export const readStatus = (number: string, stop: AbortSignal): Promise<Answer<PublicCase>> =>
  getJson(`${pathOf(number)}/status`, stop);

export const readReporter = (
  number: string,
  purpose: string,
  role: string,
): Promise<Answer<Reporter>> =>
  getJson(`${pathOf(number)}/reporter${query({ purpose, role: role || undefined })}`);

export const readCaseTypes = (): Promise<Answer<CaseTypes>> => getJson('/cases/types');

export const readWorkflow = (): Promise<Answer<Workflow>> => getJson('/cases/workflow');

export const reportCase = (report: Report): Promise<PublicCase> => postJson('/cases', report);

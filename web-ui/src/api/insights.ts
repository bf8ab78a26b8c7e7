/** What is seen in cases: types and departments for a text, cases that may be the same, surges. */
import { pathOf } from './cases';
import type { Name } from './city';
import { type Answer, getJson, postJson, query } from './http';
import type { RuleRow } from './rules';

export interface Suggested {
  value: string;
  title: Name;
  /** Above 0, below 1; null where a rule decides for a type that somebody chose. */
  confidence: number | null;
  /** Words of the text; of a department, the types of which it gets the cases. */
  because: string[];
  /** The row of the routing rule in force that names the department, with the rule's name. */
  ruled: (RuleRow & { title: Name }) | null;
}

export interface Suggestions {
  types: Suggested[];
  departments: Suggested[];
  /** A word of the text is known. */
  known: boolean;
}

export interface Alike {
  case: string;
  /** Metres. */
  distance: number;
  /** Seconds; below 0 where it was reported earlier. */
  apart: number;
  likeness: number | null;
  reason: Name;
  state: string;
  /** Something can be merged into it. */
  open: boolean;
  location: [lon: number, lat: number];
}

export interface AlikeCases {
  more: boolean;
  duplicates: Alike[];
}

/** An open case near a place, as everyone may know it. */
export interface Nearby {
  case: string;
  distance: number;
  reportedAt: string;
  stateTitle: Name;
}

export interface Surge {
  id: string;
  status: 'on' | 'ended';
  type: string;
  /** "" is the whole city. */
  area: string;
  /** From when on `seen` were counted. */
  countedFrom: string;
  raisedAt: string;
  endedAt: string | null;
  seen: number;
  expected: number;
  /** The most that the longest window held. */
  peak: number;
  reason: Name;
}

/**
 * @param of `type`: one that somebody chose already, of whose cases departments are; `case`: whose place and day
 *   the routing rule goes by
 */
export const suggest = (text: string, of: { type?: string; case?: string }): Promise<Suggestions> =>
  postJson('/cases/suggestions', { text, ...of });

/** Something by whose name people know a place; `distance` in metres. */
export interface Landmark {
  id: string;
  name: Name;
  distance: number;
}

export const readPlace = (
  [longitude, latitude]: [lon: number, lat: number],
  stop: AbortSignal,
): Promise<Answer<{ near: Landmark | null }>> =>
  getJson(`/cases/place${query({ longitude, latitude })}`, stop);

export const readAlike = (number: string, stop: AbortSignal): Promise<Answer<AlikeCases>> =>
  getJson(`${pathOf(number)}/duplicates`, stop);

export const notTheSame = (number: string, other: string, role: string): Promise<AlikeCases> =>
  postJson(`${pathOf(number)}/duplicates/refusals`, { case: other, ...(role ? { role } : {}) });

export const readNearby = (
  type: string,
  [longitude, latitude]: [lon: number, lat: number],
  stop: AbortSignal,
): Promise<Answer<{ more: boolean; cases: Nearby[] }>> =>
  getJson(`/cases/nearby${query({ type, longitude, latitude })}`, stop);

export const readSurges = (
  status: 'open' | 'closed',
  limit: number,
  stop: AbortSignal,
): Promise<Answer<{ total: number; surges: Surge[] }>> =>
  getJson(`/cases/surges${query({ status, limit })}`, stop);

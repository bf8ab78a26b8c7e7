/** Decision tables: their versions, what they decide, replays of the past, adoption. */
import type { Name } from './city';
import { type Answer, getJson, postJson, putJson, query, remove } from './http';

export type Kind = 'routing' | 'limits' | 'escalation' | 'opening';
export type State = 'file' | 'draft' | 'adopted';

/** A version without its rows. Days are those of the city. */
export interface Version {
  decisionTable: string;
  version: string;
  kind: Kind;
  title: Record<string, string>;
  rows: number;
  state: State;
  writtenBy?: string;
  writtenAt?: string;
  from?: string;
  /** The last day; null is open. */
  until?: string | null;
  adoptedBy?: string;
  adoptedAt?: string;
}

/** An input or an output. `values` are unary tests: what can stand there. */
export interface Part {
  name: string;
  type?: string;
  title?: Record<string, string>;
  unit?: string;
  values?: string;
  optional?: boolean;
}

export type CellValue = string | number | boolean | null;

export interface Row {
  id?: string;
  when?: Record<string, CellValue>;
  then?: Record<string, CellValue>;
  note?: string;
}

export interface RuleTable {
  decisionTable: string;
  kind: Kind;
  version: string;
  title?: Record<string, string>;
  hitPolicy: string;
  effective?: { from?: string; until?: string };
  inputs: Part[];
  outputs: Part[];
  rows: Row[];
}

export interface WholeVersion extends Version {
  table: RuleTable;
}

export interface KindOfTable {
  kind: Kind;
  /** Types by name. */
  inputs: Record<string, string>;
  outputs: Record<string, string>;
  required: string[];
  hitPolicies: string[];
  /** One table of the kind decides at a time. */
  alone: boolean;
}

/** Something about a table: an error keeps it from being adopted. */
export interface Finding {
  level: 'error' | 'warning';
  place: string;
  says: string;
  fault: string;
  /** The row, 1 = first; 0 is none of them. */
  number: number;
  column: string;
  at: Record<string, string>;
}

export interface Hit {
  row: string;
  number: number;
  outputs: Record<string, CellValue>;
  why: { input: string; value: CellValue; test: string }[];
  note: string;
}

export interface Decision {
  table: string;
  version: string;
  hits: Hit[];
}

export interface FactChange {
  fact: string;
  before: unknown;
  after: unknown;
}

export interface CaseChange {
  case: string;
  changes: FactChange[];
}

export interface WouldOpen {
  entity: string;
  attribute: string;
  caseType: string;
  caseCondition: string;
  at: string;
}

export type Scores = Record<string, number | null>;

export interface Outcome {
  cases: number;
  changed: CaseChange[];
  unlike: string[];
  opened: WouldOpen[];
  notOpened: WouldOpen[];
  scoresBefore: Scores;
  scoresAfter: Scores;
}

export interface Replay {
  id: string;
  decisionTable: string;
  version: string;
  from: string;
  until: string;
  status: 'running' | 'done' | 'failed';
  /** 0 to 1. */
  progress: number;
  askedAt?: string;
  error?: string;
  result?: Outcome;
}

/** A row of a version, as a case names what decided it. */
export interface RuleRow {
  table: string;
  version: string;
  row: string;
}

const pathOf = (table: string, version: string): string =>
  `/rules/${encodeURIComponent(table)}/versions/${encodeURIComponent(version)}`;

export const readVersions = (stop?: AbortSignal): Promise<Answer<Version[]>> =>
  getJson('/rules', stop);

export const readKinds = (stop?: AbortSignal): Promise<Answer<KindOfTable[]>> =>
  getJson('/rules/kinds', stop);

export const readVersion = (
  table: string,
  version: string,
  stop?: AbortSignal,
): Promise<Answer<WholeVersion>> => getJson(pathOf(table, version), stop);

export const createDraft = (table: RuleTable): Promise<WholeVersion> => postJson('/rules', table);

export const saveDraft = (table: RuleTable): Promise<void> =>
  putJson(pathOf(table.decisionTable, table.version), table);

export const deleteDraft = (table: string, version: string): Promise<void> =>
  remove(pathOf(table, version));

export const checkTable = (table: RuleTable): Promise<Finding[]> => postJson('/rules/check', table);

/** What a table decides as it is written, kept or not. */
export const decideBy = (table: RuleTable, inputs: Record<string, CellValue>): Promise<Decision> =>
  postJson('/rules/decide', { kind: table.kind, inputs, table });

export const adoptVersion = (
  table: string,
  version: string,
  from: string,
  until: string,
): Promise<Version> =>
  postJson(`${pathOf(table, version)}/adopt`, { from, ...(until ? { until } : {}) });

export const askReplay = (
  table: string,
  version: string,
  from: string,
  until: string,
): Promise<Replay> => postJson(`${pathOf(table, version)}/replays`, { from, until });

export const readReplays = (stop?: AbortSignal): Promise<Answer<Replay[]>> =>
  getJson('/rules/replays', stop);

export const readReplay = (id: string, stop?: AbortSignal): Promise<Answer<Replay>> =>
  getJson(`/rules/replays/${encodeURIComponent(id)}`, stop);

interface Titled {
  id: string;
  title: Name;
}

/** What indicators and scores are called. */
export const readScoreTitles = (
  since: string,
  until: string,
  stop?: AbortSignal,
): Promise<Answer<{ indicators: Titled[]; scores: Titled[] }>> =>
  getJson(`/cases/evaluation${query({ since, until })}`, stop);

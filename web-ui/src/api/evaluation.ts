/** Evaluations: figures and scores of a period, how they went, and the cases behind each. */
import type { CaseRow } from './cases';
import type { Name } from './city';
import { type Answer, getJson, query } from './http';

export interface Counts {
  indicator: string;
  /** Per cent; null where there is none: `why` says why. */
  value: number | null;
  why: '' | 'nothingDue' | 'notReported';
  numerator: number;
  denominator: number;
  /** What is in neither, by reason. */
  apart: Record<string, number>;
}

export interface Indicator {
  id: string;
  title: Name;
  formula: string;
  /** The formula in words: what stands in the numerator, and in the denominator. */
  counts: Name;
  of: Name;
  role: string;
  better: 'more' | 'less' | 'neither';
  /** Why it cannot be told, where nothing that is kept holds it. */
  notReported: Record<string, string>;
}

export interface Score {
  score: string;
  value: number | null;
  /** Values by indicator. */
  parts: Record<string, number>;
  missing: string[];
}

export interface Group {
  /** A department, an area or a type; "" is everything, "@none" what has none of them. */
  group: string;
  title: Name;
  figures: Counts[];
  scores: Score[];
}

export interface Evaluation {
  since: string;
  until: string;
  evaluatedAt: string;
  cases: number;
  headline: string[];
  indicators: Indicator[];
  scores: { id: string; title: Name; parts: Record<string, number> }[];
  groups: Group[];
}

export interface Step {
  since: string;
  until: string;
  figures: Counts[];
}

/** What is evaluated: instants, and how they are divided. */
export interface Wish {
  since: string;
  until: string;
  /** department, area or type; "" is the whole alone. */
  by: string;
  /** day, week or month; "" is not divided. */
  every: string;
}

const asked = ({ since, until, by, every }: Wish): Record<string, string | undefined> => ({
  since,
  until,
  by: by || undefined,
  every: every || undefined,
});

/** `evaluatedAt` asks for what was counted then; "" counts anew. */
export const readEvaluation = (
  wish: Wish,
  evaluatedAt: string,
  stop: AbortSignal,
): Promise<Answer<Evaluation>> =>
  getJson(
    `/cases/evaluation${query({ ...asked(wish), evaluatedAt: evaluatedAt || undefined })}`,
    stop,
  );

/** Of the evaluation that was made then. */
export const readTrend = (
  wish: Wish,
  evaluatedAt: string,
  group: string,
  stop: AbortSignal,
): Promise<Answer<{ steps: Step[] }>> =>
  getJson(
    `/cases/evaluation/trend${query({ ...asked(wish), evaluatedAt, group: group || undefined })}`,
    stop,
  );

/** The ids of the cases behind a figure, in pages; one stands there as often as it was due. */
export const readMembers = (
  { every: _, ...wish }: Wish,
  evaluatedAt: string,
  figure: { indicator: string; group: string; part: string; limit: number; offset: number },
  stop: AbortSignal,
): Promise<Answer<{ total: number; cases: string[] }>> => {
  const search = query({
    ...asked({ ...wish, every: '' }),
    evaluatedAt,
    ...figure,
    group: figure.group || undefined,
  });
  return getJson(`/cases/evaluation/cases${search}`, stop);
};

/** Cases by their ids. */
export const readCasesById = (
  ids: readonly string[],
  stop: AbortSignal,
): Promise<Answer<{ cases: CaseRow[] }>> =>
  getJson(
    `/cases${query({ id: ids.join(','), status: 'all', orderBy: 'id', limit: ids.length })}`,
    stop,
  );

/** The case that was reported last; none where there is no case. */
/** How many cases were reported between two instants, the second one not included. */
export const countReported = async (
  { since, until }: { since: string; until: string },
  stop: AbortSignal,
): Promise<number> =>
  (
    await getJson<{ total: number }>(
      `/cases${query({ status: 'all', since, until, limit: 1 })}`,
      stop,
    )
  ).body.total;

export const readLastCase = (stop: AbortSignal): Promise<Answer<{ cases: CaseRow[] }>> =>
  getJson(`/cases${query({ status: 'all', orderBy: '-reportedAt', limit: 1 })}`, stop);

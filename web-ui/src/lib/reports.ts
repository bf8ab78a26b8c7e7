/** What became of the rows of a run, made ready to be shown. Pure but for the language. */
import type { Report, Source } from '../api/city';
import { compareTexts, known } from './i18n';

export type Outcome = 'created' | 'updated' | 'unchanged' | 'readings' | 'rejected';
export const outcomes: readonly Outcome[] = [
  'created',
  'updated',
  'unchanged',
  'readings',
  'rejected',
];

/** Rows by what became of them; `readings` went into the history of an object alone. */
export function countsOf(report: Report): Record<Outcome, number> {
  const { read, created, updated, unchanged } = report;
  const rejected = rejectedOf(report);
  const readings = Math.max(0, read - created - updated - unchanged - rejected);
  return { created, updated, unchanged, readings, rejected };
}

export function rejectedOf(report: Report): number {
  return Object.values(report.rejected).reduce((sum, count) => sum + count, 0);
}

/** How a source stands: of one that nothing is expected of, no one can say whether it is on time. */
export type Standing = 'ok' | 'open' | 'stale' | 'failed' | 'never';

export function standingOf({ status, expectedInterval }: Source): Standing {
  return status === 'ok' && !expectedInterval ? 'open' : status;
}

/** How much someone should look at a source: what failed first, what runs well last. */
export function urgency({ status, report }: Source): number {
  if (status === 'failed') return 0;
  if (status === 'stale') return 1;
  if (report && rejectedOf(report) > 0) return 2;
  return status === 'never' ? 3 : 4;
}

/** The problems first, each kind by name. */
export function byUrgency(sources: Source[], nameOf: (source: Source) => string): Source[] {
  return [...sources].sort((a, b) => urgency(a) - urgency(b) || compareTexts(nameOf(a), nameOf(b)));
}

/** Why a row was refused, in the reader's language; as the node says it where the page has no words for it. */
export const reasonText = (reason: string): string => known(`reason.${reason}`) ?? reason;

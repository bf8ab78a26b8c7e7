/** What came of a replay, for a person. Pure. */
import type { CaseChange, FactChange, Outcome, Scores } from '../api/rules';

/** A score before and after. */
export interface Moved {
  name: string;
  kind: 'score' | 'indicator';
  id: string;
  before: number | null;
  after: number | null;
  /** Null where one of them is not there. */
  by: number | null;
}

/** Scores first, then indicators; those that move before those that stand still. */
export function scoresOf(before: Scores, after: Scores): Moved[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const moved = names.map((name): Moved => {
    const [kind = '', id = ''] = name.split(' ');
    const [was, is] = [before[name] ?? null, after[name] ?? null];
    return {
      name,
      kind: kind === 'score' ? 'score' : 'indicator',
      id,
      before: was,
      after: is,
      by: was === null || is === null ? null : is - was,
    };
  });
  const rank = (one: Moved): number => (one.kind === 'score' ? 0 : 2) + (moves(one) ? 0 : 1);
  return moved.sort((a, b) => rank(a) - rank(b));
}

/** Less than a tenth is no move that anybody could see. */
export const moves = ({ before, after, by }: Moved): boolean =>
  by === null ? before !== after : Math.abs(by) >= 0.05;

/** A fact by its clock: `deadline handle#2` is about the second clock `handle`. */
export interface Fact {
  about: 'deadline' | 'light' | 'department' | 'state' | 'escalated' | 'leaves' | 'other';
  clock: string;
  /** 1 = the first of its name. */
  number: number;
  change: FactChange;
}

export function factOf(change: FactChange): Fact {
  const [, about = '', clock = '', number = '1'] =
    /^(deadline|light) ([^#]+)(?:#(\d+))?$/.exec(change.fact) ?? [];
  if (about) return { about: about as 'deadline' | 'light', clock, number: Number(number), change };
  const plain: Record<string, Fact['about']> = {
    department: 'department',
    state: 'state',
    escalated: 'escalated',
    leavesRecordAt: 'leaves',
  };
  return { about: plain[change.fact] ?? 'other', clock: '', number: 1, change };
}

/** The facts of a case; why it leaves its record is told with where. */
export const factsOf = ({ changes }: CaseChange): Fact[] =>
  changes.filter(({ fact }) => fact !== 'because').map(factOf);

export const reasonOf = ({ changes }: CaseChange): string =>
  String(changes.find(({ fact }) => fact === 'because')?.after ?? '');

/** In how many cases each kind of fact would be another, the most frequent first. */
export function countsOf({ changed }: Pick<Outcome, 'changed'>): [Fact['about'], number][] {
  const counts = new Map<Fact['about'], number>();
  for (const one of changed) {
    for (const about of new Set(factsOf(one).map((fact) => fact.about))) {
      counts.set(about, (counts.get(about) ?? 0) + 1);
    }
  }
  return [...counts].sort((a, b) => b[1] - a[1]);
}

/** The cases in which such a fact would be another; "" is all. */
export const casesWith = (
  changed: readonly CaseChange[],
  about: Fact['about'] | '',
): CaseChange[] =>
  about ? changed.filter((one) => factsOf(one).some((fact) => fact.about === about)) : [...changed];

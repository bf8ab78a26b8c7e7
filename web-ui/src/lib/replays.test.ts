import { describe, expect, it } from 'vitest';
import type { CaseChange } from '../api/rules';
import { casesWith, countsOf, factOf, factsOf, reasonOf, scoresOf } from './replays';

const change = (fact: string, before: unknown = 'a', after: unknown = 'b') => ({
  fact,
  before,
  after,
});
const changed: CaseChange[] = [
  { case: 'urn:ngsi-ld:Case:1', changes: [change('department'), change('deadline handle')] },
  {
    case: 'urn:ngsi-ld:Case:2',
    changes: [
      change('deadline handle'),
      change('deadline promise'),
      change('leavesRecordAt', null, 4),
      change('because', null, 'no such move'),
    ],
  },
];

describe('what would differ', () => {
  it('is told by what it is about and by its clock', () => {
    expect(factOf(change('light handle#2'))).toMatchObject({
      about: 'light',
      clock: 'handle',
      number: 2,
    });
    expect(factOf(change('escalated')).about).toBe('escalated');
    expect(factOf(change('something new')).about).toBe('other');
  });

  it('tells why a case leaves its record once, with where', () => {
    expect(factsOf(changed[1]!).map(({ about }) => about)).toEqual([
      'deadline',
      'deadline',
      'leaves',
    ]);
    expect([reasonOf(changed[0]!), reasonOf(changed[1]!)]).toEqual(['', 'no such move']);
  });

  it('is counted by cases, not by facts', () => {
    expect(countsOf({ changed })).toEqual([
      ['deadline', 2],
      ['department', 1],
      ['leaves', 1],
    ]);
    expect(casesWith(changed, 'department').map((one) => one.case)).toEqual(['urn:ngsi-ld:Case:1']);
    expect(casesWith(changed, '')).toEqual(changed);
  });
});

describe('scores', () => {
  it('come before indicators, those that move before those that stand still', () => {
    const before = { 'indicator a': 50, 'indicator b': 40, 'score s': 70, 'score t': null };
    const after = { 'indicator a': 50, 'indicator b': 60, 'score s': 70.01, 'score t': 80 };
    const scores = scoresOf(before, after);
    expect(scores.map(({ name, by }) => [name, by])).toEqual([
      ['score t', null],
      ['score s', expect.closeTo(0.01)],
      ['indicator b', 20],
      ['indicator a', 0],
    ]);
  });
});

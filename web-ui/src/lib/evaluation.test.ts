import { beforeEach, describe, expect, it } from 'vitest';
import type { Counts, Evaluation, Group } from '../api/evaluation';
import {
  daysOf,
  everyOf,
  figureOf,
  figureRows,
  headlineOf,
  instantsOf,
  firstPeriod,
  monthAround,
  numberAndPart,
  orderGroups,
  rateText,
  sharesOf,
  timesEach,
} from './evaluation';
import { language } from './i18n';

beforeEach(() => void (language.value = 'en'));

const counts = (more: Partial<Counts> = {}): Counts => ({
  indicator: 'A',
  value: null,
  why: 'nothingDue',
  numerator: 0,
  denominator: 0,
  apart: {},
  ...more,
});

const group = (code: string, value: number | null, score: number | null = null): Group => ({
  group: code,
  title: { en: `The ${code}`, zh: code },
  figures: [counts({ value, numerator: value ?? 0, denominator: value === null ? 0 : 100 })],
  scores: [{ score: 'department', value: score, parts: {}, missing: [] }],
});

const indicator = (id: string): Evaluation['indicators'][number] => ({
  id,
  title: { en: id },
  formula: '',
  counts: {},
  of: {},
  role: 'department',
  better: 'more',
  notReported: {},
});

const made: Evaluation = {
  since: '2026-07-01T00:00:00Z',
  until: '2026-08-01T00:00:00Z',
  evaluatedAt: '2026-08-02T00:00:00Z',
  cases: 3,
  headline: ['B', 'gone'],
  indicators: ['A', 'B', 'C', 'D', 'E', 'F', 'G'].map(indicator),
  scores: [],
  groups: [group('', 50), group('roads', 20)],
};

describe('a period', () => {
  it('is last month while this one has told little', () => {
    expect(firstPeriod('2026-12-07', { month: 9, last: 80 })).toBe('last');
    expect(firstPeriod('2026-12-08', { month: 9, last: 80 })).toBe('month');
    expect(firstPeriod('2026-12-20', { month: 0, last: 80 })).toBe('last');
    expect(firstPeriod('2026-12-01', { month: 3, last: 0 })).toBe('month');
    expect(firstPeriod('2026-12-01', { month: 0, last: 0 })).toBe('month');
  });

  it('is named by what the day is in', () => {
    expect(daysOf('month', '2028-02-29')).toEqual({ from: '2028-02-01', to: '2028-02-29' });
    expect(daysOf('last', '2027-01-31')).toEqual({ from: '2026-12-01', to: '2026-12-31' });
    expect(daysOf('last', '2027-03-31')).toEqual({ from: '2027-02-01', to: '2027-02-28' });
    expect(daysOf('year', '2027-03-31')).toEqual({ from: '2027-01-01', to: '2027-12-31' });
    expect(daysOf('2011-08-28/2011-08-29', '2027-03-31')).toEqual({
      from: '2011-08-28',
      to: '2011-08-29',
    });
    expect(monthAround('2011-08-28')).toBe('2011-08-01/2011-08-31');
  });

  it('holds its last day whole, by the clock of the city', () => {
    expect(instantsOf({ from: '2011-11-01', to: '2011-11-30' }, 'America/New_York')).toEqual({
      since: '2011-11-01T04:00:00.000Z',
      until: '2011-12-01T05:00:00.000Z',
    });
  });

  it('is divided into as many steps as the eye can tell apart', () => {
    expect(everyOf({ from: '2026-07-01', to: '2026-07-14' })).toBe('day');
    expect(everyOf({ from: '2026-07-01', to: '2026-07-31' })).toBe('week');
    expect(everyOf({ from: '2026-01-01', to: '2026-12-31' })).toBe('month');
    // 62 steps are the node's bound.
    expect(everyOf({ from: '2020-01-15', to: '2024-12-15' })).toBe('month');
    expect(everyOf({ from: '2000-01-01', to: '2026-12-31' })).toBe('');
  });
});

describe('a rate', () => {
  it('is all or none only where it is', () => {
    expect(rateText({ value: 100, numerator: 7, denominator: 7 })).toBe('100%');
    expect(rateText({ value: 99.9987, numerator: 79_999, denominator: 80_000 })).toBe('99.9%');
    expect(rateText({ value: 0.0012, numerator: 1, denominator: 80_000 })).toBe('0.1%');
    expect(rateText({ value: 0, numerator: 0, denominator: 3 })).toBe('0%');
    expect(rateText({ value: 66.666, numerator: 2, denominator: 3 })).toBe('66.7%');
  });

  it('is no number where nothing was counted', () => {
    expect(rateText({ value: null, numerator: 0, denominator: 0 })).toBe('–');
  });
});

describe('the shares of a figure', () => {
  const told = counts({ numerator: 3, denominator: 4, apart: { exempt: 1, withoutPromise: 5 } });

  it('are good or bad as the figure is, and what is told apart is neither', () => {
    const apart = { kind: 'apart', count: 6 };
    expect(sharesOf(told, 'more')).toEqual([
      { kind: 'good', count: 3 },
      { kind: 'bad', count: 1 },
      apart,
    ]);
    expect(sharesOf(told, 'less').map(({ kind }) => kind)).toEqual(['bad', 'good', 'apart']);
    expect(sharesOf(told, 'neither').map(({ kind }) => kind)).toEqual(['plain', 'other', 'apart']);
  });

  it('are none where nothing was counted', () => {
    expect(sharesOf(counts(), 'more')).toEqual([]);
  });
});

describe('groups', () => {
  const groups = [group('b', 10), group('a', null, 3), group('c', 5, 9), group('d', 10)];
  const ordered = (order: string): string =>
    orderGroups(groups, order, 'department')
      .map(({ group }) => group)
      .join('');

  it('have what has no department, area or type at their end', () => {
    const all = [group('@none', 7, null), ...groups];
    for (const order of ['', '-name', 'A', '-A', 'score']) {
      expect(orderGroups(all, order, 'department').at(-1)?.group).toBe('@none');
    }
  });

  it('are ordered by name, score or figure; what has no value comes last', () => {
    expect(ordered('')).toBe('abcd');
    expect(ordered('-name')).toBe('dcba');
    expect(ordered('A')).toBe('cbda');
    expect(ordered('-A')).toBe('bdca');
    expect(ordered('-score')).toBe('cabd');
  });

  it('have a figure of nothing where the node told none', () => {
    expect(figureOf(undefined, 'A')).toEqual(counts());
  });
});

describe('an evaluation', () => {
  it('tells first what the city says, or the first six', () => {
    expect(headlineOf(made).map(({ id }) => id)).toEqual(['B']);
    expect(headlineOf({ ...made, headline: [] })).toHaveLength(6);
  });

  it('becomes a row for each figure of each group, and nothing stays nothing', () => {
    const rows = figureRows(made);
    expect(rows).toHaveLength(14);
    expect(rows[7]?.slice(0, 8)).toEqual(['roads', 'The roads', 'A', 'A', 20, 20, 100, '']);
    expect(rows[8]?.slice(4, 7)).toEqual([null, 0, 0]);
  });
});

describe('the cases behind a figure', () => {
  it('are told by number and part, each once', () => {
    expect(numberAndPart('urn:ngsi-ld:Case:2026-000007')).toEqual({
      number: '2026-000007',
      part: '',
    });
    expect(numberAndPart('urn:ngsi-ld:Case:2026-000007:part:4-2')).toEqual({
      number: '2026-000007',
      part: '4-2',
    });
    expect(numberAndPart('urn:ngsi-ld:Case:boston:101002176:part:4-2')).toEqual({
      number: 'boston:101002176',
      part: '4-2',
    });
    expect([...timesEach(['a', 'b', 'a'])]).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
  });
});

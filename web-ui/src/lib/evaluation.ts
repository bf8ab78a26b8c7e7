/** Evaluations in words, days and shares. Pure. */
import type { Counts, Evaluation, Group, Indicator } from '../api/evaluation';
import type { EvaluationView } from './address';
import { numberText } from './format';
import { compareTexts, t } from './i18n';
import { nameText } from './names';
import { dayBeside, instantOf } from './zone';

export interface Days {
  from: string;
  /** Included. */
  to: string;
}

/** The days of a period, as they are on a day (`YYYY-MM-DD`). */
export function daysOf(period: string, today: string): Days {
  const [year = 0, month = 0] = today.split('-').map(Number);
  if (period === 'month') return monthOf(year, month);
  if (period === 'last') return month === 1 ? monthOf(year - 1, 12) : monthOf(year, month - 1);
  if (period === 'year')
    return { from: `${today.slice(0, 4)}-01-01`, to: `${today.slice(0, 4)}-12-31` };
  const [from = today, to = today] = period.split('/');
  return { from, to };
}

/** How many days of a month must be over until it tells more than the one before. */
const enoughDays = 7;

/** The month that is shown where none was chosen: last month while this one has told little. */
export function firstPeriod(today: string, counts: { month: number; last: number }): string {
  const isYoung = Number(today.slice(8)) <= enoughDays;
  return counts.last > 0 && (isYoung || counts.month === 0) ? 'last' : 'month';
}

function monthOf(year: number, month: number): Days {
  const head = `${year}-${String(month).padStart(2, '0')}`;
  // The day before the next month's first.
  const last = new Date(Date.UTC(year, month, 0)).getUTCDate();
  return { from: `${head}-01`, to: `${head}-${last}` };
}

/** The month that a day is in, as a period of its own. */
export function monthAround(day: string): string {
  const { from, to } = daysOf('month', day);
  return `${from}/${to}`;
}

/** The instants of days, the second one not included. */
export function instantsOf({ from, to }: Days, zone: string): { since: string; until: string } {
  const iso = (day: string): string => new Date(instantOf(day, zone)).toISOString();
  return { since: iso(from), until: iso(dayBeside(to, 1)) };
}

const dayLength = 86_400_000;

/** How a period is divided, so that the steps can be told apart; "" for one that is too long. */
export function everyOf({ from, to }: Days): '' | 'day' | 'week' | 'month' {
  const days = (Date.parse(to) - Date.parse(from)) / dayLength + 1;
  if (days <= 14) return 'day';
  if (days <= 100) return 'week';
  return days <= 1_800 ? 'month' : '';
}

/** A rate in per cent. All and none are never said of what is only nearly so. */
export function rateText({
  value,
  numerator,
  denominator,
}: Omit<Counts, 'indicator' | 'apart' | 'why'>): string {
  if (value === null) return '–';
  const nearly = Math.min(99.9, Math.max(0.1, value));
  const told = numerator === 0 || numerator === denominator ? value : nearly;
  return `${numberText(told, 1)}%`;
}

export type ShareKind = 'good' | 'bad' | 'plain' | 'other' | 'apart';
export interface Share {
  kind: ShareKind;
  count: number;
}

/** What a figure is made of, in the order in which it is drawn. What is told apart comes last. */
export function sharesOf(
  { numerator, denominator, apart }: Omit<Counts, 'indicator' | 'value' | 'why'>,
  better: Indicator['better'],
): Share[] {
  const rest = denominator - numerator;
  const [first, second]: [ShareKind, ShareKind] =
    better === 'more' ? ['good', 'bad'] : better === 'less' ? ['bad', 'good'] : ['plain', 'other'];
  const aside = Object.values(apart).reduce((sum, count) => sum + count, 0);
  const all: Share[] = [
    { kind: first, count: numerator },
    { kind: second, count: rest },
    { kind: 'apart', count: aside },
  ];
  return all.filter(({ count }) => count > 0);
}

export const emptyCounts = (indicator: string): Counts => ({
  indicator,
  value: null,
  why: 'nothingDue',
  numerator: 0,
  denominator: 0,
  apart: {},
});

export const figureOf = (group: Pick<Group, 'figures'> | undefined, indicator: string): Counts =>
  group?.figures.find((each) => each.indicator === indicator) ?? emptyCounts(indicator);

/** What is told first: as the city says, else the first six. */
export function headlineOf({ headline, indicators }: Evaluation): Indicator[] {
  const named = headline.flatMap((id) => indicators.filter((each) => each.id === id));
  return named.length ? named : indicators.slice(0, 6);
}

/** A group's name; everything has one, too. */
export const groupTitle = ({ group, title }: Pick<Group, 'group' | 'title'>): string =>
  group === '' ? t('evaluation.whole') : nameText(title) || group.slice(group.lastIndexOf(':') + 1);

/** The score that is about groups like these, if the city has one. */
export const scoreOf = (group: Group, by: string): number | null =>
  group.scores.find(({ score }) => score === by)?.value ?? null;

/** The group of what has no department, area or type. */
const withoutGroup = '@none';

/**
 * Groups by a column: `name`, `score` or an indicator; "-" before it turns. What has no value comes last,
 * and after it what has no department, area or type.
 */
export function orderGroups(groups: readonly Group[], order: string, by: string): Group[] {
  const name = order.replace(/^-/, '');
  const turn = order.startsWith('-') ? -1 : 1;
  const byName = (a: Group, b: Group): number => compareTexts(groupTitle(a), groupTitle(b));
  const isWithout = ({ group }: Group): number => Number(group === withoutGroup);
  if (name === '' || name === 'name') {
    return [...groups].sort((a, b) => isWithout(a) - isWithout(b) || turn * byName(a, b));
  }
  const of = (group: Group): number | null =>
    name === 'score' ? scoreOf(group, by) : figureOf(group, name).value;
  return [...groups].sort((a, b) => {
    if (isWithout(a) !== isWithout(b)) return isWithout(a) - isWithout(b);
    const [left, right] = [of(a), of(b)];
    if (left === null || right === null)
      return Number(left === null) - Number(right === null) || byName(a, b);
    return turn * (left - right) || byName(a, b);
  });
}

/** Which cases of a figure are listed first: what was not as it should be. */
export const firstPart = (better: Indicator['better']): string =>
  better === 'more' ? 'rest' : 'numerator';

/** Every figure of every group with its counts, for a file. */
export function figureRows(found: Evaluation): (string | number | null)[][] {
  return found.groups.flatMap((group) =>
    found.indicators.map((indicator) => {
      const { value, numerator, denominator, apart } = figureOf(group, indicator.id);
      return [
        group.group,
        groupTitle(group),
        indicator.id,
        nameText(indicator.title),
        value,
        numerator,
        denominator,
        Object.entries(apart)
          .map(([why, count]) => `${why}: ${count}`)
          .join('; '),
        found.since,
        found.until,
        found.evaluatedAt,
      ];
    }),
  );
}
export const figureColumns = [
  'group',
  'name',
  'indicator',
  'title',
  'value',
  'numerator',
  'denominator',
  'apart',
  'since',
  'until',
  'evaluatedAt',
];

/** A case's number, and its part where the id is one of a part. */
export function numberAndPart(id: string): { number: string; part: string } {
  const [, number = id, part = ''] = /^urn:ngsi-ld:Case:(.+?)(?::part:(.+))?$/.exec(id) ?? [];
  return { number, part };
}

/** Each once, with how often it stood there. */
export function timesEach(ids: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const id of ids) found.set(id, (found.get(id) ?? 0) + 1);
  return found;
}

/** How the node is asked to divide: by role, a department's figures are told as whose work they are. */
export const groupsBy = (by: EvaluationView['by']): string => (by === 'role' ? 'department' : by);

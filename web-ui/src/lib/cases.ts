/** Cases in words and signs. Pure. */
import type { CaseClock, CaseRow, Workflow } from '../api/cases';
import type { CaseStatus, Light } from './address';
import { durationText, hoursText, lengthText } from './format';
import { known, plural, t } from './i18n';
import { nameText } from './names';
import type { Shape } from './symbols';

/** A light is a colour and a shape, on the map and in the list. */
export const lightMarks: Record<Light, { colour: string; shape: Shape }> = {
  green: { colour: '#009E73', shape: 'circle' },
  amber: { colour: '#E69F00', shape: 'triangle' },
  red: { colour: '#D55E00', shape: 'square' },
};

export const promiseOf = ({ clocks }: Pick<CaseRow, 'clocks'>): CaseClock | undefined =>
  clocks.find(({ clock }) => clock === 'promise');

/** Whose light a case has: the promise's where its is the same, else that of which the least is left. */
export function lightClock(row: Pick<CaseRow, 'clocks' | 'light'>): CaseClock | undefined {
  const alike = row.clocks.filter(({ light }) => light === row.light);
  return promiseOf({ clocks: alike }) ?? alike.sort((a, b) => a.left - b.left)[0];
}

/** What was reported, in the reader's language where it came in several. */
export const descriptionText = ({
  description = '',
  descriptions,
}: Pick<CaseRow, 'description' | 'descriptions'>): string => nameText(descriptions) || description;

/** The running clock of which the least is left. */
export const nextClock = ({ clocks }: Pick<CaseRow, 'clocks'>): CaseClock | undefined =>
  clocks.filter(({ deadline }) => deadline).sort((a, b) => a.left - b.left)[0];

export const clockTitle = (clock: string): string => known(`cases.clock.${clock}`) ?? clock;

/** What is left of a clock. Work time is told in work days from two of them on, and in hours below. */
export function leftText({ left, measure, state, workDay = 0 }: CaseClock): string {
  const seconds = Math.abs(left);
  const whole = seconds >= 60 ? seconds - (seconds % 60) : seconds;
  const key = state === 'paused' ? 'paused' : left < 0 ? 'late' : 'left';
  if (measure !== 'work') return t(`cases.${key}`, { time: lengthText(whole) });
  if (!workDay || whole < 2 * workDay) return t(`cases.${key}.work`, { time: hoursText(whole) });
  const rest = whole % workDay;
  const days = plural('rules.limit.wd', Math.floor(whole / workDay));
  // Minutes say nothing beside days.
  const hours = rest >= 3_600 ? ` ${hoursText(rest - (rest % 3_600))}` : '';
  return t(`cases.${key}`, { time: days + hours });
}

/** A limit as the node writes it (`4wd`, `U15min`) in words; limits that were added up keep their plus. */
export const limitText = (text: string): string => text.split(' + ').map(oneLimit).join(' + ');

function oneLimit(text: string): string {
  const [, count = '', unit = ''] =
    /^(?:U(?=\d+(?:min|h|d)$)|(?=\d+w))(\d+)(w?(?:min|h|d))$/.exec(text) ?? [];
  if (unit) return plural(`rules.limit.${unit}` as 'rules.limit.wd', Number(count));
  // A promise that was given as a date is so many seconds from the report.
  const [, seconds] = /^U(\d+(?:\.\d+)?)s$/.exec(text) ?? [];
  return seconds === undefined ? durationText(text) : lengthText(Number(seconds));
}

/** A number of a case as somebody typed or copied it: full-width digits, blanks and a # are taken. */
export const typedNumber = (text: string): string => text.normalize('NFKC').replace(/[\s#]+/g, '');

/**
 * The states in which a role may move a case on, and the status that holds them. Open ones; of a role that acts
 * on closed cases alone, closed ones. Merging, which is open nearly everywhere, moves no case on.
 */
export function workOf(
  { moves, states }: Pick<Workflow, 'moves' | 'states'>,
  role: string,
): { states: string[]; status: CaseStatus } {
  const own = new Set(
    moves
      .filter(({ roles, effects }) => roles.includes(role) && !effects?.includes('merge'))
      .flatMap(({ from }) => from),
  );
  const found = Object.keys(states).filter((state) => own.has(state));
  const open = found.filter((state) => !states[state]?.closed);
  return open.length || !found.length
    ? { states: open, status: 'open' }
    : { states: found, status: 'closed' };
}

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

/** What is left of a clock; work time in hours, since a day of it is not a day. */
export function leftText({ left, measure, state }: CaseClock): string {
  const seconds = Math.abs(left);
  const whole = seconds >= 60 ? seconds - (seconds % 60) : seconds;
  const time = measure === 'work' ? hoursText(whole) : lengthText(whole);
  const key = state === 'paused' ? 'paused' : left < 0 ? 'late' : 'left';
  return t(`cases.${key}${measure === 'work' ? '.work' : ''}`, { time });
}

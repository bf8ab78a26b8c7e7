import type { Days } from '../../lib/evaluation';
import { timeZone } from '../../lib/format';
import { dayBeside, dayOf } from '../../lib/zone';

/** The days of a step, whose second instant is not included. */
export const daysOfStep = ({ since, until }: { since: string; until: string }): Days => ({
  from: dayOf(Date.parse(since), timeZone.value),
  to: dayBeside(dayOf(Date.parse(until), timeZone.value), -1),
});

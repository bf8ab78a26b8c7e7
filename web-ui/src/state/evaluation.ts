/** What the reader evaluates: the chosen days, group and figure, and the address with them. */
import { signal } from '@preact/signals';
import { countReported, type Wish } from '../api/evaluation';
import { type EvaluationView, firstView } from '../lib/address';
import { timeZone } from '../lib/format';
import { type Days, daysOf, everyOf, firstPeriod, groupsBy, instantsOf } from '../lib/evaluation';
import { nodeNow } from '../lib/nodetime';
import { dayOf } from '../lib/zone';
import { go, view } from './view';

/** Changes what is evaluated, and the address with it. */
export function goEvaluation(change: Partial<EvaluationView>, step = true): void {
  go({ evaluation: { ...view.value.evaluation, ...change } }, step);
}

const today = (): string => dayOf(nodeNow(), timeZone.value);

/** What is shown where the reader chose no period; "" until that is known. */
const unchosen = signal('');

/** Looks which month tells something; this one where that cannot be known. */
export async function findPeriod(stop: AbortSignal): Promise<void> {
  const day = today();
  const count = (period: string): Promise<number> =>
    countReported(instantsOf(daysOf(period, day), timeZone.value), stop);
  try {
    const [month, last] = await Promise.all([count('month'), count('last')]);
    unchosen.value = firstPeriod(day, { month, last });
  } catch (thrown) {
    if (stop.aborted) throw thrown;
    unchosen.value = 'month';
  }
}

/** The period that is shown; "" until it is known. */
export const chosenPeriod = (): string => view.value.evaluation.period || unchosen.value;

/** The chosen days, by the city's own calendar. */
export const chosenDays = (): Days => daysOf(chosenPeriod() || 'month', today());

/** What the node is asked for. */
export function wish(): Wish {
  const days = chosenDays();
  const { by } = view.value.evaluation;
  return { ...instantsOf(days, timeZone.value), by: groupsBy(by), every: everyOf(days) };
}

/** Opens a figure of a group; the case that was open is closed. */
export function openFigure(figure: string, group: string): void {
  const { evaluation, cases } = view.value;
  go({ evaluation: { ...evaluation, figure, group, part: '' }, cases: { ...cases, number: '' } });
}

/** Other days, divided as before: the figure that is open stays. */
export const goPeriod = (period: string): void => goEvaluation({ period });

/** Another division has other groups; those of roles are departments, too. */
export function goDivision(by: EvaluationView['by']): void {
  const now = view.value.evaluation;
  const group = groupsBy(by) === groupsBy(now.by) ? now.group : '';
  goEvaluation({ by, group, order: firstView.evaluation.order });
}

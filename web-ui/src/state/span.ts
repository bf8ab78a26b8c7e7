/** Which time the view names: from when to when the past is shown. */
import { computed, untracked } from '@preact/signals';
import type { TimeView } from '../lib/address';
import { timeZone } from '../lib/format';
import { nodeNow } from '../lib/nodetime';
import { dayBeside, instantOf } from '../lib/zone';
import { view } from './view';

export interface Span {
  from: number;
  to: number;
}

/** A long day: what the last 24 hours are is settled when they are chosen, or they would run away. */
const lastDay = 24 * 3_600_000;
let chosenAt = 0;
/** The newest instant that may be asked for: the node's clock is known to a second or so. */
export const newest = (): number => nodeNow() - 2_000;

/** The last 24 hours are those before this moment. */
export function settleLastDay(): void {
  chosenAt = newest();
}

export const keyOf = (time: TimeView): string => JSON.stringify(time);
export const timeKey = computed(() => keyOf(view.value.time));

/** The whole time that the view names, also what of it has not come yet; null while live. */
export const namedSpan = computed<Span | null>(() => {
  void timeKey.value;
  const time = untracked(() => view.value.time);
  switch (time.mode) {
    case 'live':
      return null;
    case 'last24h':
      return { from: chosenAt - lastDay, to: chosenAt };
    case 'day':
      return {
        from: instantOf(time.day, timeZone.value),
        to: instantOf(dayBeside(time.day, 1), timeZone.value),
      };
    case 'range':
      return { from: Date.parse(time.from), to: Date.parse(time.to) };
  }
});

/** From when to when the past is shown; null when it is not. */
export const span = computed<Span | null>(() => {
  const named = namedSpan.value;
  return named && untilNow(named, untracked(newest));
});

/** Of a time that is not over, what has been; one that has not begun stays as it is. */
const untilNow = ({ from, to }: Span, now: number): Span => ({
  from,
  to: from < now ? Math.min(to, now) : to,
});

export const isPast = computed(() => namedSpan.value !== null);

/** Whole seconds: nobody reads more, and addresses stay short. */
export const iso = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');

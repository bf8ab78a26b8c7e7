import type uPlot from 'uplot';
import { timeZone } from '../../lib/format';
import { locale } from '../../lib/i18n';

/** The ticks of the time axis: hours within a day, days beyond, by the reader's language. */
export function timeTicks(
  _: uPlot,
  splits: number[],
  _axis: number,
  _space: number,
  step: number,
): string[] {
  const day = 86_400;
  const options: Intl.DateTimeFormatOptions =
    step >= 28 * day
      ? { year: 'numeric', month: 'short' }
      : step >= day
        ? { month: 'short', day: 'numeric' }
        : { hour: '2-digit', minute: '2-digit' };
  const format = new Intl.DateTimeFormat(locale.value, { ...options, timeZone: timeZone.value });
  const date = new Intl.DateTimeFormat(locale.value, {
    month: 'short',
    day: 'numeric',
    timeZone: timeZone.value,
  });
  let before = '';
  return splits.map((seconds) => {
    const time = new Date(seconds * 1000);
    const text = format.format(time);
    if (step >= day) return text;
    const on = date.format(time);
    const first = on !== before;
    before = on;
    return first ? `${text}\n${on}` : text;
  });
}

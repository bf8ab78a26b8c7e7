/** Which time a history is read over. Pure. */
import type { TimeView } from './address';

/** Milliseconds since 1970; without a beginning it is the newest `lastN` values, without an end it goes on. */
export interface Timeframe {
  from?: number;
  to?: number;
  lastN?: number;
}

const day = 86_400_000;

/** How much of the past is drawn while the city is shown live: a number of values, or of days. */
export type Depth = { values: number } | { days: number };

/** The time that the time bar asks for, or what the reader wants to see of the present. */
export function timeframeOf(time: TimeView, depth: Depth, zone: string, now: number): Timeframe {
  switch (time.mode) {
    case 'last24h':
      return { from: now - day, to: now };
    case 'day': {
      const from = startOfDay(time.day, zone);
      return { from, to: startOfDay(dayAfter(time.day), zone) };
    }
    case 'range':
      return { from: Date.parse(time.from), to: Date.parse(time.to) };
    default:
      return 'values' in depth ? { lastN: depth.values } : { from: now - depth.days * day };
  }
}

/**
 * When a day of the calendar (YYYY-MM-DD) begins in a time zone (IANA name), in milliseconds since 1970.
 *
 * The zone's offset is looked up where the day is believed to begin, and once more where that turns out to be:
 * the two differ on a day on which clocks are changed.
 */
export function startOfDay(dayText: string, zone: string): number {
  const wall = Date.parse(`${dayText}T00:00:00Z`);
  const guess = wall - offsetAt(wall, zone);
  return wall - offsetAt(guess, zone);
}

function dayAfter(dayText: string): string {
  return new Date(Date.parse(`${dayText}T00:00:00Z`) + day).toISOString().slice(0, 10);
}

/** How far a zone's clocks are ahead of UTC at an instant, in milliseconds. */
function offsetAt(time: number, zone: string): number {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  }).formatToParts(time);
  const of = (type: string): number => Number(parts.find((part) => part.type === type)?.value);
  const wall = Date.UTC(
    of('year'),
    of('month') - 1,
    of('day'),
    of('hour'),
    of('minute'),
    of('second'),
  );
  return wall - Math.floor(time / 1000) * 1000;
}

const least = 60_000;

/** The same time seen from nearer (a factor below 1) or from farther, around its middle. */
export function zoomed({ from, to }: { from: number; to: number }, factor: number) {
  const half = Math.max(((to - from) * factor) / 2, least / 2);
  const middle = (from + to) / 2;
  return { from: Math.round(middle - half), to: Math.round(middle + half) };
}

/** A time of the same length, half of it earlier (negative) or later. */
export function shifted({ from, to }: { from: number; to: number }, direction: -1 | 1) {
  const by = Math.round(((to - from) / 2) * direction);
  return { from: from + by, to: to + by };
}

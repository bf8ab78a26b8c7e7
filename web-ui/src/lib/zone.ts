/** Days and hours of the city's own time zone, as instants and back. Pure; the zone's rules are the browser's. */

const minute = 60_000;

/** Making one costs a hundred times as much as using it. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const kept = formats.get(zone);
  if (kept) return kept;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  formats.set(zone, made);
  return made;
}

/** How far a zone is ahead of UTC at an instant, in milliseconds. */
function offsetAt(at: number, zone: string): number {
  const parts = formatOf(zone).formatToParts(at);
  const of = (type: string): number => Number(parts.find((part) => part.type === type)?.value);
  const local = Date.UTC(
    of('year'),
    of('month') - 1,
    of('day'),
    of('hour'),
    of('minute'),
    of('second'),
  );
  return local - Math.floor(at / 1000) * 1000;
}

/**
 * The instant of a wall clock's time, in milliseconds.
 *
 * A time that the clock shows twice is the earlier one; one that it leaves out is as far behind the gap as it
 * would have been.
 *
 * @param local `YYYY-MM-DD` (its midnight) or `YYYY-MM-DDTHH:MM`
 * @returns NaN when it is no time
 */
export function instantOf(local: string, zone: string): number {
  const wall = Date.parse(local.length === 10 ? `${local}T00:00Z` : `${local}Z`);
  if (Number.isNaN(wall)) return Number.NaN;
  // The offset a day before and a day after: those are all that can hold around a change of the clocks.
  const before = offsetAt(wall - 1440 * minute, zone);
  const after = offsetAt(wall + 1440 * minute, zone);
  for (const offset of [Math.max(before, after), Math.min(before, after)]) {
    if (offsetAt(wall - offset, zone) === offset) return wall - offset;
  }
  return wall - before;
}

/** What a wall clock shows: `YYYY-MM-DDTHH:MM`. */
export function localTime(at: number, zone: string): string {
  return new Date(at + offsetAt(at, zone)).toISOString().slice(0, 16);
}

/** The day of the zone that an instant is in: `YYYY-MM-DD`. */
export const dayOf = (at: number, zone: string): string => localTime(at, zone).slice(0, 10);

/** The day before or after, of the calendar. */
export function dayBeside(day: string, step: number): string {
  return new Date(Date.parse(`${day}T00:00Z`) + step * 1440 * minute).toISOString().slice(0, 10);
}

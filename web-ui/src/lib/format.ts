/** Numbers and times by the reader's language and the city's time zone. */
import { signal } from '@preact/signals';
import { locale, t } from './i18n';
import { nodeNow, playedSpeed } from './nodetime';
import { unitSign } from './units';

/** The city's time zone (IANA name): every time on the page is told in it. */
export const timeZone = signal('UTC');

/** Ticks now and then, so that "a minute ago" does not stand still while nothing else changes. */
export const clock = signal(0);
const tickEvery = 20_000;
const playedTickEvery = 1_000;

/**
 * Starts the ticks; faster where the node plays recorded time.
 *
 * @param ask asks the node for anything, since an answer tells how its time goes: a played one may have
 *   been stopped
 */
export function startClock(ask: () => void): void {
  let ticks = 0;
  setInterval(() => {
    const played = playedSpeed.value !== null;
    ticks++;
    if (played && ticks % 3 === 0 && !document.hidden) ask();
    if (played || ticks % (tickEvery / playedTickEvery) === 0) clock.value++;
  }, playedTickEvery);
}

export function numberText(value: number, digits = 3): string {
  return new Intl.NumberFormat(locale.value, { maximumFractionDigits: digits }).format(value);
}

export function quantity(value: number, unitCode?: string): string {
  const sign = unitCode ? unitSign(unitCode) : '';
  const number = numberText(value);
  if (!sign) return number;
  return sign === '%' || sign === '°' ? `${number}${sign}` : `${number}\u00a0${sign}`;
}

export function timeText(
  time: string | number | Date,
  precision: 'short' | 'medium' = 'medium',
): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return String(time);
  return new Intl.DateTimeFormat(locale.value, {
    dateStyle: 'medium',
    timeStyle: precision,
    timeZone: timeZone.value,
  }).format(date);
}

/** A place as people write and search it: latitude first, each with its letter. Degrees of WGS 84. */
export function placeText(lon: number, lat: number, digits: number): string {
  const degrees = (value: number): string => numberText(Math.abs(value), digits);
  return t('map.place', {
    lat: t(lat < 0 ? 'map.south' : 'map.north', { at: degrees(lat) }),
    lon: t(lon < 0 ? 'map.west' : 'map.east', { at: degrees(lon) }),
  });
}

/** A day without a time (`YYYY-MM-DD`) is the same day everywhere. */
export function dayText(day: string): string {
  const date = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(date.getTime())) return day;
  return new Intl.DateTimeFormat(locale.value, {
    dateStyle: 'medium',
    timeZone: 'UTC',
  }).format(date);
}

/** Days from one to another, both included, in as few words as the language needs. */
export function daysText({ from, to }: { from: string; to: string }): string {
  const [first, last] = [from, to].map((day) => new Date(`${day}T00:00:00Z`)) as [Date, Date];
  return new Intl.DateTimeFormat(locale.value, {
    year: 'numeric',
    month: 'short',
    day: 'numeric',
    timeZone: 'UTC',
  }).formatRange(first, last);
}

/** A time of day alone. */
export function hourText(time: string | number | Date): string {
  return new Intl.DateTimeFormat(locale.value, {
    timeStyle: 'short',
    timeZone: timeZone.value,
  }).format(new Date(time));
}

/** A time of day to be read at a glance, its zone and its day, each by itself. */
export function clockText(at: number): { time: string; zone: string; day: string } {
  const zone = timeZone.value;
  const of = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
    new Intl.DateTimeFormat(locale.value, { timeZone: zone, ...options });
  const named = of({ hour: 'numeric', timeZoneName: 'short' }).formatToParts(at);
  return {
    time: of({ timeStyle: 'short' }).format(at),
    zone: named.find(({ type }) => type === 'timeZoneName')?.value ?? zone,
    day: of({ weekday: 'short', year: 'numeric', month: 'short', day: 'numeric' }).format(at),
  };
}

/** A duration in words, in the largest unit that it is a whole number of. */
export function spanText(milliseconds: number): string {
  const seconds = Math.max(1, Math.round(Math.abs(milliseconds) / 1000));
  const [unit, size] = steps.find(([, size]) => seconds % size === 0) ?? ['second', 1];
  return new Intl.NumberFormat(locale.value, {
    style: 'unit',
    unit,
    unitDisplay: 'long',
  }).format(seconds / size);
}

const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];

/** How long ago by the node's clock, in the largest whole unit; beyond a month the date itself says more. */
export function agoText(time: string | number | Date, now: number = nodeNow()): string {
  void clock.value;
  const seconds = (new Date(time).getTime() - now) / 1000;
  if (Number.isNaN(seconds)) return String(time);
  if (Math.abs(seconds) > 31 * 86_400) return timeText(time);
  const [unit, size] = steps.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1];
  return new Intl.RelativeTimeFormat(locale.value, { numeric: 'auto' }).format(
    Math.trunc(seconds / size),
    unit,
  );
}

const month = 30.44 * 86_400;

/** How many months or years ago, where `agoText` gives the date; "" for what is younger. */
export function ageText(time: string | number | Date, now: number = nodeNow()): string {
  void clock.value;
  const seconds = (now - new Date(time).getTime()) / 1000;
  if (!(seconds > 31 * 86_400)) return '';
  const months = Math.floor(seconds / month);
  const format = new Intl.RelativeTimeFormat(locale.value, { numeric: 'always' });
  return months < 12
    ? format.format(-months, 'month')
    : format.format(-Math.floor(months / 12), 'year');
}

/** A number of bytes in the largest unit that leaves at least one. */
export function bytesText(bytes: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return new Intl.NumberFormat(locale.value, {
    style: 'unit',
    unit: units[step] as string,
    unitDisplay: step ? 'short' : 'long',
    maximumFractionDigits: step ? 1 : 0,
  }).format(bytes / 1000 ** step);
}

/** A time from one instant to another, in the two largest units that say something. */
export const lengthText = (seconds: number): string => inUnits(seconds, steps);

/** The same in nothing longer than hours. */
export const hoursText = (seconds: number): string => inUnits(seconds, steps.slice(1));

function inUnits(seconds: number, units: typeof steps): string {
  const parts: [Intl.RelativeTimeFormatUnit, number][] = [];
  let left = Math.max(0, seconds);
  for (const [unit, size] of units) {
    const count = unit === 'second' ? Math.round(left * 10) / 10 : Math.floor(left / size);
    if (count && parts.length < 2) parts.push([unit, count]);
    left -= Math.floor(left / size) * size;
  }
  const [first = ['second', 0] as [Intl.RelativeTimeFormatUnit, number], second] = parts;
  const text = ([unit, count]: [Intl.RelativeTimeFormatUnit, number]): string =>
    new Intl.NumberFormat(locale.value, {
      style: 'unit',
      unit,
      unitDisplay: 'short',
      maximumFractionDigits: second || count >= 10 ? 0 : 1,
    }).format(count);
  return second ? `${text(first)} ${text(second)}` : text(first);
}

/** An ISO 8601 duration (`PT15M`, `P1D`) in words; as it is where it is none. */
export function durationText(duration: string): string {
  const seconds = durationSeconds(duration);
  return seconds === null ? duration : lengthText(seconds);
}

/** An ISO 8601 duration without months and years, in seconds; null where it is none. */
export function durationSeconds(duration: string): number | null {
  const found = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/.exec(
    duration,
  );
  if (!found) return null;
  const [weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = found
    .slice(1)
    .map((part) => Number(part ?? 0));
  return weeks * 604_800 + days * 86_400 + hours * 3_600 + minutes * 60 + seconds;
}

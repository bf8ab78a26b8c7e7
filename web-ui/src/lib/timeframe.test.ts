import { describe, expect, it } from 'vitest';
import { shifted, startOfDay, timeframeOf, zoomed } from './timeframe';

const iso = (time: number): string => new Date(time).toISOString();

describe('startOfDay', () => {
  it("is midnight by the zone's clocks", () => {
    expect(iso(startOfDay('2026-07-01', 'Asia/Shanghai'))).toBe('2026-06-30T16:00:00.000Z');
    expect(iso(startOfDay('2026-07-01', 'America/New_York'))).toBe('2026-07-01T04:00:00.000Z');
    expect(iso(startOfDay('2026-07-01', 'UTC'))).toBe('2026-07-01T00:00:00.000Z');
  });

  it('knows the days on which clocks change', () => {
    // In 2026 New York goes to summer time on 8 March at 07:00 UTC and back on 1 November at 06:00 UTC.
    expect(iso(startOfDay('2026-03-08', 'America/New_York'))).toBe('2026-03-08T05:00:00.000Z');
    expect(iso(startOfDay('2026-03-09', 'America/New_York'))).toBe('2026-03-09T04:00:00.000Z');
    expect(iso(startOfDay('2026-11-02', 'America/New_York'))).toBe('2026-11-02T05:00:00.000Z');
  });
});

describe('timeframeOf', () => {
  const now = Date.parse('2026-03-10T12:00:00Z');
  const zone = 'America/New_York';
  const values = { values: 500 };

  it('is what the time bar asks for', () => {
    const spring = timeframeOf({ mode: 'day', day: '2026-03-08' }, values, zone, now);
    expect(((spring.to ?? 0) - (spring.from ?? 0)) / 3_600_000).toBe(23);
    expect(timeframeOf({ mode: 'last24h' }, values, zone, now)).toEqual({
      from: now - 86_400_000,
      to: now,
    });
    const [from, to] = ['2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z'];
    expect(timeframeOf({ mode: 'range', from, to }, values, zone, now)).toEqual({
      from: Date.parse(from),
      to: Date.parse(to),
    });
  });

  it('is as deep as the reader wishes while the city is live', () => {
    expect(timeframeOf({ mode: 'live' }, values, zone, now)).toEqual({ lastN: 500 });
    expect(timeframeOf({ mode: 'live' }, { days: 7 }, zone, now)).toEqual({
      from: now - 7 * 86_400_000,
    });
  });
});

describe('zoomed and shifted', () => {
  it('keep the middle and the length', () => {
    const hour = 3_600_000;
    expect(zoomed({ from: 0, to: 4 * hour }, 0.5)).toEqual({ from: hour, to: 3 * hour });
    expect(shifted({ from: 0, to: 4 * hour }, -1)).toEqual({ from: -2 * hour, to: 2 * hour });
    const least = zoomed({ from: 0, to: 60_000 }, 0.01);
    expect(least.to - least.from).toBe(60_000);
  });
});

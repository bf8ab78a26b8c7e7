import { describe, expect, it } from 'vitest';
import { dayBeside, dayOf, instantOf, localTime } from './zone';

const iso = (local: string, zone: string): string => new Date(instantOf(local, zone)).toISOString();

describe('a wall clock', () => {
  it('is read in its own zone', () => {
    expect(iso('2026-06-29', 'Asia/Shanghai')).toBe('2026-06-28T16:00:00.000Z');
    expect(iso('2026-06-29T08:30', 'America/New_York')).toBe('2026-06-29T12:30:00.000Z');
    expect(iso('2026-01-29T08:30', 'Asia/Kathmandu')).toBe('2026-01-29T02:45:00.000Z');
    expect(instantOf('tomorrow', 'UTC')).toBeNaN();
  });

  it('is read on the days when clocks are put forward and back', () => {
    // New York, 2026: 8 March from 02:00 to 03:00, 1 November from 02:00 to 01:00.
    expect(iso('2026-03-08', 'America/New_York')).toBe('2026-03-08T05:00:00.000Z');
    expect(iso('2026-03-09', 'America/New_York')).toBe('2026-03-09T04:00:00.000Z');
    expect(iso('2026-11-01T01:30', 'America/New_York')).toBe('2026-11-01T05:30:00.000Z');
    expect(iso('2026-11-01T02:30', 'America/New_York')).toBe('2026-11-01T07:30:00.000Z');
    expect(iso('2026-03-08T02:30', 'America/New_York')).toBe('2026-03-08T07:30:00.000Z');
    // São Paulo, 2018: 4 November had no midnight.
    expect(localTime(instantOf('2018-11-04', 'America/Sao_Paulo'), 'America/Sao_Paulo')).toBe(
      '2018-11-04T01:00',
    );
  });

  it('comes back as it was shown', () => {
    for (const zone of ['UTC', 'Asia/Shanghai', 'America/New_York', 'Pacific/Chatham']) {
      for (let hour = 0; hour < 24 * 400; hour += 17) {
        const at = Date.UTC(2026, 0, 1, hour, 13);
        const shown = localTime(at, zone);
        expect(localTime(instantOf(shown, zone), zone)).toBe(shown);
        expect(dayOf(at, zone)).toBe(shown.slice(0, 10));
      }
    }
  });

  it('counts days by the calendar', () => {
    expect(dayBeside('2026-02-28', 1)).toBe('2026-03-01');
    expect(dayBeside('2026-01-01', -1)).toBe('2025-12-31');
  });
});

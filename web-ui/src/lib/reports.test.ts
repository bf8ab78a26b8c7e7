import { describe, expect, it } from 'vitest';
import type { Report, Source } from '../api/city';
import { ageText, bytesText, durationSeconds, durationText, lengthText } from './format';
import { language } from './i18n';
import { byUrgency, countsOf, standingOf } from './reports';

const report = (rejected: Record<string, number>): Report => ({
  run: 'urn:run:1',
  status: 'ok',
  started: '',
  ended: '',
  seconds: 1,
  read: 10,
  created: 4,
  updated: 3,
  unchanged: 1,
  repeated: 0,
  noPlace: 0,
  rejected,
  files: [],
  error: '',
});

const source = (id: string, status: Source['status'], rejected = {}): Source => ({
  id,
  name: id,
  format: 'csv',
  lastRun: null,
  status,
  report: report(rejected),
});

describe('a report', () => {
  it('tells rows that brought readings alone from the others', () => {
    expect(countsOf({ ...report({ odd: 1 }), read: 100 }).readings).toBe(91);
  });

  it('counts rejected rows over all reasons', () => {
    expect(countsOf(report({ 'bad place': 2, 'no id': 3 }))).toEqual({
      created: 4,
      updated: 3,
      unchanged: 1,
      readings: 0,
      rejected: 5,
    });
  });
});

describe('sources', () => {
  it('are on time only where something is expected of them', () => {
    expect(standingOf(source('a', 'ok'))).toBe('open');
    expect(standingOf({ ...source('a', 'ok'), expectedInterval: 'PT1H' })).toBe('ok');
    expect(standingOf(source('a', 'failed'))).toBe('failed');
    expect(standingOf(source('a', 'never'))).toBe('never');
  });

  it('stand with the problems first, each kind by name', () => {
    const list = [
      source('d', 'ok'),
      source('c', 'ok', { odd: 1 }),
      source('e', 'never'),
      source('b', 'stale'),
      source('a', 'ok'),
      source('f', 'failed'),
    ];
    expect(byUrgency(list, ({ id }) => id).map(({ id }) => id)).toEqual([
      'f',
      'b',
      'c',
      'e',
      'a',
      'd',
    ]);
  });
});

describe('sizes and lengths', () => {
  it('are told in units that fit', () => {
    language.value = 'en';
    expect(bytesText(0)).toBe('0 bytes');
    expect(bytesText(46_088_192)).toBe('46.1 MB');
    expect(lengthText(0.24)).toBe('0.2 sec');
    expect(lengthText(90)).toBe('1 min 30 sec');
    expect(lengthText(90_000)).toBe('1 day 1 hr');
    expect(durationText('PT2H')).toBe('2 hr');
    expect(durationText('P1DT12H')).toBe('1 day 12 hr');
    expect(durationText('P1M')).toBe('P1M');
  });
});

describe('ages', () => {
  const now = Date.parse('2026-06-30T12:00:00Z');

  it('are told in months and years once the date alone is told', () => {
    language.value = 'en';
    expect(ageText('2026-06-20T12:00:00Z', now)).toBe('');
    expect(ageText('2026-03-15T12:00:00Z', now)).toBe('3 months ago');
    expect(ageText('2022-11-16T12:00:00Z', now)).toBe('3 years ago');
    expect(ageText('no time', now)).toBe('');
  });

  it('come from durations whose length is known', () => {
    expect(durationSeconds('P1DT1H')).toBe(90_000);
    expect(durationSeconds('P1M')).toBeNull();
  });
});

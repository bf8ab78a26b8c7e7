import { beforeEach, describe, expect, it } from 'vitest';
import type { Version } from '../api/rules';
import { timeZone } from './format';
import { addDays, barOf, dayOf, freeVersion, linesOf, versionOf, yearTo } from './ruledays';

const today = '2026-12-01';
const version = (name: string, more: Partial<Version> = {}): Version => ({
  decisionTable: 'who-comes',
  version: name,
  kind: 'routing',
  title: {},
  rows: 1,
  state: 'adopted',
  ...more,
});
const file = version('files', { state: 'file', decisionTable: 'cityloom-limits', kind: 'limits' });

beforeEach(() => {
  timeZone.value = 'Asia/Shanghai';
});

describe('days', () => {
  it('are those of the city', () => {
    expect(dayOf(Date.parse('2026-11-30T16:30:00Z'))).toBe('2026-12-01');
    expect(addDays('2026-12-31', 1)).toBe('2027-01-01');
  });

  it('make twelve months that end with a day', () => {
    expect(yearTo('2026-11-30')).toEqual({ from: '2025-12-01', until: '2026-11-30' });
    expect(yearTo('2024-02-29')).toEqual({ from: '2023-03-01', until: '2024-02-29' });
  });
});

describe('lines', () => {
  const versions = [
    version('1', { from: '2026-06-01', until: '2026-11-30' }),
    version('2', { from: '2026-12-01', until: '2026-12-31' }),
    version('3', { from: '2027-01-01', until: null }),
    version('old draft', { state: 'draft', writtenAt: '2026-11-01T00:00:00Z' }),
    version('draft', { state: 'draft', writtenAt: '2026-11-02T00:00:00Z' }),
    version('lamps', { kind: 'opening', decisionTable: 'lamps', from: '2026-01-01' }),
    version('river', { kind: 'opening', decisionTable: 'river', from: '2026-01-01' }),
  ];

  it('tell what decides now, what comes, what is written and what is past', () => {
    const [line, ...others] = linesOf(versions, 'routing', true, today);
    expect(others).toEqual([]);
    expect(line?.now?.version).toBe('2');
    expect(line?.coming.map((each) => each.version)).toEqual(['3']);
    expect(line?.drafts.map((each) => each.version)).toEqual(['draft', 'old draft']);
    expect(line?.past.map((each) => each.version)).toEqual(['1']);
  });

  it('are one a table where several decide at a time', () => {
    expect(linesOf(versions, 'opening', false, today).map(({ table }) => table)).toEqual([
      'lamps',
      'river',
    ]);
  });

  it('fall back on the files where nothing else was adopted', () => {
    const later = version('9', { kind: 'limits', from: '2027-05-01', until: null });
    const [line] = linesOf([file, later], 'limits', true, today);
    expect(line?.now?.version).toBe('files');
    const bar = barOf(line!, today);
    expect(bar.spans.map(({ version, when }) => [version?.version, when])).toEqual([
      ['files', 'now'],
      ['9', 'coming'],
    ]);
    expect(bar.spans.reduce((sum, { width }) => sum + width, 0)).toBeCloseTo(100);
  });

  it('are drawn without a break, and with what lies between versions', () => {
    const gap = [
      version('1', { from: '2026-10-01', until: '2026-10-31' }),
      version('2', { from: '2026-12-01', until: null }),
    ];
    const bar = barOf(linesOf(gap, 'routing', true, today)[0]!, today);
    expect(bar.spans.map(({ version, when }) => [version?.version ?? '', when])).toEqual([
      ['1', 'past'],
      ['', 'past'],
      ['2', 'now'],
    ]);
    const ends = bar.spans.map(({ left, width }) => left + width);
    expect(bar.spans.slice(1).map(({ left }) => left)).toEqual(
      ends.slice(0, -1).map((end) => expect.closeTo(end)),
    );
    expect(ends.at(-1)).toBeCloseTo(100);
    expect(bar.spans[2]?.left).toBeCloseTo(bar.today);
  });
});

describe('versions', () => {
  it('get a name that is free', () => {
    expect(freeVersion([], 'who-comes', today)).toBe(today);
    const taken = [version(today), version(`${today}-2`)];
    expect(freeVersion(taken, 'who-comes', today)).toBe(`${today}-3`);
    expect(freeVersion(taken, 'another', today)).toBe(today);
  });

  it('are found by what a case names, those of the files by their scheme', () => {
    const list = [file, version('files')];
    expect(versionOf(list, { table: 'who-comes', version: 'files', row: 'x' })).toBe(list[1]);
    expect(versionOf(list, { table: 'cityloom', version: 'files', row: 'x' })).toBe(file);
    expect(versionOf(list, { table: 'cityloom', version: 'other', row: 'x' })).toBeNull();
  });
});

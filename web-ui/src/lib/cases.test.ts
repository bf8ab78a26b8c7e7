import { beforeEach, describe, expect, it } from 'vitest';
import type { CaseClock } from '../api/cases';
import {
  descriptionText,
  leftText,
  lightClock,
  limitText,
  nextClock,
  promiseOf,
  typedNumber,
  workOf,
} from './cases';
import { language } from './i18n';

const clock = (more: Partial<CaseClock>): CaseClock => ({
  clock: 'promise',
  state: 'running',
  light: 'green',
  left: 0,
  used: 0,
  measure: 'continuous',
  ...more,
});

beforeEach(() => void (language.value = 'en'));

describe('what is left of a clock', () => {
  it('is told in whole minutes, and how late it is', () => {
    expect(leftText(clock({ left: 86_399 }))).toBe('23 hr 59 min left');
    expect(leftText(clock({ left: -7_260 }))).toBe('2 hr 1 min late');
    expect(leftText(clock({ left: 59 }))).toBe('59 sec left');
  });

  it('is never told in days where it is work time: a work day is no day', () => {
    expect(leftText(clock({ left: 115_200, measure: 'work' }))).toBe('32 hr of work time left');
    expect(leftText(clock({ left: 172_800 }))).toBe('2 days left');
  });

  it('is told in work days and hours from two work days on, where their length is known', () => {
    const work = { measure: 'work' as const, workDay: 28_800 };
    expect(leftText(clock({ left: 57_599, ...work }))).toBe('15 hr 59 min of work time left');
    expect(leftText(clock({ left: 57_600, ...work }))).toBe('2 work days left');
    expect(leftText(clock({ left: -234_059, ...work }))).toBe('8 work days 1 hr late');
    language.value = 'zh';
    expect(leftText(clock({ left: 234_059, ...work }))).toBe('剩余 8 个工作日 1小时');
  });

  it('stands still while it is paused', () => {
    expect(leftText(clock({ left: 3_600, state: 'paused' }))).toBe('Paused, 1 hr left');
    language.value = 'zh';
    expect(leftText(clock({ left: 3_600, state: 'paused' }))).toBe('已暂停，剩余 1小时');
  });
});

describe('the promise', () => {
  it('is one clock of several, and may not be there', () => {
    const stage = clock({ clock: 'file' });
    expect(promiseOf({ clocks: [stage, clock({ left: 5 })] })?.left).toBe(5);
    expect(promiseOf({ clocks: [stage] })).toBeUndefined();
  });
});

describe('the light of a case', () => {
  it("is the promise's where that is the same, else that of which the least is left", () => {
    const promise = clock({ light: 'green', left: 9_000 });
    const handle = clock({ clock: 'handle', light: 'red', left: -60 });
    const feedback = clock({ clock: 'feedback', light: 'red', left: -90 });
    const clocks = [promise, handle, feedback];
    expect(lightClock({ light: 'red', clocks })?.clock).toBe('feedback');
    const late = [handle, { ...promise, light: 'red' as const }];
    expect(lightClock({ light: 'red', clocks: late })?.clock).toBe('promise');
    expect(lightClock({ clocks })).toBeUndefined();
  });
});

describe('a limit', () => {
  it('is told in words, in both languages', () => {
    expect(['4wd', '1wd', 'U15min', 'U1h', '2wd + 4wh'].map(limitText)).toEqual([
      '4 work days',
      '1 work day',
      '15 minutes',
      '1 hour',
      '2 work days + 4 work hours',
    ]);
    expect(limitText('U172800s')).toBe('2 days');
    expect(limitText('soon')).toBe('soon');
    language.value = 'zh';
    expect(['4wd', 'U15min'].map(limitText)).toEqual(['4 个工作日', '15 分钟']);
  });
});

describe('what was reported', () => {
  it("is told in the reader's language where it came in several", () => {
    const told = { description: 'dark / 不亮', descriptions: { en: 'dark', zh: '不亮' } };
    expect(descriptionText(told)).toBe('dark');
    expect(descriptionText({ description: 'a lamp' })).toBe('a lamp');
    language.value = 'zh';
    expect(descriptionText(told)).toBe('不亮');
  });
});

describe('the number of a case', () => {
  it('is read as people type and copy it', () => {
    expect([' 2026-000123 ', '#2026-000123', '２０２６－０００１２３'].map(typedNumber)).toEqual(
      Array(3).fill('2026-000123'),
    );
  });
});

describe('the clock that is due next', () => {
  it('is a running one', () => {
    const paused = clock({ left: 5, state: 'paused' });
    const accept = clock({ clock: 'accept', left: 60, deadline: '2026-07-06T01:00:00Z' });
    const file = clock({ clock: 'file', left: 30, deadline: '2026-07-06T00:59:30Z' });
    expect(nextClock({ clocks: [paused, accept, file] })).toBe(file);
    expect(nextClock({ clocks: [paused] })).toBeUndefined();
  });
});

describe('what a role may move on', () => {
  const workflow = {
    states: {
      reported: { title: '' },
      pendingFile: { title: '' },
      closed: { title: '', closed: true },
      appealed: { title: '', closed: true },
    },
    moves: [
      { move: 'accept', title: '', from: ['reported'], roles: ['intake'] },
      {
        move: 'merge',
        title: '',
        from: ['reported', 'pendingFile'],
        roles: ['intake'],
        effects: ['merge'],
      },
      { move: 'grantAppeal', title: '', from: ['appealed'], roles: ['intake'] },
      { move: 'evaluate', title: '', from: ['closed'], roles: ['evaluator'] },
    ],
  };

  it('is open, and merging does not count', () => {
    expect(workOf(workflow, 'intake')).toEqual({ states: ['reported'], status: 'open' });
  });

  it('is closed for who acts on closed cases alone', () => {
    expect(workOf(workflow, 'evaluator')).toEqual({ states: ['closed'], status: 'closed' });
    expect(workOf(workflow, 'king').states).toEqual([]);
  });
});

import { beforeEach, describe, expect, it } from 'vitest';
import type { CaseClock } from '../api/cases';
import { leftText, lightClock, promiseOf } from './cases';
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

import { beforeEach, describe, expect, it } from 'vitest';
import { language } from './i18n';
import { apartText, countsText, letterOf, metresText, surenessText } from './intake';
import { sketchOf } from './sketch';

beforeEach(() => void (language.value = 'en'));

describe('how sure a suggestion is', () => {
  it('is told in a word and in per cent, and never wholly', () => {
    expect(surenessText(0.14)).toBe('perhaps, 14%');
    expect(surenessText(0.3)).toBe('likely, 30%');
    expect(surenessText(0.6)).toBe('very likely, 60%');
    expect(surenessText(1)).toBe('very likely, 99%');
    expect(surenessText(null)).toBe('by the rule in force');
    language.value = 'zh';
    expect(surenessText(0.49)).toBe('较可能，49%');
  });
});

describe('a case that may be the same', () => {
  it('is so far away, and was reported so much earlier or later', () => {
    expect(apartText({ distance: 39.6, apart: -7_384 })).toBe(
      '40 m away, reported 2 hr 3 min earlier',
    );
    expect(apartText({ distance: 0, apart: 86_400 })).toBe('0 m away, reported 1 day later');
    expect(apartText({ distance: 5, apart: -59 })).toBe('5 m away, reported at the same time');
    language.value = 'zh';
    expect(metresText(12.4)).toBe('12米');
    expect(apartText({ distance: 12.4, apart: -3_600 })).toBe('相距 12米，早 1小时上报');
  });

  it('has a letter, as long as there are any', () => {
    expect([0, 25, 26].map(letterOf)).toEqual(['A', 'Z', '27']);
  });
});

describe('an alarm', () => {
  it('tells what came and what is usual, and what it has become', () => {
    expect(countsText({ seen: 12, expected: 1.34, peak: 12 })).toBe('12 came, usually 1.3');
    expect(countsText({ seen: 6, expected: 0.042, peak: 30 })).toBe(
      '6 came, usually none or nearly none; up to 30 since',
    );
    expect(countsText({ seen: 6, expected: 0.4, peak: 6 })).toBe('6 came, usually fewer than one');
  });
});

describe('a sketch', () => {
  const middle = [10, 60] as const;
  // At 60 degrees north a degree of longitude is half as long as one of latitude.
  const east = [10 + 40 / (111_320 / 2), 60] as const;
  const south = [10, 60 - 20 / 111_320] as const;

  it('is to scale, with the north at the top and all within', () => {
    const { places, bar } = sketchOf(middle, [east, south], 150);
    expect(places[0]?.x).toBeCloseTo(75 + 49);
    expect(places[0]?.y).toBeCloseTo(75);
    expect(places[1]?.x).toBeCloseTo(75);
    expect(places[1]?.y).toBeCloseTo(75 + 24.5);
    expect(bar.metres).toBe(20);
    expect(bar.pixels).toBeCloseTo(24.5);
  });

  it('shows what lies at the same place, too', () => {
    const { places, bar } = sketchOf(middle, [middle], 150);
    expect(places).toEqual([{ x: 75, y: 75 }]);
    expect(bar.metres).toBe(1);
  });
});

import { afterEach, describe, expect, it } from 'vitest';
import { classTexts } from './classes';
import { breaksOf, classOf, type NumberClasses } from './colouring';
import { language } from './i18n';

afterEach(() => {
  language.value = 'en';
});

const cut = (min: number, max: number, whole: boolean): NumberClasses => ({
  kind: 'numbers',
  attribute: 'a',
  min,
  max,
  whole,
  missing: 0,
  breaks: breaksOf({ min, max, quantiles: [], whole }, 'equal'),
});

describe('classes of whole numbers', () => {
  it('name the first and the last number of each', () => {
    const classes = { min: 34, max: 56, breaks: [42, 49], whole: true };
    expect(classTexts(classes)).toEqual(['34–41', '42–48', '49–56']);
    language.value = 'zh';
    expect(classTexts(classes)).toEqual(['34–41', '42–48', '49–56']);
  });

  it('name a number alone, and keep a minus readable', () => {
    expect(classTexts({ min: 0, max: 2, breaks: [1, 2], whole: true })).toEqual(['0', '1', '2']);
    expect(classTexts({ min: -8, max: -1, breaks: [-4], whole: true })).toEqual([
      '-8 to -5',
      '-4 to -1',
    ]);
    expect(classTexts({ min: 5, max: 5, breaks: [], whole: true })).toEqual(['5']);
  });

  it('hold just the numbers that are named', () => {
    const classes = cut(3, 98, true);
    const texts = classTexts(classes);
    for (let value = 3; value <= 98; value++) {
      const [from = NaN, to = from] = (texts[classOf(classes, value) ?? NaN] ?? '')
        .split('–')
        .map(Number);
      expect([value, from <= value && value <= to]).toEqual([value, true]);
    }
  });
});

describe('classes of other numbers', () => {
  it('say that the upper end belongs to the next', () => {
    const classes = { min: 0.5, max: 39, breaks: [7.8, 15.6], whole: false };
    expect(classTexts(classes)).toEqual([
      'from 0.5 to under 7.8',
      'from 7.8 to under 15.6',
      '15.6 to 39',
    ]);
    language.value = 'zh';
    expect(classTexts(classes)[0]).toBe('0.5 至不足 7.8');
  });

  it('are cut where it is written, and hold the least and the greatest', () => {
    const classes = cut(33.9649, 56.0321, false);
    expect(classTexts(classes)).toEqual([
      'from 33.9 to under 38.4',
      'from 38.4 to under 42.8',
      'from 42.8 to under 47.2',
      'from 47.2 to under 51.6',
      '51.6 to 56.1',
    ]);
    expect(classes.breaks).toEqual([38.4, 42.8, 47.2, 51.6]);
  });
});

import { expect, it } from 'vitest';
import { areaClasses, areaTexts } from './areas';
import { language } from './i18n';

// Nine areas, one of them far above the others; one without a value.
const values = [10, 20, 30, 40, 50, 60, 70, 80, 9_000, null];
const sizes = (breaks: readonly number[]): number[] => {
  const classOf = (value: number): number => breaks.filter((end) => value >= end).length;
  const counts = new Array<number>(breaks.length + 1).fill(0);
  for (const value of values) if (value !== null) counts[classOf(value)]!++;
  return counts;
};

it('has classes of equal steps, or with about equally many areas in each', () => {
  expect(sizes(areaClasses(values, 'equal')?.breaks ?? [])).toEqual([8, 0, 0, 0, 1]);
  const quantiles = areaClasses(values, 'quantile');
  expect(sizes(quantiles?.breaks ?? []).every((count) => count >= 1 && count <= 3)).toBe(true);
  expect(quantiles).toMatchObject({ min: 10, max: 9_000, whole: true });
});

it('has none where no area has a value, and one class of one value', () => {
  expect(areaClasses([null], 'quantile')).toBeNull();
  expect(areaClasses([5, 5], 'quantile')?.breaks).toEqual([]);
});

it('writes the number of a small area before there is room for its name', () => {
  language.value = 'en';
  // 0.02 degrees are 58 pixels at zoom 11.
  const shownAt = (zoom: number, value: number | null): string[] =>
    areaTexts('Fenway', value, [0, 0, 0.02, 0.01])
      .filter(({ from, until }) => zoom >= from && zoom < until)
      .map(({ text }) => text);
  expect(shownAt(8, 1_234)).toEqual([]);
  expect(shownAt(11, 1_234)).toEqual(['1,234']);
  expect(shownAt(12, 1_234)).toEqual(['Fenway\n1,234']);
  expect(shownAt(11, null)).toEqual([]);
  expect(shownAt(12, null)).toEqual(['Fenway']);
});

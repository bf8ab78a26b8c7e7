/** Classes of numbers in words: which class a bound belongs to must not be a guess. Pure but for the language. */
import { digitsOf, type NumberClasses } from './colouring';
import { numberText } from './format';
import { t } from './i18n';

/** What stands in a legend beside each class, from the least to the greatest. */
export function classTexts(
  classes: Pick<NumberClasses, 'min' | 'max' | 'breaks' | 'whole'>,
): string[] {
  const { min, max, breaks, whole } = classes;
  const digits = digitsOf(classes);
  const ends = [outward(min, digits, Math.floor), ...breaks, outward(max, digits, Math.ceil)];
  return ends.slice(1).map((end, at) => {
    const isLast = at === breaks.length;
    const from = ends[at] ?? min;
    const to = whole && !isLast ? end - 1 : end;
    const [low, high] = [numberText(from, digits), numberText(to, digits)];
    if (low === high) return low;
    if (!whole && !isLast) return t('legend.under', { from: low, to: high });
    // A dash beside a minus would be read as one.
    return t(whole && from >= 0 ? 'legend.whole' : 'legend.range', { from: low, to: high });
  });
}

/** The least and the greatest lie within what is written of them. */
function outward(value: number, digits: number, round: (value: number) => number): number {
  const written = Number(value.toFixed(digits));
  const step = 10 ** -digits;
  const reached = round === Math.floor ? written <= value : written >= value;
  return reached ? written : written + (round === Math.floor ? -step : step);
}

/** Suggestions, likely duplicates and surges in words. Pure. */
import type { Alike, Surge } from '../api/insights';
import { lengthText, numberText } from './format';
import { locale, t } from './i18n';

/** From these confidences on the words are stronger; what is measured of them stands in docs/cases-evaluation.md. */
const likely = 0.3;
const veryLikely = 0.6;

/** How sure a suggestion is, in a word and in per cent; never wholly sure. What a rule says is no guess. */
export function surenessText(confidence: number | null): string {
  if (confidence === null) return t('intake.sure.ruled');
  const percent = new Intl.NumberFormat(locale.value, { style: 'percent' }).format(
    Math.min(confidence, 0.99),
  );
  const word = confidence >= veryLikely ? 'very' : confidence >= likely ? 'likely' : 'perhaps';
  return t(`intake.sure.${word}`, { percent });
}

/** Metres, whole ones. */
export const metresText = (metres: number): string =>
  new Intl.NumberFormat(locale.value, { style: 'unit', unit: 'meter' }).format(Math.round(metres));

/** How far away and how much earlier or later another case was reported. */
export function apartText({ distance, apart }: Pick<Alike, 'distance' | 'apart'>): string {
  const seconds = Math.abs(apart);
  const when = seconds < 60 ? 'together' : apart < 0 ? 'earlier' : 'later';
  return t(`intake.alike.${when}`, {
    distance: metresText(distance),
    time: lengthText(seconds - (seconds % 60)),
  });
}

/** A, B, C …, and figures when there are no more letters. */
export const letterOf = (index: number): string =>
  index < 26 ? String.fromCharCode(65 + index) : String(index + 1);

/** A mean in words where it is less than one, as the node's sentence has it. */
function usualText(expected: number): string {
  if (expected < 0.1) return t('intake.surge.nearlyNone');
  return expected < 1
    ? t('intake.surge.underOne')
    : t('intake.surge.usual', { count: numberText(expected, expected < 10 ? 1 : 0) });
}

/** How many came, how many are usual, and how many it has become since. */
export function countsText({
  seen,
  expected,
  peak,
}: Pick<Surge, 'seen' | 'expected' | 'peak'>): string {
  const counts = { seen: numberText(seen), expected: usualText(expected) };
  return peak > seen
    ? t('intake.surge.grown', { ...counts, peak: numberText(peak) })
    : t('intake.surge.counts', counts);
}

/** Whether the newest value of a layer is still news. Pure. */
import type { Source } from '../api/city';
import { durationSeconds } from './format';

const year = 365.25 * 86_400;
/** What a source promised is long overdue after so many intervals, and a day at least. */
const overdue = 10;
const day = 86_400;

/**
 * The newest value of a type is old: more than a year, or long after its sources promised the next one.
 *
 * @param observed when it was observed, ISO 8601
 * @param now milliseconds since 1970
 */
export function isOld(
  type: string,
  observed: string,
  sources: readonly Pick<Source, 'type' | 'expectedInterval'>[],
  now: number,
): boolean {
  const age = (now - Date.parse(observed)) / 1000;
  const promised = sources.flatMap(({ type: types, expectedInterval }) => {
    const seconds = expectedInterval ? durationSeconds(expectedInterval) : null;
    return seconds !== null && [types ?? []].flat().includes(type) ? [seconds] : [];
  });
  const longest = promised.length ? Math.max(day, overdue * Math.max(...promised)) : year;
  return age > Math.min(year, longest);
}

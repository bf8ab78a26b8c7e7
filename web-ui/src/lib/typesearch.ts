/** A type of cases by some letters of its name. */

/**
 * How well a name fits letters: 0 they are one of its words, or all of it; 1 a word begins with them; 2 they
 * stand somewhere in it; none where they do not. Letters of several words are looked for as they stand.
 */
function fitOf(name: string, letters: string): number | undefined {
  const place = name.indexOf(letters);
  if (place < 0) return undefined;
  const words = name.split(/[^\p{L}\p{N}]+/u);
  if (name === letters || words.includes(letters)) return 0;
  const begins = name.startsWith(letters) || words.some((word) => word.startsWith(letters));
  return begins ? 1 : 2;
}

/**
 * The types that fit letters, the best first; of those that fit alike, the city's own order.
 *
 * @param namesOf the names of one, in every language
 */
export function rankTypes<T>(
  types: readonly T[],
  namesOf: (one: T) => readonly string[],
  letters: string,
): T[] {
  const wanted = letters.trim().toLowerCase();
  if (!wanted) return [];
  return types
    .map((one) => {
      const fits = namesOf(one).map((name) => fitOf(name.toLowerCase(), wanted) ?? 3);
      return { one, fit: Math.min(3, ...fits) };
    })
    .filter(({ fit }) => fit < 3)
    .toSorted((one, other) => one.fit - other.fit)
    .map(({ one }) => one);
}

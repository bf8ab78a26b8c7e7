/**
 * The beginning of a long text, by characters as people see them: half an emoji is none. Pure.
 *
 * @param longest what may stand whole; what is cut is a little shorter, so that cutting is worth it
 * @returns null where the text may stand whole
 */
export function beginningOf(text: string, longest: number): string | null {
  if (text.length <= longest) return null;
  return `${[...text].slice(0, longest - 10).join('')}…`;
}

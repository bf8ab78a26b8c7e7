/** How each layer is read: whole as features, or as tiles of what is in view. Pure. */
import type { Layer } from '../api/city';

/** A layer of more objects than this comes as tiles. */
export const wholeLimit = 5_000;
/** And all that is read whole stays within this many objects. */
export const wholeBudget = 50_000;

/**
 * The types that come as tiles: the large ones, and what would be too much together.
 *
 * @param most objects that the node puts into one answer: what takes many pages is no small layer
 */
export function tiledTypes(
  layers: Pick<Layer, 'type' | 'count' | 'geometry'>[],
  most: number,
): Set<string> {
  const tiled = new Set<string>();
  let whole = 0;
  for (const { type, count, geometry } of [...layers].sort((a, b) => a.count - b.count)) {
    if (!geometry) continue;
    if (count > Math.min(wholeLimit, most) || whole + count > wholeBudget) tiled.add(type);
    else whole += count;
  }
  return tiled;
}

/**
 * The types whose past is asked for: those that have been read, and new ones only once nothing is on its way any
 * more, so that layers that come together are asked about together.
 *
 * @param shown each shown layer; `settled` that its reading has ended, well or not
 * @param before the types that were asked for until now
 */
export function askedTogether(
  shown: readonly { type: string; ready: boolean; settled: boolean }[],
  before: readonly string[],
): string[] {
  const whole = shown.every(({ settled }) => settled);
  return shown
    .filter(({ type, ready }) => ready && (whole || before.includes(type)))
    .map(({ type }) => type);
}

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

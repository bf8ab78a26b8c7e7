/** Boxes of layers: what the first view shows, and whether a layer has more than that. Pure. */
import type { Box, Layer } from '../api/city';

type Placed = Pick<Layer, 'bbox' | 'usualBbox' | 'count'>;

/** As the node judges the places within a layer (`cityloom.store.strays`), so are whole layers judged here. */
const deviations = 20;
const near = 0.5;

/** The box around layers without those that lie far away from most objects; null where nothing has a place. */
export function boxOfLayers(layers: readonly Placed[]): Box | null {
  const placed = layers.flatMap(({ usualBbox, count }) =>
    usualBbox && count ? [{ box: usualBbox, count }] : [],
  );
  const kept = ([0, 1] as const).reduce((rest, side) => {
    const middleOf = ({ box }: (typeof placed)[number]): number => (box[side] + box[side + 2]!) / 2;
    const middle = weightedMedian(placed.map((each) => [middleOf(each), each.count]));
    const away = (each: (typeof placed)[number]): number => Math.abs(middleOf(each) - middle);
    const usual = weightedMedian(placed.map((each) => [away(each), each.count]));
    return rest.filter((each) => away(each) <= Math.max(near, deviations * usual));
  }, placed);
  return (kept.length ? kept : placed).reduce<Box | null>(
    (whole, { box }) =>
      whole
        ? [
            Math.min(whole[0], box[0]),
            Math.min(whole[1], box[1]),
            Math.max(whole[2], box[2]),
            Math.max(whole[3], box[3]),
          ]
        : box,
    null,
  );
}

function weightedMedian(values: [value: number, weight: number][]): number {
  const sorted = [...values].sort(([a], [b]) => a - b);
  const half = sorted.reduce((sum, [, weight]) => sum + weight, 0) / 2;
  let passed = 0;
  return sorted.find(([, weight]) => (passed += weight) >= half)?.[0] ?? 0;
}

/** Whether some of a layer lies far away from the rest of it. */
export const hasStrays = ({ bbox, usualBbox }: Placed): boolean =>
  bbox !== null && usualBbox !== null && bbox.some((side, at) => side !== usualBbox[at]);

/** Which time a history is read over. Pure. */
/** Milliseconds since 1970; without a beginning it is the newest `lastN` values, without an end it goes on. */
export interface Timeframe {
  from?: number;
  to?: number;
  lastN?: number;
}

const day = 86_400_000;

/** How much of the past is drawn while the city is shown live: a number of values, or of days. */
export type Depth = { values: number } | { days: number };

/** The time that is shown, or what the reader wants to see of the present. */
export function timeframeOf(
  shown: { from: number; to: number } | null,
  depth: Depth,
  now: number,
): Timeframe {
  if (shown) return { from: shown.from, to: shown.to };
  return 'values' in depth ? { lastN: depth.values } : { from: now - depth.days * day };
}

const least = 60_000;

/** The same time seen from nearer (a factor below 1) or from farther, around its middle. */
export function zoomed({ from, to }: { from: number; to: number }, factor: number) {
  const half = Math.max(((to - from) * factor) / 2, least / 2);
  const middle = (from + to) / 2;
  return { from: Math.round(middle - half), to: Math.round(middle + half) };
}

/** A time of the same length, half of it earlier (negative) or later. */
export function shifted({ from, to }: { from: number; to: number }, direction: -1 | 1) {
  const by = Math.round(((to - from) / 2) * direction);
  return { from: from + by, to: to + by };
}

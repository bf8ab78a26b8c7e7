/** Where the nodes of a small graph stand, so that its arrows go one way. Pure. */

export interface Size {
  width: number;
  height: number;
}

export interface Edge {
  from: string;
  to: string;
}

export interface Layout extends Size {
  /** The upper left corner of each node. */
  places: Map<string, { x: number; y: number }>;
  /** A path (SVG) for each edge, from the middle of one side to the middle of the facing one. */
  paths: string[];
}

export type Direction = 'right' | 'down';

/** How many arrows lie between a node and the first of its line. Cycles end: no node is counted twice in a line. */
export function ranksOf(nodes: readonly string[], edges: readonly Edge[]): Map<string, number> {
  const rank = (node: string, line: readonly string[]): number => {
    const before = edges.filter(({ from, to }) => to === node && !line.includes(from));
    return before.reduce((most, { from }) => Math.max(most, 1 + rank(from, [...line, from])), 0);
  };
  return new Map(nodes.map((node) => [node, rank(node, [node])]));
}

/**
 * Places nodes in ranks, each rank centred beside (or below) the one before it.
 *
 * @param sizes the nodes in the order in which they stand in their ranks, with their sizes in CSS pixels
 * @param gap between ranks; half of it between nodes of one rank
 */
export function layoutOf(
  sizes: ReadonlyMap<string, Size>,
  edges: readonly Edge[],
  direction: Direction,
  gap: number,
): Layout {
  const down = direction === 'down';
  // "along" is the way of the arrows, "across" is beside them.
  const along = (size: Size): number => (down ? size.height : size.width);
  const across = (size: Size): number => (down ? size.width : size.height);
  const ranks = ranksOf([...sizes.keys()], edges);
  const rows: { id: string; size: Size }[][] = [];
  for (const [id, size] of sizes) (rows[ranks.get(id) ?? 0] ??= []).push({ id, size });
  const filled = rows.filter(Boolean);
  const breadths = filled.map(
    (row) => row.reduce((sum, { size }) => sum + across(size), 0) + (row.length - 1) * (gap / 2),
  );
  const breadth = Math.max(0, ...breadths);
  const places = new Map<string, { x: number; y: number }>();
  let a = 0;
  filled.forEach((row, index) => {
    let c = (breadth - (breadths[index] ?? 0)) / 2;
    const length = Math.max(...row.map(({ size }) => along(size)));
    for (const { id, size } of row) {
      const inset = a + (length - along(size)) / 2;
      places.set(id, down ? { x: c, y: inset } : { x: inset, y: c });
      c += across(size) + gap / 2;
    }
    a += length + gap;
  });
  const length = Math.max(0, a - gap);
  return {
    places,
    paths: edges.flatMap((edge) => pathOf(edge, places, sizes, down)),
    width: down ? breadth : length,
    height: down ? length : breadth,
  };
}

function pathOf(
  { from, to }: Edge,
  places: Layout['places'],
  sizes: ReadonlyMap<string, Size>,
  down: boolean,
): string[] {
  const [start, end, first, second] = [
    places.get(from),
    places.get(to),
    sizes.get(from),
    sizes.get(to),
  ];
  if (!start || !end || !first || !second) return [];
  if (down) {
    const [x1, y1] = [start.x + first.width / 2, start.y + first.height];
    const [x2, y2] = [end.x + second.width / 2, end.y];
    const half = (y1 + y2) / 2;
    return [`M${x1} ${y1}C${x1} ${half} ${x2} ${half} ${x2} ${y2}`];
  }
  const [x1, y1] = [start.x + first.width, start.y + first.height / 2];
  const [x2, y2] = [end.x, end.y + second.height / 2];
  const half = (x1 + x2) / 2;
  return [`M${x1} ${y1}C${half} ${y1} ${half} ${y2} ${x2} ${y2}`];
}

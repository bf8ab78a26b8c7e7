/** A few places near each other on a small square, to scale. Pure. */
type Place = readonly [lon: number, lat: number];

/** Metres of a degree of latitude, near enough for a drawing. */
const metresOfDegree = 111_320;
const margin = 26;

/**
 * Places around one that lies in the middle, north at the top.
 *
 * @param side of the square, in pixels
 * @returns where each lies, and a bar of a round number of metres for the scale
 */
export function sketchOf(
  middle: Place,
  others: readonly Place[],
  side: number,
): { places: { x: number; y: number }[]; bar: { metres: number; pixels: number } } {
  const wide = Math.cos((middle[1] * Math.PI) / 180);
  const metres = others.map(([lon, lat]) => ({
    east: (lon - middle[0]) * metresOfDegree * wide,
    north: (lat - middle[1]) * metresOfDegree,
  }));
  const farthest = Math.max(
    1,
    ...metres.flatMap(({ east, north }) => [Math.abs(east), Math.abs(north)]),
  );
  const scale = (side / 2 - margin) / farthest;
  const round = roundBelow(farthest);
  return {
    places: metres.map(({ east, north }) => ({
      x: side / 2 + east * scale,
      y: side / 2 - north * scale,
    })),
    bar: { metres: round, pixels: round * scale },
  };
}

/** 1, 2 or 5 times a power of ten. */
function roundBelow(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return (value >= 5 * power ? 5 : value >= 2 * power ? 2 : 1) * power;
}

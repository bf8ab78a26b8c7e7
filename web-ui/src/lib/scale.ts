/** The bar that says how long a way on the map is. Pure. */

const earth = 40_075_016.686;

/** Metres of the ground in a CSS pixel, at a latitude and a zoom of the Web Mercator map (tiles of 512). */
export function metresPerPixel(latitude: number, zoom: number): number {
  return (earth * Math.cos((latitude * Math.PI) / 180)) / (512 * 2 ** zoom);
}

/**
 * The longest round length that fits.
 *
 * @returns its metres (1, 2 or 5 times a power of ten) and its pixels
 */
export function scaleBar(
  metresInPixel: number,
  widest: number,
): { metres: number; pixels: number } {
  const most = metresInPixel * widest;
  const power = 10 ** Math.floor(Math.log10(most));
  const metres = power * ([5, 2, 1].find((step) => step * power <= most) ?? 1);
  return { metres, pixels: metres / metresInPixel };
}

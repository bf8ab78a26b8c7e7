/**
 * Marks as pictures for the map, drawn here: nothing is fetched.
 *
 * Each is a signed distance field, so that the map can colour a mark by a value and give it an edge.
 */
import { type Shape, shapes } from '../lib/symbols';

/** CSS pixels of a picture's side, and how many of the screen's for one of them. */
const size = 24;
export const pixelRatio = 2;
/** MapLibre reads the edge at three quarters of the alpha, and eight pixels to either end. */
const edge = 0.75;
const reach = 8;
/** How much finer the outline is drawn than the field. */
const fine = 3;

export const iconName = (shape: Shape, stale: boolean): string =>
  stale ? `${shape} hollow` : shape;

/**
 * One mark; that of a silent object is hollow: its shape and colour stay, its body is gone.
 *
 * @returns the field as a picture, or null where the browser has no canvas
 */
export function drawMark(shape: Shape, hollow: boolean): ImageData | null {
  const side = size * pixelRatio;
  const inside = maskOf(shape, hollow, side * fine);
  if (!inside) return null;
  const border = borderOf(inside, side * fine);
  const picture = new ImageData(side, side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const [atX, atY] = [(x + 0.5) * fine - 0.5, (y + 0.5) * fine - 0.5];
      let nearest = Infinity;
      for (let i = 0; i < border.length; i += 2) {
        const [dx, dy] = [(border[i] ?? 0) - atX, (border[i + 1] ?? 0) - atY];
        nearest = Math.min(nearest, dx * dx + dy * dy);
      }
      const within = inside[Math.round(atY) * side * fine + Math.round(atX)] === 1;
      const distance = (Math.sqrt(nearest) / fine) * (within ? 1 : -1);
      const alpha = Math.max(0, Math.min(1, edge + distance / reach));
      picture.data[(y * side + x) * 4 + 3] = Math.round(alpha * 255);
    }
  }
  return picture;
}

/** Which pixels lie inside the mark. */
function maskOf(shape: Shape, hollow: boolean, pixels: number): Uint8Array | null {
  const canvas = document.createElement('canvas');
  canvas.width = pixels;
  canvas.height = pixels;
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  if (!pen) return null;
  // The outlines fill a box of 24; a margin leaves room for the edge.
  const scale = (pixels / 24) * 0.72;
  pen.translate(pixels / 2, pixels / 2);
  pen.scale(scale, scale);
  pen.translate(-12, -12);
  pen.lineJoin = 'round';
  pen.lineWidth = 3.4;
  const outline = new Path2D(shapes[shape]);
  if (hollow) pen.stroke(outline);
  else pen.fill(outline);
  const { data } = pen.getImageData(0, 0, pixels, pixels);
  return Uint8Array.from({ length: pixels * pixels }, (_, at) =>
    Number((data[at * 4 + 3] ?? 0) > 127),
  );
}

/** The places of the pixels that have a neighbour on the other side: x, y, x, y, … */
function borderOf(inside: Uint8Array, pixels: number): number[] {
  const border: number[] = [];
  for (let y = 1; y < pixels - 1; y++) {
    for (let x = 1; x < pixels - 1; x++) {
      const at = y * pixels + x;
      if (
        inside[at] &&
        !(inside[at - 1] && inside[at + 1] && inside[at - pixels] && inside[at + pixels])
      ) {
        border.push(x, y);
      }
    }
  }
  return border;
}

/** Marks as pictures for the map, drawn here: nothing is fetched. */
import { type Mark, shapes } from '../lib/symbols';
import type { Theme } from './theme';

const size = 20;
export const pixelRatio = 2;

export const iconName = (type: string, stale: boolean): string => `${type}${stale ? ' stale' : ''}`;

/**
 * One mark; a stale one is hollow: its shape and colour stay, its body is gone.
 *
 * @returns the picture, or null where the browser has no canvas
 */
export function drawMark(mark: Mark, theme: Theme, stale: boolean): ImageData | null {
  const pixels = size * pixelRatio;
  const canvas = document.createElement('canvas');
  canvas.width = pixels;
  canvas.height = pixels;
  const pen = canvas.getContext('2d');
  if (!pen) return null;
  const outline = new Path2D(shapes[mark.shape]);
  // The outlines fill a box of 24; a margin keeps their edge inside the picture.
  const scale = (pixels / 24) * 0.86;
  pen.translate(pixels / 2, pixels / 2);
  pen.scale(scale, scale);
  pen.translate(-12, -12);
  pen.lineJoin = 'round';
  pen.lineWidth = stale ? 6 : 2.6;
  pen.strokeStyle = theme.markEdge;
  pen.stroke(outline);
  if (stale) {
    pen.lineWidth = 3;
    pen.strokeStyle = mark.colour;
    pen.stroke(outline);
  } else {
    pen.fillStyle = mark.colour;
    pen.fill(outline);
  }
  return pen.getImageData(0, 0, pixels, pixels);
}

/** What lies over the map's edges, as the map must know it to put a place into sight. */
import type { Covered } from '../map/view';
import { view } from './view';

/** A legend that hides more of the map's width than this is read and closed; the map does not make room for it. */
const widestLegend = 0.4;

/** What is hidden by the sheet of a small screen, by the open time bar and by an open legend. */
export function coveredNow(): Covered {
  const canvas = document.querySelector('.map')?.getBoundingClientRect();
  if (!canvas) return { bottom: 0, left: 0 };
  const side = document.querySelector('.side')?.getBoundingClientRect();
  const bar = document.querySelector('.time-bar')?.getBoundingClientRect();
  const tops = [canvas.bottom];
  if (side && side.left <= canvas.left && side.right >= canvas.right) tops.push(side.top);
  if (bar && bar.height > 0) tops.push(bar.top);
  return { bottom: canvas.bottom - Math.min(...tops), left: legendWidth(canvas) };
}

function legendWidth(canvas: DOMRect): number {
  const legend = document.querySelector('details.legend[open]');
  const wide = legend ? legend.getBoundingClientRect().right - canvas.left : 0;
  return wide < canvas.width * widestLegend ? wide : 0;
}

/** As `coveredNow`, before the legend that the view asks for has been read. */
export function coveredSoon(): Covered {
  const now = coveredNow();
  const { areas, colours } = view.value;
  const awaited =
    (areas || Object.keys(colours).length) && !matchMedia('(max-width: 820px)').matches;
  return awaited ? { ...now, left: usualLegend } : now;
}

const usualLegend = 250;

/** The sheet of a small screen, as the map must know it. */

/** How many pixels of the map's lower edge the sheet hides, on a small screen. */
export function coveredHeight(): number {
  const side = document.querySelector('.side');
  const canvas = document.querySelector('.map');
  if (!side || !canvas) return 0;
  const own = side.getBoundingClientRect();
  const below = canvas.getBoundingClientRect();
  return own.left <= below.left && own.right >= below.right ? below.bottom - own.top : 0;
}

/** How each line of a chart looks: colour and dash, so that colour is never alone. */
export const dashes: readonly number[][] = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 5]];

/** So many lines can be told apart. */
export const mostLines = dashes.length;

/** A piece of a line as the chart draws it. */
export function Swatch({ place }: { place: number }) {
  return (
    <svg class="line-mark" data-series={place + 1} viewBox="0 0 24 8" aria-hidden="true">
      <line
        x1="0"
        y1="4"
        x2="24"
        y2="4"
        stroke-width="2.4"
        stroke-dasharray={dashes[place]?.join(' ') || undefined}
      />
    </svg>
  );
}

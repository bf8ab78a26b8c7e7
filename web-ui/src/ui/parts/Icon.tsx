/** Signs of the page's own: lines in the colour of the text, on a grid of 24. */
const paths = {
  clock: 'M12 3a9 9 0 1 0 .01 0M12 7v5l3.5 2',
  play: 'M8 5l11 7-11 7z',
  pause: 'M8 5v14M16 5v14',
  back: 'M15 5l-7 7 7 7',
  forth: 'M9 5l7 7-7 7',
  close: 'M6 6l12 12M18 6L6 18',
  options: 'M4 7h10M18 7h2M4 17h4M12 17h8M16 5v4M10 15v4',
  past: 'M4.5 5v5h5M5 10a8 8 0 1 1-.5 5M12 8v4.5l3 1.5',
  share: 'M12 15V3M8 7l4-4 4 4M5 12v8h14v-8',
  link: 'M10 14l4-4M9 8l3-3a4.2 4.2 0 0 1 6 6l-3 3M15 16l-3 3a4.2 4.2 0 0 1-6-6l3-3',
  picture: 'M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4',
  print: 'M7 8V3h10v5M7 17H4V8h16v9h-3M7 14h10v7H7z',
  key: 'M14.5 9.5a4.5 4.5 0 1 0-3 4.2L13 15h2v2h2v2h3v-3l-5.7-5.2M9 9h.01',
  keys: 'M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M8 14h8',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}

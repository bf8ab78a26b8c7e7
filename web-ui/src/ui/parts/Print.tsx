import { render } from 'preact';
import { darkScheme, map } from '../../state/store';
import { view } from '../../state/view';
import { type Caption, captionOf } from './caption';
import { drawMap } from './picture';
import './print.css';
import { LayerSymbol } from './Symbol';

/**
 * Printing is prepared when the browser says that it is about to print, however that was asked for: the map's
 * own drawing is gone once it is on the screen, so one is made for the paper.
 */
export function offerPrinting(): void {
  const paper = document.createElement('div');
  paper.id = 'print';
  document.body.append(paper);
  addEventListener('beforeprint', () => {
    const picture = view.value.page === 'map' ? drawMap() : null;
    // At once: the browser does not wait.
    if (picture) render(<Sheet picture={picture} caption={captionOf()} />, paper);
    document.documentElement.dataset.printing = picture ? 'map' : 'page';
  });
  addEventListener('afterprint', () => {
    render(null, paper);
    delete document.documentElement.dataset.printing;
  });
}

/** Prints on light ground: a dark map would drink the ink. */
export function printMap(): void {
  const now = map.value;
  if (!darkScheme.value || !now) {
    print();
    return;
  }
  darkScheme.value = false;
  void now.whenResting().then(() => {
    print();
    darkScheme.value = matchMedia('(prefers-color-scheme: dark)').matches;
  });
}

/** One page: what the map shows, which time that is, what its marks mean and whose data it is. */
function Sheet({ picture, caption }: { picture: HTMLCanvasElement; caption: Caption }) {
  const { title, time, attribution, legend } = caption;
  return (
    <article class="paper" data-wide={picture.width > picture.height * 1.1 || undefined}>
      <header>
        <h1>{title}</h1>
        <p>{time}</p>
      </header>
      <div
        class="paper-map"
        ref={(place) => {
          if (place && picture.parentNode !== place) place.append(picture);
        }}
      />
      <ul class="paper-legend">
        {legend.flat().map(({ text, mark, colour }, at) => (
          <li key={at} data-heading={!mark && !colour ? true : undefined}>
            {mark && <LayerSymbol state={mark} />}
            {colour && (
              <svg class="symbol" viewBox="0 0 24 24" aria-hidden="true">
                <rect x="2.5" y="4" width="19" height="16" rx="2" fill={colour} />
              </svg>
            )}
            {text}
          </li>
        ))}
      </ul>
      <p class="paper-foot">{attribution}</p>
      <p class="paper-foot">{location.href}</p>
    </article>
  );
}

import { render } from 'preact';
import { typeLabel } from '../../lib/names';
import { dark, light } from '../../map/theme';
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
  now.setTheme(light);
  void now.whenResting().then(() => {
    print();
    now.setTheme(darkScheme.value ? dark : light);
  });
}

/** One page: what the map shows, which time that is, what its marks mean and whose data it is. */
function Sheet({ picture, caption }: { picture: HTMLCanvasElement; caption: Caption }) {
  const { title, time, attribution, shown } = caption;
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
        {shown.map((state) => (
          <li key={state.layer.type}>
            <LayerSymbol state={state} />
            {typeLabel(state.layer.type)}
          </li>
        ))}
      </ul>
      <p class="paper-foot">{attribution}</p>
      <p class="paper-foot">{location.href}</p>
    </article>
  );
}

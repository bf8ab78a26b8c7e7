/** The map's foot: how long a way is, where the pointer or the middle is, in which datum, and whose data these are. */
import { useEffect, useRef } from 'preact/hooks';
import { numberText, placeText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { scaleBar } from '../../lib/scale';
import type { Camera } from '../../map/view';
import { focusOn } from '../../state/focus';
import { offerKeys } from '../../state/keys';
import { city } from '../../state/store';

const widest = 96;

export function MapFoot({
  camera,
  pointer,
}: {
  camera: Camera | null;
  pointer: [number, number] | null;
}) {
  const place = city.value;
  if (!camera || !place) return null;
  const [lon, lat] = pointer ?? camera.center;
  const { metres, pixels } = scaleBar(camera.metresPerPixel, widest);
  const length =
    metres >= 1000
      ? t('map.kilometres', { length: numberText(metres / 1000) })
      : t('map.metres', { length: numberText(metres) });
  return (
    <footer class="map-foot">
      <p
        class="scale"
        style={{ width: `${Math.round(pixels)}px` }}
        role="img"
        aria-label={t('map.scale', { length })}
      >
        {length}
      </p>
      <p class="number">
        <span class="unseen">{t(pointer ? 'map.pointer' : 'map.middle')} </span>
        {placeText(lon, lat, 5)}
        <span class="datum"> · {place.datum}</span>
      </p>
      <Attribution list={place.attribution} />
    </footer>
  );
}

function Attribution({ list }: { list: { name: string; licence?: string; url?: string }[] }) {
  const details = useRef<HTMLDetailsElement>(null);
  useEffect(
    () =>
      offerKeys({
        key: 'Escape',
        message: 'keys.close',
        act() {
          if (!details.current?.open) return false;
          details.current.open = false;
          focusOn('.attribution summary');
          return true;
        },
      }),
    [],
  );
  if (!list.length) return null;
  return (
    <details class="attribution" ref={details}>
      <summary>{t('map.attribution')}</summary>
      <ul>
        {list.map(({ name, licence, url }) => (
          <li key={name}>
            {url && /^https?:/.test(url) ? (
              <a href={url} rel="noreferrer noopener" target="_blank">
                {name}
              </a>
            ) : (
              <bdi>{name}</bdi>
            )}
            {licence && <span class="quiet"> · {licence}</span>}
          </li>
        ))}
      </ul>
    </details>
  );
}

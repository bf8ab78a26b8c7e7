import { signal, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Box } from '../../api/city';
import { boxOfLayers } from '../../lib/boxes';
import { plural, t } from '../../lib/i18n';
import { nameText } from '../../lib/names';
import { dark, light } from '../../map/theme';
import type { Camera, CityMap, MapOptions } from '../../map/view';
import { mapReady } from '../../state/app';
import { chooseOnMap, pressed } from '../../state/cases';
import { lookForGround, noMap, tilesCame } from '../../state/layers';
import { coveredNow, coveredSoon } from '../../state/covered';
import { allRead, city, darkScheme, lateSources, layers, map, mapFailed } from '../../state/store';
import { openSources } from '../sources/Sources';
import './map.css';
import { Legend } from './Legend';
import { MapFoot } from './MapFoot';
import { type Hover, Tip } from './Tip';

const hover = signal<Hover | null>(null);
const camera = signal<Camera | null>(null);

/** The map's own code is the largest part of the page: it comes while the city is being read. */
const mapCode = import('../../map/view');

export function MapPane() {
  const container = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const place = city.value;
    let made: CityMap | null = null;
    let gone = false;
    const draw = async (): Promise<void> => {
      const { CityMap } = await mapCode;
      if (gone || !container.current || !place) return;
      made = new CityMap(optionsOf(container.current, place.center));
      const ready = made;
      await ready.whenLoaded();
      map.value = ready;
      mapReady();
    };
    draw().catch(noMap);
    return () => {
      gone = true;
      made?.remove();
    };
  }, []);

  useSignalEffect(() => map.value?.setTheme(darkScheme.value ? dark : light));
  useSignalEffect(() => map.value?.setLabel(t('map.label', { city: nameText(city.value?.name) })));

  return (
    <main class="map-pane" id="map" tabIndex={-1}>
      <div class="map" ref={container} />
      {mapFailed.value && <p class="map-failed">{t('error.webgl')}</p>}
      <Tip hover={hover.value} />
      <LateNote />
      <Legend />
      <MapFoot camera={camera.value} pointer={hover.value?.at ?? null} />
      <div class="map-buttons">
        <MapButton
          label={t('map.zoomIn')}
          sign="M12 5v14M5 12h14"
          act={() => map.value?.zoomBy(1)}
        />
        <MapButton label={t('map.zoomOut')} sign="M5 12h14" act={() => map.value?.zoomBy(-1)} />
        <MapButton
          label={t('map.whole')}
          sign="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"
          act={() => {
            const box = wholeBox();
            if (box) map.value?.goTo(box, coveredNow());
          }}
        />
      </div>
    </main>
  );
}

function optionsOf(container: HTMLElement, center: [number, number]): MapOptions {
  return {
    container,
    center,
    box: wholeBox(),
    covered: coveredSoon(),
    theme: darkScheme.value ? dark : light,
    onChoose: chooseOnMap,
    onPress: pressed,
    onHover: (now) => (hover.value = now),
    onMove: (now) => (camera.value = now),
    onTiles: tilesCame,
    onRender: lookForGround,
    onRest: markFirstSight,
  };
}

/** When the whole map was drawn for the first time, for whoever measures it. */
function markFirstSight(): void {
  const mark = 'city drawn';
  if (map.value && allRead() && !performance.getEntriesByName(mark).length) performance.mark(mark);
}

/** The city's box, or the one around its layers when the profile names none. */
function wholeBox(): Box | null {
  return city.value?.bbox ?? boxOfLayers(layers.value.map(({ layer }) => layer));
}

function MapButton({ label, sign, act }: { label: string; sign: string; act: () => void }) {
  return (
    <button type="button" class="map-button" aria-label={label} title={label} onClick={act}>
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path d={sign} />
      </svg>
    </button>
  );
}

function LateNote() {
  const late = lateSources.value.length;
  if (!late) return null;
  return (
    <button type="button" class="late-note" onClick={openSources}>
      {plural('sources.late', late)}
    </button>
  );
}

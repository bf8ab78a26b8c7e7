/** Cases that may be the same as the chosen one, with how far away each lies; and areas where an alarm is on. */
import type { Feature, FeatureCollection, Geometry, Position } from 'geojson';
import type { AddLayerObject, GeoJSONSource, Map as MapLibre } from 'maplibre-gl';
import { ceiling, fonts, line, point } from './style';

const pairSource = 'cases alike';
const surgeSource = 'case surges';
/** Of Okabe and Ito, as the marks are: blue is no light, vermilion is what is late. */
const pairColour = '#0072B2';
const surgeColour = '#D55E00';

/** One of them: where it is, the letter it is called by, and how far away, in words. */
export interface AlikeMark {
  place: Position;
  letter: string;
  distance: string;
}

export class AlikeMarks {
  constructor(private readonly map: MapLibre) {}

  /** Marks places, and draws a line to the chosen one of them; none takes all away. */
  set(from: Position | null, marks: readonly AlikeMark[], chosen: string): void {
    const features = marks.flatMap(({ place, letter, distance }): Feature[] => {
      const mark = featureOf({ type: 'Point', coordinates: place }, { letter });
      if (letter !== chosen || !from) return [mark];
      return [featureOf({ type: 'LineString', coordinates: [from, place] }, { distance }), mark];
    });
    this.put(pairSource, features, pairLayers);
  }

  /** Outlines areas; none takes all away. */
  setSurges(areas: readonly Geometry[]): void {
    this.put(
      surgeSource,
      areas.map((area) => featureOf(area, {})),
      surgeLayers,
    );
  }

  private put(
    source: string,
    features: Feature[],
    layers: readonly { layer: AddLayerObject; below?: string }[],
  ): void {
    const data: FeatureCollection = { type: 'FeatureCollection', features };
    const known = this.map.getSource<GeoJSONSource>(source);
    if (known) {
      known.setData(data);
      return;
    }
    if (!features.length) return;
    this.map.addSource(source, { type: 'geojson', data });
    for (const { layer, below } of layers) this.map.addLayer(layer, below);
  }
}

const featureOf = (geometry: Geometry, properties: Record<string, string>): Feature => ({
  type: 'Feature',
  geometry,
  properties,
});

const inWords = {
  'text-color': '#00406b',
  'text-halo-color': '#ffffff',
  'text-halo-width': 2.5,
};

const pairLayers: { layer: AddLayerObject }[] = [
  {
    layer: {
      id: 'cases alike line',
      type: 'line',
      source: pairSource,
      filter: line,
      paint: { 'line-color': pairColour, 'line-width': 3, 'line-dasharray': [2, 1.4] },
    },
  },
  {
    layer: {
      id: 'cases alike edge',
      type: 'circle',
      source: pairSource,
      filter: point,
      paint: {
        'circle-radius': 12,
        'circle-color': 'transparent',
        'circle-stroke-width': 3,
        'circle-stroke-color': pairColour,
      },
    },
  },
  {
    layer: {
      id: 'cases alike letter',
      type: 'symbol',
      source: pairSource,
      filter: point,
      layout: {
        'text-field': ['get', 'letter'],
        'text-font': fonts,
        'text-size': 14,
        'text-offset': [1.5, -1.1],
        'text-allow-overlap': true,
        'text-ignore-placement': true,
      },
      paint: inWords,
    },
  },
  {
    layer: {
      id: 'cases alike distance',
      type: 'symbol',
      source: pairSource,
      filter: line,
      layout: {
        'symbol-placement': 'line-center',
        'text-field': ['get', 'distance'],
        'text-font': fonts,
        'text-size': 14,
        'text-rotation-alignment': 'viewport',
        'text-offset': [0, 1.6],
        'text-allow-overlap': true,
        'text-ignore-placement': true,
      },
      paint: inWords,
    },
  },
];

const surgeLayers: { layer: AddLayerObject; below: string }[] = [
  {
    layer: {
      id: 'case surges surface',
      type: 'fill',
      source: surgeSource,
      paint: { 'fill-color': surgeColour, 'fill-opacity': 0.1 },
    },
    below: ceiling('areas'),
  },
  {
    layer: {
      id: 'case surges edge',
      type: 'line',
      source: surgeSource,
      paint: { 'line-color': surgeColour, 'line-width': 2.5, 'line-dasharray': [3, 1.5] },
    },
    below: ceiling('lines'),
  },
];

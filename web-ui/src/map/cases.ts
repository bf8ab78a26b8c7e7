/** The queue of cases as marks: each light has a colour and a shape of its own. */
import type { GeoJSONSource, Map as MapLibre } from 'maplibre-gl';
import type { CaseRow } from '../api/cases';
import type { Light } from '../lib/address';
import { lightMarks } from '../lib/cases';
import { AlikeMarks } from './alike';
import { drawMark, iconName, pixelRatio } from './icons';
import type { Hit } from './hits';

const source = 'cases';
const reach = 9;
const lightOrGreen = ['coalesce', ['get', 'light'], 'green'];

export class CaseMarks {
  private shown = new Map<string, Record<string, unknown>>();

  readonly alike: AlikeMarks;

  constructor(private readonly map: MapLibre) {
    this.alike = new AlikeMarks(map);
  }

  /** Those of them that have a place; none takes all away. */
  set(rows: readonly CaseRow[]): void {
    if (!this.map.getSource(source)) {
      if (!rows.length) return;
      this.begin();
    }
    this.shown = new Map(rows.map(({ id, light }) => [id, { id, light: light ?? 'green' }]));
    this.map.getSource<GeoJSONSource>(source)?.setData({
      type: 'FeatureCollection',
      features: rows.flatMap(({ id, location }) =>
        location
          ? [
              {
                type: 'Feature' as const,
                geometry: { type: 'Point' as const, coordinates: location },
                properties: this.shown.get(id) ?? {},
              },
            ]
          : [],
      ),
    });
  }

  /** The case at a point of the map. */
  at(x: number, y: number): Hit | null {
    if (!this.map.getLayer(source)) return null;
    const [found] = this.map.queryRenderedFeatures(
      [
        [x - reach, y - reach],
        [x + reach, y + reach],
      ],
      { layers: [source] },
    );
    if (!found) return null;
    return { id: String(found.properties.id), type: 'Case', properties: found.properties };
  }

  private begin(): void {
    const lights = Object.entries(lightMarks) as [Light, (typeof lightMarks)[Light]][];
    for (const [, { shape }] of lights) {
      const name = iconName(shape, false);
      const picture = this.map.hasImage(name) ? null : drawMark(shape, false);
      if (picture) this.map.addImage(name, picture, { pixelRatio, sdf: true });
    }
    const byLight = (of: (light: Light) => string): unknown => [
      'match',
      lightOrGreen,
      ...lights.flatMap(([light]) => [light, of(light)]),
      of('green'),
    ];
    this.map.addSource(source, {
      type: 'geojson',
      data: { type: 'FeatureCollection', features: [] },
    });
    this.map.addLayer({
      id: source,
      type: 'symbol',
      source,
      layout: {
        'icon-image': byLight((light) => iconName(lightMarks[light].shape, false)) as never,
        'icon-size': 0.95,
        'icon-allow-overlap': true,
        'icon-ignore-placement': true,
        // What is most urgent lies on top.
        'symbol-sort-key': ['match', lightOrGreen, 'red', 2, 'amber', 1, 0] as never,
      },
      paint: {
        'icon-color': byLight((light) => lightMarks[light].colour) as never,
        'icon-halo-color': '#111111',
        'icon-halo-width': 1.2,
      },
    });
  }
}

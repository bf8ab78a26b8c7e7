/** What lies under a pointer, or in the view: the objects among all that MapLibre has drawn there. */
import type { Map as MapLibre, MapGeoJSONFeature } from 'maplibre-gl';
import type { LayerDrawing } from './drawing';
import { areaSource } from './style';
import type { TileState } from './tiled';

/** What lies at a place of the map. */
export interface Hit {
  id: string;
  type: string;
  properties: Record<string, unknown>;
}

/** What the map draws. */
interface Shown {
  /** The style layers that show something, each with the type whose it is. */
  owners(): Map<string, string>;
  drawing(type: string): LayerDrawing | undefined;
}

/** Pixels around a pointer in which an object is meant. */
const reach = 7;

export class Hits {
  constructor(
    private readonly map: MapLibre,
    private readonly shown: Shown,
  ) {}

  /** The object to choose at a point: objects before ground, points before lines before surfaces. */
  nearest(x: number, y: number): Hit | null {
    const owners = this.shown.owners();
    const hits = this.map.queryRenderedFeatures(
      [
        [x - reach, y - reach],
        [x + reach, y + reach],
      ],
      { layers: [...owners.keys()] },
    );
    let best: { rank: number; hit: MapGeoJSONFeature } | null = null;
    for (const hit of hits) {
      if (!isSeen(hit)) continue;
      // What is coloured by its area is ground too.
      const role = hit.source === areaSource ? 'district' : this.roleOf(owners.get(hit.layer.id));
      const rank = this.rank(hit, role, x, y);
      if (!best || rank < best.rank) best = { rank, hit };
    }
    return best && this.hitOf(best.hit, owners.get(best.hit.layer.id) ?? '');
  }

  /** The objects that are drawn in the view now. */
  inView(): Hit[] {
    const owners = this.shown.owners();
    const seen = new Map<string, Hit>();
    for (const hit of this.map.queryRenderedFeatures({ layers: [...owners.keys()] })) {
      if (!isSeen(hit)) continue;
      const found = this.hitOf(hit, owners.get(hit.layer.id) ?? '');
      seen.set(`${found.type} ${found.id}`, found);
    }
    return [...seen.values()];
  }

  /** How many objects the map shows now in some of its style layers. */
  count(layers: string[]): number {
    const hits = this.map.queryRenderedFeatures({ layers });
    return new Set(hits.filter(isSeen).map(({ properties }) => properties.id)).size;
  }

  private roleOf(type = ''): LayerDrawing['role'] {
    return this.shown.drawing(type)?.role ?? 'object';
  }

  private hitOf({ properties, state }: MapGeoJSONFeature, type: string): Hit {
    const attribute = this.shown.drawing(type)?.colouring?.attribute;
    const { value, stale } = state as TileState;
    const newer = {
      ...(attribute !== undefined && value !== undefined ? { [attribute]: value } : {}),
      ...(stale !== undefined ? { stale } : {}),
    };
    return { id: String(properties.id), type, properties: { ...properties, ...newer } };
  }

  private rank(hit: MapGeoJSONFeature, role: LayerDrawing['role'], x: number, y: number): number {
    const kinds: Record<string, number> = { Point: 0, LineString: 1, MultiLineString: 1 };
    const kind = kinds[hit.geometry.type] ?? 2;
    const floor = { object: 0, road: 1, building: 2, green: 3, water: 3, district: 4 }[role];
    let distance = 0;
    if (hit.geometry.type === 'Point') {
      const at = this.map.project(hit.geometry.coordinates as [number, number]);
      distance = Math.hypot(at.x - x, at.y - y) / 100;
    }
    return floor * 10 + kind + distance;
  }
}

/** Not an object of the tiles that moved away, nor the one of its two marks that does not show. */
function isSeen({ state }: MapGeoJSONFeature): boolean {
  return (state as TileState).hidden !== true;
}

/** A layer that comes as vector tiles: where its tiles are, and what has changed since they were read. */
import type { Geometry, Position } from 'geojson';
import type { Map as MapLibre, VectorTileSource } from 'maplibre-gl';
import type { Box } from '../api/city';
import { anchorOf } from '../lib/geometry';
import { tilesOf } from './drawing';

/** Where tiles are exact to less than a metre; nearer, these are drawn larger. */
const deepest = 15;
/** Further away than this a ring around one of very many would tell nobody anything. */
const ringsFrom = 12;

export interface TileAddress {
  /** With {z}, {y} and {x}, from the root of this origin. */
  path: string;
  box: Box | null;
}

/** What of an object is newer than its tile. */
export interface TileState {
  stale?: boolean;
  /** Of the attribute that colours. */
  value?: unknown;
  /** It moved away, or is no more. */
  hidden?: boolean;
}

export interface TiledObject {
  geometry: Geometry;
  properties: Record<string, unknown>;
}

/** Degrees: what stands on a box's edge may belong to the tile beyond it, and one object's box has no inside. */
const margin = 1e-4;

const widened = ([west, south, east, north]: Box): Box => [
  Math.max(-180, west - margin),
  Math.max(-90, south - margin),
  Math.min(180, east + margin),
  Math.min(90, north + margin),
];

export class TiledLayer {
  private places: Map<string, Position> | null = null;

  constructor(
    private readonly map: MapLibre,
    private readonly type: string,
    { path, box }: TileAddress,
  ) {
    map.addSource(this.source, {
      type: 'vector',
      tiles: [location.origin + path],
      promoteId: 'id',
      maxzoom: deepest,
      ...(box ? { bounds: widened(box) } : {}),
    });
  }

  get source(): string {
    return tilesOf(this.type);
  }

  /** Reads the tiles anew: they hold all that was known by state. */
  read(path: string): void {
    this.map.removeFeatureState({ source: this.source, sourceLayer: this.type });
    this.places = null;
    (this.map.getSource(this.source) as VectorTileSource | undefined)?.setTiles([
      location.origin + path,
    ]);
  }

  /** Gives up its tiles; its style layers must be gone before. */
  remove(): void {
    this.map.removeSource(this.source);
  }

  setState(id: string, state: TileState): void {
    this.map.setFeatureState({ source: this.source, sourceLayer: this.type, id }, { ...state });
  }

  /** Objects in the tiles that have been read. Cost: looks at every object of those tiles. */
  find(ids: readonly string[]): Map<string, TiledObject> {
    const hits = this.map.querySourceFeatures(this.source, {
      sourceLayer: this.type,
      filter: ['in', ['get', 'id'], ['literal', [...ids]]],
    });
    return new Map(
      hits.map(({ geometry, properties }) => [String(properties.id), { geometry, properties }]),
    );
  }

  /** Where an object stands, if it can be told without looking through too much. */
  placeOf(id: string): Position | undefined {
    if (this.map.getZoom() < ringsFrom) return undefined;
    this.places ??= this.allPlaces();
    return this.places.get(id);
  }

  /** Other tiles came or went. */
  forgetPlaces(): void {
    this.places = null;
  }

  private allPlaces(): Map<string, Position> {
    const places = new Map<string, Position>();
    const hits = this.map.querySourceFeatures(this.source, { sourceLayer: this.type });
    for (const { geometry, properties } of hits) {
      const place = anchorOf(geometry);
      if (place) places.set(String(properties.id), place);
    }
    return places;
  }
}

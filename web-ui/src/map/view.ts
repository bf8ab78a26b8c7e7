/** The map: it draws what it is handed and says what was chosen. All it reads itself are the node's tiles. */
import 'maplibre-gl/dist/maplibre-gl.css';
import type { Feature, FeatureCollection, Geometry, Position } from 'geojson';
import {
  type GeoJSONSource,
  type GeoJSONSourceDiff,
  type LayerSpecification,
  type LngLatBoundsLike,
  Map as MapLibre,
  type PaddingOptions,
  prewarm,
  setWorkerUrl,
} from 'maplibre-gl';
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?url';
import type { Box } from '../api/city';
import { keyHeaders } from '../api/key';
import { anchorOf } from '../lib/geometry';
import { metresPerPixel } from '../lib/scale';
import { areaDrawing, type AreaPaint } from './areas';
import { CaseMarks } from './cases';
import { type Drawn, drawingOf, type LayerDrawing, sourceOf, tilesOf } from './drawing';
import { type Hit, Hits } from './hits';
import { drawMark, iconName, pixelRatio } from './icons';
import { Pulses } from './pulses';
import { areaSource, chosenSource, emptyStyle, labelSource, pulseSource } from './style';
import type { Theme } from './theme';
import { type TileAddress, TiledLayer, type TiledObject, type TileState } from './tiled';

// The worker is a file of this origin: a policy of worker-src 'self' is enough.
setWorkerUrl(workerUrl);
// It starts while the city is still being read.
prewarm();

/** What the map knows of an object: the attribute that colours it too. MapLibre keeps text ids only as properties. */
export type MapProperties = { id: string; name: string; stale: boolean } & Record<string, unknown>;
export type MapFeature = Feature<Geometry, MapProperties>;

export interface Camera {
  center: [lon: number, lat: number];
  metresPerPixel: number;
}

/** Pixels of the map that something hides, from its lower and its left edge. */
export interface Covered {
  bottom: number;
  left: number;
}

export interface MapOptions {
  container: HTMLElement;
  center: [number, number];
  box: Box | null;
  covered: Covered;
  theme: Theme;
  onChoose(hit: Hit): void;
  /** A press, wherever it was; true where it has been taken. */
  onPress(at: [lon: number, lat: number]): boolean;
  onHover(hover: { hit: Hit | null; x: number; y: number; at: [number, number] } | null): void;
  onMove(camera: Camera): void;
  /** The tiles of a layer have come, or could not be read. */
  onTiles(type: string, state: 'ready' | 'error'): void;
  onRender(): void;
  /** Everything that was asked for is drawn. */
  onRest(): void;
}

interface OnMap {
  drawing: LayerDrawing;
  visible: boolean;
  /** Owned by the store, which changes it in place. */
  features: ReadonlyMap<string, MapFeature>;
  tiles: TiledLayer | null;
  /** A tile could not be read; until the layer is made anew, that is how it stands. */
  failed: boolean;
}

function around(margin: number, { bottom, left }: Covered): PaddingOptions {
  return { top: margin, left: margin + left, right: margin, bottom: margin + bottom };
}

const collection = (features: Feature[]): FeatureCollection => {
  return { type: 'FeatureCollection', features };
};

export class CityMap {
  private readonly map: MapLibre;
  private readonly drawn = new Map<string, OnMap>();
  private readonly loaded: Promise<void>;
  private readonly pulses = new Pulses((rings) => this.source(pulseSource)?.setData(rings));
  readonly cases: CaseMarks;
  readonly hits: Hits;
  private areas: { type: string; paint: AreaPaint } | null = null;
  private theme: Theme;

  /** @throws Error when the browser offers no WebGL */
  constructor(options: MapOptions) {
    this.theme = options.theme;
    this.map = new MapLibre({
      container: options.container,
      style: emptyStyle(options.theme),
      center: options.center,
      zoom: 11,
      ...(options.box ? { bounds: options.box as LngLatBoundsLike } : {}),
      fitBoundsOptions: { padding: around(24, options.covered) },
      hash: 'map',
      attributionControl: false,
      // Tiles are the node's own: whoever has a key reads them with it.
      transformRequest: (url) => ({ url, headers: keyHeaders() }),
      dragRotate: false,
      pitchWithRotate: false,
      maxZoom: 20,
      fadeDuration: 0,
      // The page names its canvas itself, in the reader's language.
      locale: { 'Map.Title': '' },
    });
    this.cases = new CaseMarks(this.map);
    this.hits = new Hits(this.map, {
      owners: () => this.owners(),
      drawing: (type) => this.drawn.get(type)?.drawing,
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    // Not "load", which waits for a first empty picture: what has been read by then is in the first one.
    this.loaded = new Promise((resolve) => this.map.once('style.load', () => resolve()));
    this.listen(options);
  }

  private listen(options: MapOptions): void {
    const { onChoose, onPress, onHover, onMove, onTiles, onRender, onRest } = options;
    this.map.on('click', ({ point, lngLat }) => {
      if (onPress([lngLat.lng, lngLat.lat])) return;
      const hit = this.nearest(point.x, point.y);
      if (hit) onChoose(hit);
    });
    this.map.on('mousemove', ({ point, lngLat }) => {
      const hit = this.nearest(point.x, point.y);
      this.map.getCanvas().style.cursor = hit ? 'pointer' : '';
      onHover({ hit, x: point.x, y: point.y, at: [lngLat.lng, lngLat.lat] });
    });
    this.map.on('mouseout', () => onHover(null));
    this.map.on('movestart', () => onHover(null));
    this.map.on('move', () => onMove(this.camera()));
    this.map.on('load', () => onMove(this.camera()));
    this.map.on('render', onRender);
    this.map.on('idle', () => {
      // Of a layer that has no tile here, nothing else would tell.
      for (const [type, { tiles, failed }] of this.drawn)
        if (tiles && !failed) onTiles(type, 'ready');
      onRest();
    });
    this.map.on('sourcedata', ({ sourceId, isSourceLoaded }) => {
      const type = this.typeOfTiles(sourceId);
      if (type === null) return;
      const drawn = this.drawn.get(type);
      drawn?.tiles?.forgetPlaces();
      if (isSourceLoaded && !drawn?.failed) onTiles(type, 'ready');
    });
    // Without a listener MapLibre writes every failed tile into the console.
    this.map.on('error', (event) => {
      const { sourceId } = event as { sourceId?: string };
      const type = sourceId === undefined ? null : this.typeOfTiles(sourceId);
      const drawn = type === null ? undefined : this.drawn.get(type);
      if (type === null || !drawn) {
        console.warn(event.error);
        return;
      }
      drawn.failed = true;
      onTiles(type, 'error');
    });
  }

  private typeOfTiles(source: string): string | null {
    for (const [type, { tiles }] of this.drawn) if (tiles && tilesOf(type) === source) return type;
    return null;
  }

  whenLoaded(): Promise<void> {
    return this.loaded;
  }

  setLabel(text: string): void {
    this.map.getCanvas().setAttribute('aria-label', text);
  }

  camera(): Camera {
    const { lng, lat } = this.map.getCenter();
    return { center: [lng, lat], metresPerPixel: metresPerPixel(lat, this.map.getZoom()) };
  }

  /** Draws a layer, empty; or anew in another way, where it is there already. */
  drawLayer(drawing: LayerDrawing, address: TileAddress | null): void {
    const { type, mark } = drawing;
    // A source never asks again for a tile that failed: MapLibre 6.17 takes it for one that is on its way.
    if (this.drawn.get(type)?.failed) this.takeAway(type);
    const known = this.drawn.get(type);
    if (known) {
      known.drawing = drawing;
      if (address) known.tiles?.read(address.path);
      this.repaint(drawingOf(drawing, this.theme).map(({ layer }) => layer));
      return;
    }
    for (const hollow of [false, true]) {
      const name = iconName(mark.shape, hollow);
      const picture = this.map.hasImage(name) ? null : drawMark(mark.shape, hollow);
      if (picture) this.map.addImage(name, picture, { pixelRatio, sdf: true });
    }
    this.map.addSource(sourceOf(type), {
      type: 'geojson',
      promoteId: 'id',
      data: collection([]),
    });
    const tiles = address ? new TiledLayer(this.map, type, address) : null;
    this.drawn.set(type, { drawing, visible: true, features: new Map(), tiles, failed: false });
    for (const { layer, below } of drawingOf(drawing, this.theme)) this.map.addLayer(layer, below);
  }

  private takeAway(type: string): void {
    const drawn = this.drawn.get(type);
    if (!drawn) return;
    this.drawn.delete(type);
    for (const id of this.layerIds(drawn)) this.map.removeLayer(id);
    for (const id of [sourceOf(type), tilesOf(type)]) {
      if (this.map.getSource(id)) this.map.removeSource(id);
    }
  }

  /** All features of a layer; of a tiled one, those that lie over its tiles. */
  setFeatures(type: string, features: ReadonlyMap<string, MapFeature>): void {
    const drawn = this.drawn.get(type);
    if (!drawn) return;
    drawn.features = features;
    this.source(sourceOf(type))?.setData(collection([...features.values()]));
    if (drawn.drawing.role !== 'object') this.drawLabels();
  }

  updateFeatures(type: string, diff: GeoJSONSourceDiff): void {
    this.source(sourceOf(type))?.updateData(diff);
  }

  /** Tells what of an object in the tiles is newer than they are. */
  setTileState(type: string, id: string, state: TileState): void {
    this.drawn.get(type)?.tiles?.setState(id, state);
  }

  /** Objects of a tiled layer, as far as their tiles have been read. */
  findTiled(type: string, ids: readonly string[]): Map<string, TiledObject> {
    return this.drawn.get(type)?.tiles?.find(ids) ?? new Map<string, TiledObject>();
  }

  /** Whether all features that were handed over for a layer are on the map. */
  isDrawn(type: string): boolean {
    return this.drawn.has(type) && this.map.isSourceLoaded(sourceOf(type));
  }

  placeOfTiled(type: string, id: string): Position | undefined {
    return this.drawn.get(type)?.tiles?.placeOf(id);
  }

  setVisible(type: string, visible: boolean): void {
    const drawn = this.drawn.get(type);
    if (!drawn || drawn.visible === visible) return;
    drawn.visible = visible;
    for (const { layer } of drawingOf(drawn.drawing, this.theme)) {
      this.map.setLayoutProperty(layer.id, 'visibility', visible ? 'visible' : 'none');
    }
    if (drawn.drawing.role !== 'object') this.drawLabels();
  }

  /** Names of districts, waters and parks, once each: a surface cut by tiles would repeat its own. */
  private drawLabels(): void {
    const features: Feature[] = [];
    for (const { drawing, visible, features: own } of this.drawn.values()) {
      if (!visible || !['district', 'water', 'green'].includes(drawing.role)) continue;
      // Areas that are coloured write their names themselves, with their values.
      if (drawing.type === this.areas?.type) continue;
      for (const { geometry, properties } of own.values()) {
        const place = properties.name ? anchorOf(geometry) : null;
        if (!place) continue;
        features.push({
          type: 'Feature',
          geometry: { type: 'Point', coordinates: place },
          properties: { label: properties.name, role: drawing.role },
        });
      }
    }
    this.source(labelSource)?.setData(collection(features));
  }

  /** Colours areas by what was found within them; null takes the colours away. */
  setAreas(areas: { type: string; features: Feature[]; paint: AreaPaint } | null): void {
    for (const { layer } of this.areaLayers()) this.map.removeLayer(layer.id);
    this.areas = areas;
    this.drawLabels();
    this.source(areaSource)?.setData(collection(areas?.features ?? []));
    for (const { layer, below } of this.areaLayers()) this.map.addLayer(layer, below);
  }

  private areaLayers(): Drawn[] {
    return this.areas ? areaDrawing(this.areas.paint, this.theme) : [];
  }

  setChosen(geometry: Geometry | null): void {
    const features = geometry ? [{ type: 'Feature' as const, geometry, properties: {} }] : [];
    this.source(chosenSource)?.setData(collection(features));
  }

  /** Rings a place for a moment: something changed there. */
  pulse(id: string, place: Position): void {
    this.pulses.ring(id, place);
  }

  setTheme(theme: Theme): void {
    if (theme === this.theme) return;
    this.theme = theme;
    this.repaint(emptyStyle(theme).layers);
    for (const { drawing } of this.drawn.values()) {
      this.repaint(drawingOf(drawing, theme).map(({ layer }) => layer));
    }
    this.repaint(this.areaLayers().map(({ layer }) => layer));
  }

  /** Paints layers that are drawn as they would be now: what has been read stays. */
  private repaint(layers: LayerSpecification[]): void {
    for (const { id, paint } of layers) {
      for (const [name, value] of Object.entries(paint ?? {})) {
        this.map.setPaintProperty(id, name as never, value as never);
      }
    }
  }

  zoomBy(step: 1 | -1): void {
    if (step > 0) this.map.zoomIn();
    else this.map.zoomOut();
  }

  /** Brings a place into view, beside what covers the map's edges. */
  goTo(box: Box, covered: Covered, closest = 17): void {
    const [west, south, east, north] = box;
    if (west === east && south === north) {
      this.map.easeTo({
        center: [west, south],
        zoom: Math.max(this.map.getZoom(), 15),
        offset: [covered.left / 2, -covered.bottom / 2],
      });
    } else {
      const padding = around(24, covered);
      this.map.fitBounds(box as LngLatBoundsLike, { padding, maxZoom: closest });
    }
  }

  /** How many objects of a layer are on the screen now: for tests. */
  rendered(type: string): number {
    const drawn = this.drawn.get(type);
    if (!drawn) return 0;
    return this.hits.count(this.layerIds(drawn).filter((id) => this.map.getLayer(id)));
  }

  /** Where a place lies on the page, in CSS pixels: for tests. */
  pixelOf(place: [number, number]): [x: number, y: number] {
    const { x, y } = this.map.project(place);
    const { left, top } = this.map.getCanvas().getBoundingClientRect();
    return [x + left, y + top];
  }

  /** The map as it is drawn now, on a canvas of its own; in the pixels of the screen. */
  picture(): HTMLCanvasElement {
    // What WebGL drew is there to be copied only until the browser has shown it.
    this.map.redraw();
    const drawn = this.map.getCanvas();
    const copy = document.createElement('canvas');
    copy.width = drawn.width;
    copy.height = drawn.height;
    copy.getContext('2d')?.drawImage(drawn, 0, 0);
    return copy;
  }

  /** How wide the map is, in CSS pixels. */
  width(): number {
    return this.map.getCanvas().clientWidth;
  }

  /** Metres of the ground in a CSS pixel, in the map's middle. */
  metresPerPixel(): number {
    return this.camera().metresPerPixel;
  }

  /** The object in the map's middle, if one is near it. */
  inMiddle(): Hit | null {
    const { clientWidth, clientHeight } = this.map.getCanvas();
    return this.nearest(clientWidth / 2, clientHeight / 2);
  }

  /** Resolves when everything is drawn. */
  whenResting(): Promise<void> {
    return new Promise((resolve) => this.map.once('idle', () => resolve()));
  }

  resting(): boolean {
    return this.map.loaded() && !this.map.isMoving();
  }

  remove(): void {
    this.map.remove();
  }

  private layerIds({ drawing }: OnMap): string[] {
    return drawingOf(drawing, this.theme).map(({ layer }) => layer.id);
  }

  private source(id: string): GeoJSONSource | undefined {
    return this.map.getSource(id) as GeoJSONSource | undefined;
  }

  /** The object to choose at a point: a case before what it is about. */
  private nearest(x: number, y: number): Hit | null {
    return this.cases.at(x, y) ?? this.hits.nearest(x, y);
  }

  /** The style layers that show something, each with the type whose it is. */
  private owners(): Map<string, string> {
    const owners = new Map<string, string>();
    for (const [type, drawn] of this.drawn) {
      if (drawn.visible) for (const id of this.layerIds(drawn)) owners.set(id, type);
    }
    if (this.areas)
      for (const { layer } of this.areaLayers()) owners.set(layer.id, this.areas.type);
    for (const id of owners.keys()) if (!this.map.getLayer(id)) owners.delete(id);
    return owners;
  }
}

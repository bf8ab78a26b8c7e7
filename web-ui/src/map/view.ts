/** The map: it draws what it is handed and says what was chosen. It asks the node for nothing. */
import 'maplibre-gl/dist/maplibre-gl.css';
import type { Feature, FeatureCollection, Geometry, Position } from 'geojson';
import {
  type GeoJSONSource,
  type GeoJSONSourceDiff,
  type LngLatBoundsLike,
  type MapGeoJSONFeature,
  Map as MapLibre,
  type PaddingOptions,
  setWorkerUrl,
} from 'maplibre-gl';
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?url';
import type { Box } from '../api/city';
import { anchorOf } from '../lib/geometry';
import { metresPerPixel } from '../lib/scale';
import { drawMark, iconName, pixelRatio } from './icons';
import {
  chosenSource,
  drawingOf,
  emptyStyle,
  type LayerDrawing,
  labelSource,
  pulseSource,
  sourceOf,
} from './style';
import type { Theme } from './theme';

// The worker is a file of this origin: a policy of worker-src 'self' is enough.
setWorkerUrl(workerUrl);

/** What the map knows of an object. MapLibre keeps text ids only as properties. */
export interface MapProperties {
  id: string;
  label: string;
  stale: boolean;
}
export type MapFeature = Feature<Geometry, MapProperties>;

export interface Chosen {
  id: string;
  type: string;
}

export interface MapOptions {
  container: HTMLElement;
  center: [number, number];
  box: Box | null;
  /** Pixels of the map's lower edge that something covers. */
  covered: number;
  theme: Theme;
  onChoose(chosen: Chosen): void;
  onHover(hover: { label: string; type: string; x: number; y: number } | null): void;
  /** The view came to rest. */
  onMove(): void;
}

interface Drawn {
  drawing: LayerDrawing;
  visible: boolean;
  /** Owned by the store, which changes it in place: read anew whenever a style is drawn. */
  features: ReadonlyMap<string, MapFeature>;
}

const reach = 7;
const pulseTime = 1_400;
const mostPulses = 300;

function around(margin: number, covered: number): PaddingOptions {
  return { top: margin, left: margin, right: margin, bottom: margin + covered };
}

function collection(features: ReadonlyMap<string, MapFeature>): FeatureCollection {
  return { type: 'FeatureCollection', features: [...features.values()] };
}

export class CityMap {
  private readonly map: MapLibre;
  private readonly drawn = new Map<string, Drawn>();
  private readonly pulses = new Map<string, { place: Position; since: number }>();
  private readonly loaded: Promise<void>;
  private chosen: Geometry | null = null;
  private theme: Theme;
  private beating = false;

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
      dragRotate: false,
      pitchWithRotate: false,
      maxZoom: 20,
      // The page names its canvas itself, in the reader's language.
      locale: { 'Map.Title': '' },
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.loaded = new Promise((resolve) => this.map.once('load', () => resolve()));
    this.map.on('click', (event) => {
      const hit = this.nearest(event.point.x, event.point.y);
      if (hit) options.onChoose(hit.chosen);
    });
    this.map.on('mousemove', (event) => {
      const hit = this.nearest(event.point.x, event.point.y);
      this.map.getCanvas().style.cursor = hit ? 'pointer' : '';
      options.onHover(
        hit
          ? { label: hit.label, type: hit.chosen.type, x: event.point.x, y: event.point.y }
          : null,
      );
    });
    this.map.on('mouseout', () => options.onHover(null));
    this.map.on('movestart', () => options.onHover(null));
    this.map.on('moveend', () => options.onMove());
  }

  whenLoaded(): Promise<void> {
    return this.loaded;
  }

  setLabel(text: string): void {
    this.map.getCanvas().setAttribute('aria-label', text);
  }

  /** Draws a layer for the first time, empty. */
  addLayer(drawing: LayerDrawing): void {
    if (this.drawn.has(drawing.type)) return;
    this.drawn.set(drawing.type, { drawing, visible: true, features: new Map() });
    this.map.addSource(sourceOf(drawing.type), {
      type: 'geojson',
      promoteId: 'id',
      data: { type: 'FeatureCollection', features: [] },
    });
    this.paintLayer(drawing);
  }

  private paintLayer(drawing: LayerDrawing): void {
    for (const stale of [false, true]) {
      const picture = drawMark(drawing.mark, this.theme, stale);
      const name = iconName(drawing.type, stale);
      if (picture && !this.map.hasImage(name)) this.map.addImage(name, picture, { pixelRatio });
    }
    for (const { layer, below } of drawingOf(drawing, this.theme)) this.map.addLayer(layer, below);
  }

  setFeatures(type: string, features: ReadonlyMap<string, MapFeature>): void {
    const drawn = this.drawn.get(type);
    if (!drawn) return;
    drawn.features = features;
    this.source(sourceOf(type))?.setData(collection(features));
    if (drawn.drawing.role !== 'object') this.drawLabels();
  }

  updateFeatures(type: string, diff: GeoJSONSourceDiff): void {
    this.source(sourceOf(type))?.updateData(diff);
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
      if (!visible || drawing.role === 'object' || drawing.role === 'road') continue;
      for (const { geometry, properties } of own.values()) {
        const place = properties.label ? anchorOf(geometry) : null;
        if (!place) continue;
        features.push({
          type: 'Feature',
          geometry: { type: 'Point', coordinates: place },
          properties: { label: properties.label, role: drawing.role },
        });
      }
    }
    this.source(labelSource)?.setData({ type: 'FeatureCollection', features });
  }

  setChosen(geometry: Geometry | null): void {
    this.chosen = geometry;
    this.source(chosenSource)?.setData({
      type: 'FeatureCollection',
      features: geometry ? [{ type: 'Feature', geometry, properties: {} }] : [],
    });
  }

  /** Rings a place for a moment: something changed there. */
  pulse(id: string, place: Position): void {
    if (this.pulses.size >= mostPulses && !this.pulses.has(id)) return;
    this.pulses.set(id, { place, since: performance.now() });
    if (!this.beating) {
      this.beating = true;
      requestAnimationFrame(this.beat);
    }
  }

  private readonly beat = (now: number): void => {
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const features: Feature[] = [];
    for (const [id, { place, since }] of this.pulses) {
      const age = Math.max(0, (now - since) / pulseTime);
      if (age >= 1) this.pulses.delete(id);
      else {
        features.push({
          type: 'Feature',
          geometry: { type: 'Point', coordinates: place },
          properties: { age: still ? 0.4 : age },
        });
      }
    }
    this.source(pulseSource)?.setData({ type: 'FeatureCollection', features });
    this.beating = this.pulses.size > 0;
    // A tenth of a second is smooth enough for a ring, and light enough for a telephone.
    if (this.beating) setTimeout(() => requestAnimationFrame(this.beat), still ? 400 : 80);
  };

  setTheme(theme: Theme): void {
    if (theme === this.theme) return;
    this.theme = theme;
    this.map.setStyle(emptyStyle(theme), { diff: false });
    this.map.once('style.load', () => {
      for (const { drawing, visible, features } of this.drawn.values()) {
        this.map.addSource(sourceOf(drawing.type), {
          type: 'geojson',
          promoteId: 'id',
          data: collection(features),
        });
        this.paintLayer(drawing);
        if (!visible) {
          for (const { layer } of drawingOf(drawing, theme)) {
            this.map.setLayoutProperty(layer.id, 'visibility', 'none');
          }
        }
      }
      this.drawLabels();
      this.setChosen(this.chosen);
    });
  }

  box(): Box {
    const bounds = this.map.getBounds();
    return [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
  }

  zoomBy(step: 1 | -1): void {
    if (step > 0) this.map.zoomIn();
    else this.map.zoomOut();
  }

  /** Brings a place into view, above what covers the map's lower edge. */
  goTo(box: Box, covered: number): void {
    const [west, south, east, north] = box;
    if (west === east && south === north) {
      this.map.easeTo({
        center: [west, south],
        zoom: Math.max(this.map.getZoom(), 15),
        offset: [0, -covered / 2],
      });
    } else {
      const padding = around(24, covered);
      this.map.fitBounds(box as LngLatBoundsLike, { padding, maxZoom: 17 });
    }
  }

  /** How many objects of a layer are on the screen now: for tests. */
  rendered(type: string): number {
    const drawn = this.drawn.get(type);
    if (!drawn) return 0;
    const layers = this.layerIds(drawn).filter((id) => this.map.getLayer(id));
    const hits = this.map.queryRenderedFeatures({ layers });
    return new Set(hits.map(({ properties }) => properties.id)).size;
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
    return metresPerPixel(this.map.getCenter().lat, this.map.getZoom());
  }

  /** The objects that are drawn in the view now. */
  inView(): Chosen[] {
    const owners = this.owners();
    const hits = this.map.queryRenderedFeatures({ layers: [...owners.keys()] });
    const seen = new Map<string, Chosen>();
    for (const { layer, properties } of hits) {
      const { id } = properties as MapProperties;
      const type = owners.get(layer.id)?.drawing.type ?? '';
      seen.set(`${type} ${id}`, { id, type });
    }
    return [...seen.values()];
  }

  /** The object in the map's middle, if one is near it. */
  inMiddle(): Chosen | null {
    const { clientWidth, clientHeight } = this.map.getCanvas();
    return this.nearest(clientWidth / 2, clientHeight / 2)?.chosen ?? null;
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

  private layerIds(drawn: Drawn): string[] {
    return drawingOf(drawn.drawing, this.theme).map(({ layer }) => layer.id);
  }

  /** The style layers that show something, each with whose it is. */
  private owners(): Map<string, Drawn> {
    const owners = new Map<string, Drawn>();
    for (const drawn of this.drawn.values()) {
      if (!drawn.visible) continue;
      for (const id of this.layerIds(drawn)) if (this.map.getLayer(id)) owners.set(id, drawn);
    }
    return owners;
  }

  private source(id: string): GeoJSONSource | undefined {
    return this.map.getSource(id) as GeoJSONSource | undefined;
  }

  /** The object to choose at a point: objects before ground, points before lines before surfaces. */
  private nearest(x: number, y: number): { chosen: Chosen; label: string } | null {
    if (!this.map.isStyleLoaded()) return null;
    const owners = this.owners();
    const hits = this.map.queryRenderedFeatures(
      [
        [x - reach, y - reach],
        [x + reach, y + reach],
      ],
      { layers: [...owners.keys()] },
    );
    let best: { rank: number; hit: MapGeoJSONFeature; owner: Drawn } | null = null;
    for (const hit of hits) {
      const owner = owners.get(hit.layer.id);
      if (!owner) continue;
      const rank = this.rank(hit, owner, x, y);
      if (!best || rank < best.rank) best = { rank, hit, owner };
    }
    if (!best) return null;
    const { id, label } = best.hit.properties as MapProperties;
    return { chosen: { id, type: best.owner.drawing.type }, label };
  }

  private rank(hit: MapGeoJSONFeature, owner: Drawn, x: number, y: number): number {
    const kinds: Record<string, number> = { Point: 0, LineString: 1, MultiLineString: 1 };
    const kind = kinds[hit.geometry.type] ?? 2;
    const floor = { object: 0, road: 1, green: 2, water: 2, district: 3 }[owner.drawing.role];
    let distance = 0;
    if (hit.geometry.type === 'Point') {
      const at = this.map.project(hit.geometry.coordinates as [number, number]);
      distance = Math.hypot(at.x - x, at.y - y) / 100;
    }
    return floor * 10 + kind + distance;
  }
}

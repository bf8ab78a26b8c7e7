/** The drawing: which style layers a city's layer becomes, and in which order they lie. */
import type { FeatureCollection } from 'geojson';
import type { FilterSpecification, LayerSpecification, StyleSpecification } from 'maplibre-gl';
import type { Mark, Role } from '../lib/symbols';
import { iconName } from './icons';
import type { Theme } from './theme';

/** Empty layers that mark the floors of the drawing; a city's layer is put under its floor's ceiling. */
export const floors = [
  'district',
  'water',
  'green',
  'road',
  'surfaces',
  'lines',
  'names',
  'crowd',
  'points',
] as const;
export type Floor = (typeof floors)[number];
const ceiling = (floor: Floor): string => `ceiling ${floor}`;

export const chosenSource = 'chosen';
export const pulseSource = 'pulse';
export const labelSource = 'ground labels';

const fonts = ['Noto Sans', 'Segoe UI', 'Helvetica Neue', 'sans-serif'];
const noFeatures: FeatureCollection = { type: 'FeatureCollection', features: [] };

const surface: FilterSpecification = ['==', ['geometry-type'], 'Polygon'];
const line: FilterSpecification = ['==', ['geometry-type'], 'LineString'];
const point: FilterSpecification = ['==', ['geometry-type'], 'Point'];
const notPoint: FilterSpecification = ['!=', ['geometry-type'], 'Point'];

/** A style without a single address in it: no glyphs, no sprites, no tiles. */
export function emptyStyle(theme: Theme): StyleSpecification {
  return {
    version: 8,
    sources: {
      [labelSource]: { type: 'geojson', data: noFeatures },
      [chosenSource]: { type: 'geojson', data: noFeatures },
      [pulseSource]: { type: 'geojson', data: noFeatures },
    },
    layers: [
      { id: 'land', type: 'background', paint: { 'background-color': theme.land } },
      ...floors.map((floor): LayerSpecification => ({
        id: ceiling(floor),
        type: 'background',
        layout: { visibility: 'none' },
      })),
      ...overlay(theme),
    ],
  };
}

/** What lies above every floor: names of the ground, the chosen object, what has just changed. */
function overlay(theme: Theme): LayerSpecification[] {
  return [
    {
      id: 'label',
      type: 'symbol',
      source: labelSource,
      layout: {
        'text-field': ['get', 'label'],
        'text-font': fonts,
        'text-size': ['match', ['get', 'role'], 'district', 13, 11],
        'text-letter-spacing': ['match', ['get', 'role'], 'district', 0.08, 0],
        'text-max-width': 8,
        'text-padding': 6,
        'symbol-sort-key': ['match', ['get', 'role'], 'district', 0, 'water', 1, 2],
      },
      paint: {
        'text-color': ['match', ['get', 'role'], 'district', theme.label, theme.labelQuiet],
        'text-halo-color': theme.halo,
        'text-halo-width': 1.4,
      },
    },
    {
      id: 'pulse',
      type: 'circle',
      source: pulseSource,
      paint: {
        'circle-radius': ['interpolate', ['linear'], ['get', 'age'], 0, 5, 1, 22],
        'circle-color': 'transparent',
        'circle-stroke-width': 3,
        'circle-stroke-color': theme.chosen,
        'circle-stroke-opacity': ['-', 1, ['get', 'age']],
      },
    },
    {
      id: 'chosen surface',
      type: 'line',
      source: chosenSource,
      filter: notPoint,
      layout: { 'line-join': 'round', 'line-cap': 'round' },
      paint: { 'line-color': theme.chosen, 'line-width': 3.5 },
    },
    {
      id: 'chosen point edge',
      type: 'circle',
      source: chosenSource,
      filter: point,
      paint: {
        'circle-radius': 13,
        'circle-color': 'transparent',
        'circle-stroke-width': 6,
        'circle-stroke-color': theme.halo,
      },
    },
    {
      id: 'chosen point',
      type: 'circle',
      source: chosenSource,
      filter: point,
      paint: {
        'circle-radius': 13,
        'circle-color': 'transparent',
        'circle-stroke-width': 3,
        'circle-stroke-color': theme.chosen,
      },
    },
  ];
}

export interface LayerDrawing {
  type: string;
  role: Role;
  mark: Mark;
  /** Many points are dots from far away; a few are always marks. */
  crowded: boolean;
}

/** The style layers of one city layer, each with the layer it must lie under. */
export function drawingOf(
  { type, role, mark, crowded }: LayerDrawing,
  theme: Theme,
): { layer: LayerSpecification; below: string }[] {
  const source = sourceOf(type);
  const part = (name: string): string => `${source} ${name}`;
  const drawn: { layer: LayerSpecification; below: string }[] = [];
  const put = (floor: Floor, layer: LayerSpecification): void => {
    drawn.push({ layer, below: ceiling(floor) });
  };

  if (role !== 'object') {
    const fill = {
      district: theme.district,
      water: theme.water,
      green: theme.green,
      road: theme.road,
    };
    put(role, {
      id: part('fill'),
      type: 'fill',
      source,
      filter: surface,
      paint: { 'fill-color': fill[role] },
    });
    if (role === 'road') {
      put(role, {
        id: part('edge'),
        type: 'line',
        source,
        filter: line,
        layout: { 'line-cap': 'round', 'line-join': 'round' },
        paint: { 'line-color': theme.roadEdge, 'line-width': roadWidth(1.6) },
      });
    }
    const lines = {
      district: { 'line-color': theme.districtEdge, 'line-width': 1.1, 'line-dasharray': [4, 2] },
      water: { 'line-color': theme.water, 'line-width': 2 },
      green: { 'line-color': theme.green, 'line-width': 1 },
      road: { 'line-color': theme.road, 'line-width': roadWidth(0) },
    };
    // District borders lie above water and parks, their surfaces below them.
    put(role === 'district' ? 'road' : role, {
      id: part('line'),
      type: 'line',
      source,
      filter: role === 'road' ? line : notPoint,
      layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: lines[role],
    });
    if (role === 'road') {
      put('names', {
        id: part('name'),
        type: 'symbol',
        source,
        minzoom: 14,
        filter: line,
        layout: {
          'symbol-placement': 'line',
          'text-field': ['coalesce', ['get', 'label'], ''],
          'text-font': fonts,
          'text-size': 11,
        },
        paint: {
          'text-color': theme.labelQuiet,
          'text-halo-color': theme.halo,
          'text-halo-width': 1.5,
        },
      });
    }
    return drawn;
  }

  put('surfaces', {
    id: part('fill'),
    type: 'fill',
    source,
    filter: surface,
    paint: { 'fill-color': mark.colour, 'fill-opacity': 0.22 },
  });
  put('lines', {
    id: part('line'),
    type: 'line',
    source,
    filter: notPoint,
    layout: { 'line-join': 'round' },
    paint: {
      'line-color': mark.colour,
      'line-width': ['interpolate', ['linear'], ['zoom'], 10, 1.2, 16, 3],
      ...(mark.dash.length > 1 ? { 'line-dasharray': mark.dash } : {}),
    },
  });
  if (crowded) {
    put('crowd', {
      id: part('dot'),
      type: 'circle',
      source,
      maxzoom: crowdZoom,
      filter: point,
      paint: {
        'circle-color': mark.colour,
        'circle-radius': ['interpolate', ['linear'], ['zoom'], 9, 1, crowdZoom, 3.6],
        'circle-stroke-color': theme.markEdge,
        'circle-stroke-width': ['interpolate', ['linear'], ['zoom'], 11, 0, crowdZoom, 0.8],
      },
    });
  }
  put(crowded ? 'crowd' : 'points', {
    id: part('mark'),
    type: 'symbol',
    source,
    ...(crowded ? { minzoom: crowdZoom } : {}),
    filter: point,
    layout: {
      'icon-image': [
        'case',
        ['==', ['get', 'stale'], true],
        iconName(type, true),
        iconName(type, false),
      ],
      'icon-size': ['interpolate', ['linear'], ['zoom'], 11, 0.4, 13, 0.62, 15, 0.9, 17, 1.05],
      'icon-allow-overlap': true,
      'icon-ignore-placement': true,
    },
  });
  return drawn;
}

const crowdZoom = 14;

function roadWidth(edge: number): ['interpolate', ['linear'], ['zoom'], ...number[]] {
  return ['interpolate', ['linear'], ['zoom'], 10, 0.4 + edge / 3, 13, 1.6 + edge, 17, 7 + edge];
}

export const sourceOf = (type: string): string => `layer ${type}`;

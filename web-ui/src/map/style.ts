/** The empty map: its floors, and what lies above them all. */
import type { FeatureCollection } from 'geojson';
import type { ExpressionSpecification, LayerSpecification, StyleSpecification } from 'maplibre-gl';
import type { Theme } from './theme';

/** Empty layers that mark the floors of the drawing; a city's layer is put under its floor's ceiling. */
export const floors = [
  'district',
  'areas',
  'water',
  'green',
  'road',
  'building',
  'surfaces',
  'lines',
  'names',
  'crowd',
  'points',
] as const;
export type Floor = (typeof floors)[number];
export const ceiling = (floor: Floor): string => `ceiling ${floor}`;

export const chosenSource = 'chosen';
export const pulseSource = 'pulse';
export const labelSource = 'ground labels';
export const areaSource = 'areas';

export const fonts = ['Noto Sans', 'Segoe UI', 'Helvetica Neue', 'sans-serif'];
const noFeatures: FeatureCollection = { type: 'FeatureCollection', features: [] };

export const surface: ExpressionSpecification = ['==', ['geometry-type'], 'Polygon'];
export const line: ExpressionSpecification = ['==', ['geometry-type'], 'LineString'];
export const point: ExpressionSpecification = ['==', ['geometry-type'], 'Point'];
export const notPoint: ExpressionSpecification = ['!=', ['geometry-type'], 'Point'];

/** A style without a single address in it: no glyphs, no sprites, no tiles. */
export function emptyStyle(theme: Theme): StyleSpecification {
  return {
    version: 8,
    sources: {
      [labelSource]: { type: 'geojson', data: noFeatures },
      [chosenSource]: { type: 'geojson', data: noFeatures },
      [pulseSource]: { type: 'geojson', data: noFeatures },
      [areaSource]: { type: 'geojson', promoteId: 'id', data: noFeatures },
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
        // Quieter by opacity, as the marks are: one program of the graphics card serves both.
        'text-color': theme.label,
        'text-opacity': ['match', ['get', 'role'], 'district', 1, 0.78],
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

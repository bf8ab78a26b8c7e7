/** Areas coloured by what lies within them: their surfaces, and their values as text where there is room. */
import type { Drawn } from './drawing';
import { stepsOf } from './expressions';
import { areaOpacity, emptyOpacity } from '../lib/areas';
import { missingColour, viridisColours } from '../lib/colouring';
import { areaSource, ceiling, fonts, point, surface } from './style';
import type { Theme } from './theme';

/**
 * The features are surfaces with a `value` or null, and points in them, each with a `text` that is written
 * there from a zoom `from` on, which has room for it, and until another, `until`, has room for more.
 */
export interface AreaPaint {
  breaks: number[];
}

export function areaDrawing({ breaks }: AreaPaint, theme: Theme): Drawn[] {
  const colours = viridisColours(breaks.length + 1, theme.dark);
  const classes = stepsOf(['to-number', ['get', 'value']], breaks, colours);
  return [
    {
      layer: {
        id: 'areas fill',
        type: 'fill',
        source: areaSource,
        filter: surface,
        paint: {
          'fill-color': ['case', ['==', ['get', 'value'], null], missingColour, classes],
          'fill-antialias': false,
          'fill-opacity': ['case', ['==', ['get', 'value'], null], emptyOpacity, areaOpacity],
        },
      },
      below: ceiling('areas'),
    },
    {
      layer: {
        id: 'areas edge',
        type: 'line',
        source: areaSource,
        filter: surface,
        paint: { 'line-color': theme.districtEdge, 'line-width': 1.2 },
      },
      below: ceiling('areas'),
    },
    {
      layer: {
        id: 'areas value',
        type: 'symbol',
        source: areaSource,
        filter: [
          'all',
          point,
          ['>=', ['zoom'], ['get', 'from']],
          ['<', ['zoom'], ['get', 'until']],
        ],
        layout: {
          'text-field': ['get', 'text'],
          'text-font': fonts,
          'text-size': 14,
          'text-padding': 4,
        },
        paint: {
          'text-color': theme.label,
          'text-halo-color': theme.halo,
          'text-halo-width': 2,
        },
      },
      below: 'pulse',
    },
  ];
}

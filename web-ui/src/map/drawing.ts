/** The drawing of one city layer: the style layers it becomes, and on which floor each lies. */
import type { ExpressionSpecification, LayerSpecification } from 'maplibre-gl';
import type { Colouring } from '../lib/colouring';
import type { Crowd, Mark, Role } from '../lib/symbols';
import { colourOf, isStale, seen } from './expressions';
import { iconName } from './icons';
import { ceiling, type Floor, fonts, line, notPoint, point, surface } from './style';
import type { Theme } from './theme';

export interface LayerDrawing {
  type: string;
  role: Role;
  mark: Mark;
  /** How many points are drawn from far away; a few are always full marks. */
  crowd: Crowd;
  /** Read as tiles; what changed since lies over them as features. */
  tiled: boolean;
  colouring: Colouring | null;
}

export type Drawn = { layer: LayerSpecification; below: string };

export const sourceOf = (type: string): string => `layer ${type}`;
export const tilesOf = (type: string): string => `tiles ${type}`;

/** From here on every point is a mark. */
const crowdZoom = 14;

/** The style layers of one city layer, each with the layer it must lie under. */
export function drawingOf(drawing: LayerDrawing, theme: Theme): Drawn[] {
  const drawn: Drawn[] = [];
  if (drawing.tiled) new Pen(drawing, theme, tilesOf(drawing.type), drawn).draw();
  new Pen(drawing, theme, sourceOf(drawing.type), drawn).draw();
  return drawn;
}

/** Draws a layer from one of its sources. */
class Pen {
  constructor(
    private readonly drawing: LayerDrawing,
    private readonly theme: Theme,
    private readonly source: string,
    private readonly drawn: Drawn[],
  ) {}

  draw(): void {
    if (this.drawing.role === 'object') this.objects();
    else this.ground(this.drawing.role);
  }

  private put(floor: Floor, name: string, layer: object): void {
    const { type } = this.drawing;
    const part = {
      id: `${this.source} ${name}`,
      source: this.source,
      ...(this.source === tilesOf(type) ? { 'source-layer': type } : {}),
      ...layer,
    };
    this.drawn.push({ layer: part as LayerSpecification, below: ceiling(floor) });
  }

  private ground(role: Exclude<Role, 'object'>): void {
    const { theme } = this;
    this.put(role, 'fill', {
      type: 'fill',
      filter: surface,
      paint: {
        'fill-color': this.colour(theme[role]),
        'fill-opacity': this.seen(1),
        'fill-antialias': false,
      },
    });
    if (role === 'road') {
      this.roads();
      return;
    }
    const lines = {
      district: { 'line-color': theme.districtEdge, 'line-width': 1.1 },
      water: { 'line-color': this.colour(theme.water), 'line-width': 2 },
      green: { 'line-color': this.colour(theme.green), 'line-width': 1 },
      building: { 'line-color': theme.buildingEdge, 'line-width': 0.7 },
    };
    // District borders lie above water and parks, their surfaces below them.
    this.put(role === 'district' ? 'road' : role, 'line', {
      type: 'line',
      filter: notPoint,
      layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { ...lines[role], 'line-opacity': this.seen(1) },
    });
  }

  /** Edges first, that crossings are open; the wider roads above the narrower ones. */
  private roads(): void {
    const { theme } = this;
    const layout = { 'line-cap': 'round', 'line-join': 'round' };
    const opacity = this.seen(1);
    for (const { name, classes, width } of roadWidths) {
      this.put('road', `${name} edge`, {
        type: 'line',
        filter: ['all', line, classes],
        layout,
        paint: {
          'line-color': theme.roadEdge,
          'line-width': roadWidth(width, 1.6),
          'line-opacity': opacity,
        },
      });
    }
    for (const { name, classes, width } of roadWidths) {
      this.put('road', name, {
        type: 'line',
        filter: ['all', line, classes],
        layout,
        paint: {
          'line-color': this.colour(theme.road),
          'line-width': roadWidth(width, 0),
          'line-opacity': opacity,
        },
      });
    }
    this.roadNames();
  }

  private roadNames(): void {
    this.put('names', 'name', {
      type: 'symbol',
      minzoom: 14,
      filter: line,
      layout: {
        'symbol-placement': 'line',
        'text-field': ['coalesce', ['get', 'name'], ''],
        'text-font': fonts,
        'text-size': 11,
      },
      paint: {
        'text-color': this.theme.labelQuiet,
        'text-halo-color': this.theme.halo,
        'text-halo-width': 1.5,
        'text-opacity': this.seen(1),
      },
    });
  }

  private objects(): void {
    const { mark, crowd, colouring } = this.drawing;
    const colour = this.colour(mark.colour);
    this.put('surfaces', 'fill', {
      type: 'fill',
      filter: surface,
      // A surface that is coloured by its value must be told from its neighbour.
      paint: {
        'fill-color': colour,
        'fill-opacity': this.seen(colouring ? 0.62 : 0.22),
        'fill-antialias': false,
      },
    });
    this.put('lines', 'line', {
      type: 'line',
      filter: notPoint,
      layout: { 'line-join': 'round' },
      paint: {
        'line-color': colour,
        'line-width': ['interpolate', ['linear'], ['zoom'], 10, 1.2, 16, 3],
        'line-opacity': this.seen(1),
        ...(mark.dash.length > 1 ? { 'line-dasharray': mark.dash } : {}),
      },
    });
    if (crowd === 'dots' || crowd === 'rimmed') this.dots(colour, crowd === 'rimmed');
    for (const hollow of [false, true]) this.marks(colour, hollow);
  }

  private dots(colour: string | ExpressionSpecification, rimmed: boolean): void {
    // Tens of thousands of dots would hide each other, and the city: theirs are specks for longer.
    const { tiled } = this.drawing;
    const dense = tiled ? [13, 1.7] : [];
    const edged = tiled ? 13 : 11;
    const [far, rim] = rimmed ? [1.4, 0.7] : [1, 0];
    this.put('crowd', 'dot', {
      type: 'circle',
      maxzoom: crowdZoom,
      filter: point,
      paint: {
        'circle-color': colour,
        'circle-opacity': this.seen(['case', isStale, 0.35, 1]),
        'circle-radius': ['interpolate', ['linear'], ['zoom'], 9, far, ...dense, crowdZoom, 3.6],
        'circle-stroke-color': this.theme.markEdge,
        'circle-stroke-opacity': this.seen(1),
        'circle-stroke-width': ['interpolate', ['linear'], ['zoom'], edged, rim, crowdZoom, 0.8],
      },
    });
  }

  /** Full marks, or hollow ones: each object shows one of its two. */
  private marks(colour: string | ExpressionSpecification, hollow: boolean): void {
    const { mark, crowd } = this.drawing;
    const floor: Floor = crowd ? 'crowd' : 'points';
    const far = crowd ? [9, 0.2, 11, 0.28, 13, 0.5] : [11, 0.4, 13, 0.62];
    this.put(floor, hollow ? 'hollow' : 'mark', {
      type: 'symbol',
      ...(crowd && crowd !== 'marks' ? { minzoom: crowdZoom } : {}),
      filter: point,
      layout: {
        'icon-image': iconName(mark.shape, hollow),
        'icon-size': ['interpolate', ['linear'], ['zoom'], ...far, 15, 0.9, 17, 1.05],
        'icon-allow-overlap': true,
        'icon-ignore-placement': true,
      },
      paint: {
        'icon-color': colour,
        'icon-halo-color': this.theme.markEdge,
        'icon-halo-width': crowd ? ['interpolate', ['linear'], ['zoom'], 10, 0.5, 14, 1.2] : 1.2,
        'icon-opacity': this.seen(hollow ? ['case', isStale, 1, 0] : ['case', isStale, 0, 1]),
      },
    });
  }

  /** Only what tiles hold can be hidden; features are taken away. */
  private seen(opacity: number | ExpressionSpecification): number | ExpressionSpecification {
    return this.source === tilesOf(this.drawing.type) ? seen(opacity) : opacity;
  }

  private colour(plain: string): string | ExpressionSpecification {
    return colourOf(this.drawing.colouring, plain, this.theme.dark);
  }
}

const major = ['motorway', 'trunk', 'primary', 'secondary', '1', '2'];
const roadClass: ExpressionSpecification = ['to-string', ['get', 'roadClass']];

/**
 * The greater roads are wider: the words of OpenStreetMap, and the numbers of road registers.
 *
 * As layers of their own: a width that each object has by itself would be another program for the graphics
 * card, and each of those delays the first sight.
 */
const roadWidths: { name: string; classes: ExpressionSpecification; width: number }[] = [
  { name: 'minor', classes: ['!', ['in', roadClass, ['literal', major]]], width: 0.8 },
  { name: 'major', classes: ['in', roadClass, ['literal', major]], width: 1.4 },
];

function roadWidth(times: number, edge: number): ExpressionSpecification {
  const [far, near, close] = [0.4 * times + edge / 3, 1.6 * times + edge, 7 * times + edge];
  return ['interpolate', ['linear'], ['zoom'], 10, far, 13, near, 17, close];
}

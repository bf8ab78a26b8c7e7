/**
 * Which mark a layer has: a colour of the Okabe-Ito palette AND a shape (points), a dash (lines) or
 * both, so that colour alone never tells two layers apart.
 */
import type { Layer } from '../api/city';
import { localName } from './names';

/** How a layer takes part in the drawing: ground is drawn quietly below, objects are marks. */
export type Role = 'district' | 'water' | 'green' | 'road' | 'building' | 'object';

export interface Mark {
  colour: string;
  shape: Shape;
  dash: number[];
}

/** Okabe and Ito's palette without its black, which a dark page could not show. */
export const palette = [
  '#0072B2',
  '#D55E00',
  '#009E73',
  '#CC79A7',
  '#56B4E9',
  '#E69F00',
  '#F0E442',
] as const;

/** Outlines in a box of 24 by 24: the map and the legend draw the same ones. */
export const shapes = {
  circle: 'M12 4a8 8 0 1 0 0 16a8 8 0 1 0 0-16Z',
  square: 'M5 5H19V19H5Z',
  triangle: 'M12 3.5L21 19.5H3Z',
  diamond: 'M12 2.5L21.5 12L12 21.5L2.5 12Z',
  star: 'M12 2.2L14.9 8.6L21.8 9.4L16.7 14.1L18.1 21L12 17.5L5.9 21L7.3 14.1L2.2 9.4L9.1 8.6Z',
  hexagon: 'M12 2.8L20 7.4V16.6L12 21.2L4 16.6V7.4Z',
  plus: 'M9 3.5H15V9H20.5V15H15V20.5H9V15H3.5V9H9Z',
  drop: 'M12 2.5C15 7.5 18.5 10.8 18.5 14.8A6.5 6.5 0 0 1 5.5 14.8C5.5 10.8 9 7.5 12 2.5Z',
} as const;

export type Shape = keyof typeof shapes;
const shapeNames = Object.keys(shapes) as Shape[];
const dashes = [[1], [4, 2], [1, 1.5], [6, 2, 1, 2]];

const roles: Record<Exclude<Role, 'object'>, string[]> = {
  district: [
    'District',
    'AdministrativeArea',
    'AdministrativeDistrict',
    'Neighborhood',
    'Neighbourhood',
    'CityBoundary',
    'City',
  ],
  water: ['Water', 'WaterBody', 'River', 'Lake', 'Canal', 'Sea'],
  green: ['Park', 'Garden', 'OpenSpace', 'GreenArea', 'GreenSpace', 'Forest'],
  building: ['Building', 'BuildingFootprint', 'BuildingPart'],
  road: ['Road', 'RoadSegment', 'Street', 'StreetSegment', 'Centerline'],
};

/** Marks that people expect: a lamp is yellow, water is a blue drop. */
const customary: Record<string, [colour: number, shape: Shape]> = {
  Streetlight: [6, 'circle'],
  StreetLight: [6, 'circle'],
  ServiceRequest: [1, 'triangle'],
  Open311ServiceRequest: [1, 'triangle'],
  Vehicle: [0, 'square'],
  AirQualityObserved: [4, 'hexagon'],
  WeatherObserved: [4, 'star'],
  FloodMonitoring: [0, 'drop'],
  TrafficFlowObserved: [5, 'diamond'],
  NoiseLevelObserved: [3, 'star'],
  WasteContainer: [2, 'square'],
  GtfsStop: [3, 'circle'],
};

export function roleOf(type: string): Role {
  const name = localName(type);
  for (const [role, names] of Object.entries(roles)) {
    if (names.includes(name)) return role as Role;
  }
  return 'object';
}

/** From this size on, points far away are drawn below the marks of rarer objects, and smaller. */
const crowdSize = 600;

/** How a crowd of points is drawn from far away; `null` is no crowd. */
export type Crowd = 'marks' | 'dots' | 'rimmed' | null;

/**
 * A crowd keeps its shape, small; where it is too many for that, or a circle anyway, it becomes dots. Dots of
 * another shape's layer have a rim, so that colour alone does not tell them from circles.
 *
 * @param tiled more objects than are read whole
 */
export function crowdOf({ count }: Pick<Layer, 'count'>, { shape }: Mark, tiled: boolean): Crowd {
  if (count <= crowdSize) return null;
  if (shape === 'circle') return 'dots';
  return tiled ? 'rimmed' : 'marks';
}

type Marked = Pick<Layer, 'type' | 'geometry'>;

/**
 * A mark for every layer, the same for the same layers.
 *
 * No two layers of points are alike while there are 56 or fewer (7 colours by 8 shapes), and no two of
 * lines or of surfaces while there are 28 or fewer (7 colours by 4 dashes).
 */
export function marksFor(layers: Marked[]): Map<string, Mark> {
  const marks = new Map<string, Mark>();
  for (const kind of ['Point', 'LineString', 'Polygon'] as const) {
    const types = layers.filter(({ geometry }) => geometry === kind).map(({ type }) => type);
    const seconds = kind === 'Point' ? shapeNames.length : dashes.length;
    for (const [type, [colour, second]] of pairsFor(types.sort(), seconds, kind === 'Point')) {
      marks.set(type, {
        colour: palette[colour] ?? palette[0],
        shape: (kind === 'Point' && shapeNames[second]) || 'circle',
        dash: (kind !== 'Point' && dashes[second]) || [1],
      });
    }
  }
  return marks;
}

type Pair = [colour: number, second: number];

function pairsFor(types: string[], seconds: number, customs: boolean): Map<string, Pair> {
  const pairs = new Map<string, Pair>();
  const taken = new Set<string>();
  const give = (type: string, pair: Pair): void => {
    taken.add(pair.join(' '));
    pairs.set(type, pair);
  };
  for (const type of customs ? types : []) {
    const custom = customary[localName(type)];
    if (!custom) continue;
    const pair: Pair = [custom[0], shapeNames.indexOf(custom[1])];
    if (!taken.has(pair.join(' '))) give(type, pair);
  }
  // Neither 8 nor 4 shares a divisor with 7: stepping both walks through every pair.
  const all = palette.length * seconds;
  const pairAt = (step: number): Pair => [step % palette.length, step % seconds];
  let next = 0;
  for (const type of types) {
    if (pairs.has(type)) continue;
    for (let tries = 0; tries < all && taken.has(pairAt(next).join(' ')); tries++) next++;
    give(type, pairAt(next++));
  }
  return pairs;
}

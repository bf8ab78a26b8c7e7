/** Small geometry for drawing: boxes and label places. Exact answers are the node's work. */
import type { Geometry, Position } from 'geojson';
import type { Box } from '../api/city';

/** Every position of a geometry, in order. */
export function* positions(geometry: Geometry): Generator<Position> {
  switch (geometry.type) {
    case 'Point':
      yield geometry.coordinates;
      break;
    case 'MultiPoint':
    case 'LineString':
      yield* geometry.coordinates;
      break;
    case 'MultiLineString':
    case 'Polygon':
      for (const part of geometry.coordinates) yield* part;
      break;
    case 'MultiPolygon':
      for (const polygon of geometry.coordinates) for (const ring of polygon) yield* ring;
      break;
    case 'GeometryCollection':
      for (const part of geometry.geometries) yield* positions(part);
  }
}

/** The box around a geometry, or null when it has no position. */
export function boxOf(geometry: Geometry): Box | null {
  let box: Box | null = null;
  for (const [lon = 0, lat = 0] of positions(geometry)) {
    if (!box) box = [lon, lat, lon, lat];
    box = [
      Math.min(box[0], lon),
      Math.min(box[1], lat),
      Math.max(box[2], lon),
      Math.max(box[3], lat),
    ];
  }
  return box;
}

/**
 * A place for a mark or a label: the point itself, the middle vertex of a line, the centroid of the
 * largest ring of a surface.
 */
export function anchorOf(geometry: Geometry): Position | null {
  switch (geometry.type) {
    case 'Point':
      return geometry.coordinates;
    case 'Polygon':
      return centroid(geometry.coordinates[0] ?? []);
    case 'MultiPolygon': {
      let largest: Position[] = [];
      for (const [ring = []] of geometry.coordinates) {
        if (Math.abs(doubleArea(ring)) > Math.abs(doubleArea(largest))) largest = ring;
      }
      return centroid(largest);
    }
    default: {
      const all = [...positions(geometry)];
      return all[Math.floor(all.length / 2)] ?? null;
    }
  }
}

function* edges(ring: Position[]): Generator<[number, number, number, number]> {
  for (let i = 0; i + 1 < ring.length; i++) {
    const [x0 = 0, y0 = 0] = ring[i] ?? [];
    const [x1 = 0, y1 = 0] = ring[i + 1] ?? [];
    yield [x0, y0, x1, y1];
  }
}

function doubleArea(ring: Position[]): number {
  let sum = 0;
  for (const [x0, y0, x1, y1] of edges(ring)) sum += x0 * y1 - x1 * y0;
  return sum;
}

function centroid(ring: Position[]): Position | null {
  const [originX = 0, originY = 0] = ring[0] ?? [];
  if (!ring.length) return null;
  // Relative to the first vertex: the products of whole degrees would lose the small digits.
  const local = ring.map(([x = 0, y = 0]) => [x - originX, y - originY]);
  const area = doubleArea(local);
  if (area === 0) return ring[0] ?? null;
  let sumX = 0;
  let sumY = 0;
  for (const [x0, y0, x1, y1] of edges(local)) {
    const cross = x0 * y1 - x1 * y0;
    sumX += (x0 + x1) * cross;
    sumY += (y0 + y1) * cross;
  }
  return [originX + sumX / (3 * area), originY + sumY / (3 * area)];
}

/** Whether a map can draw it: every position lies on the earth, and each part has enough of them. */
export function isDrawable(geometry: Geometry): boolean {
  if (!geometry || typeof geometry !== 'object') return false;
  if (geometry.type === 'GeometryCollection') {
    return geometry.geometries?.length > 0 && geometry.geometries.every(isDrawable);
  }
  const depth = depths[geometry.type];
  if (depth === undefined) return false;
  const fewest = geometry.type.endsWith('Polygon')
    ? 4
    : geometry.type.endsWith('LineString')
      ? 2
      : 1;
  return hasPositions(geometry.coordinates, depth, fewest);
}

/** How deep positions lie in the coordinates. */
const depths: Record<string, number | undefined> = {
  Point: 0,
  MultiPoint: 1,
  LineString: 1,
  MultiLineString: 2,
  Polygon: 2,
  MultiPolygon: 3,
};

function hasPositions(coordinates: unknown, depth: number, fewest: number): boolean {
  if (!Array.isArray(coordinates)) return false;
  if (depth > 0) {
    const enough = coordinates.length >= (depth === 1 ? fewest : 1);
    return enough && coordinates.every((part) => hasPositions(part, depth - 1, fewest));
  }
  const [lon, lat] = coordinates as unknown[];
  return Number.isFinite(lon) && Number.isFinite(lat) && Math.abs(lat as number) <= 90;
}

/** One object of a layer on the map: put there, taken away, ringed. */
import type { Position } from 'geojson';
import type { MapFeature } from '../map/view';
import { type LayerState, loaded, map } from './store';

/** Draws an object as it is now, whether it was there before or not. */
export function putObject({ layer: { type }, tiled }: LayerState, feature: MapFeature): void {
  const { id } = feature.properties;
  loaded.get(type)?.features.set(id, feature);
  map.value?.updateFeatures(type, { add: [feature] });
  if (tiled) map.value?.setTileState(type, id, { hidden: true });
}

export function removeObject({ layer: { type }, tiled }: LayerState, id: string): void {
  if (loaded.get(type)?.features.delete(id)) map.value?.updateFeatures(type, { remove: [id] });
  if (tiled) map.value?.setTileState(type, id, { hidden: true });
}

/** Something happened there: a ring says so. */
export function ring(
  { layer: { type }, tiled, visible }: LayerState,
  id: string,
  place: Position | null,
): void {
  if (!visible) return;
  const at = place ?? (tiled ? map.value?.placeOfTiled(type, id) : undefined);
  if (at) map.value?.pulse(id, at);
}

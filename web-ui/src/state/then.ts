/** What of a layer the past that is shown has on the map: fewer than now, where some had not been seen yet. */
import { isPast } from './span';
import { type LayerState, loaded, revision } from './store';
import { pastPhase } from './time';

export interface Then {
  shown: number;
  /** As many are there now. */
  placed: number;
}

/** Null where nothing is missing, and where it is not known: of tiles, and of those that a filter selects. */
export function missingThen(state: LayerState): Then | null {
  const { layer, tiled, phase, matched, undrawable } = state;
  if (!isPast.value || !['ready', 'empty', 'still'].includes(pastPhase.value)) return null;
  if (tiled || phase !== 'ready' || matched !== null) return null;
  void revision.value;
  const shown = loaded.get(layer.type)?.features.size ?? 0;
  const placed = layer.count - layer.noPlace - undrawable.length;
  return shown < placed ? { shown, placed } : null;
}

/** The keys of the page itself; the rooms offer their own. */
import { choose, showOnMap } from '../../state/entity';
import { focusOn } from '../../state/focus';
import { offerKeys } from '../../state/keys';
import { entity, map, sheet } from '../../state/store';
import { go, view } from '../../state/view';
import { walk } from '../../state/walk';
import { helpOpen } from './Help';

/** Offers them until the returned function is called. */
export function offerPageKeys(): () => void {
  return offerKeys(
    { key: '/', message: 'keys.search', act: () => list('#search') },
    { key: 'j', message: 'keys.next', act: () => walk(1) },
    { key: 'k', message: 'keys.previous', act: () => walk(-1) },
    { key: 'Enter', message: 'keys.open', act: () => onMap() && open() },
    {
      key: 'Escape',
      message: 'keys.close',
      act() {
        if (!view.value.id) return false;
        choose(null);
        return true;
      },
    },
    { key: 'l', message: 'keys.layers', act: () => list('.layer input') },
    { key: '?', message: 'keys.help', act: () => void (helpOpen.value = true) },
  );
}

const onMap = (): boolean => view.value.page === 'map';

/** Shows what stands beside every page, and puts the focus into it. */
function list(selector: string): void {
  // On a small screen it lies over the map alone; the queue of cases and a report stand in its place, and what
  // has the whole width leaves it no room.
  const taken = ['cases', 'report', 'evaluation', 'rules', 'status'].includes(view.value.page);
  if (taken || (!onMap() && matchMedia('(max-width: 820px)').matches)) go({ page: 'map' });
  if (view.value.id && !document.querySelector(selector)) choose(null);
  if (sheet.value === 'peek') sheet.value = 'half';
  focusOn(selector);
}

/** The chosen object is shown on the map; without one, the object in the map's middle is chosen. */
function open(): boolean {
  if (entity.value) {
    showOnMap();
    return true;
  }
  const found = map.value?.inMiddle();
  if (!found) return false;
  choose(found.id);
  return true;
}

/** What choosing a search result does. */
import { t } from '../../lib/i18n';
import { typeLabel } from '../../lib/names';
import { choose, showOnMap } from '../../state/entity';
import { showTypes } from '../../state/catalogue';
import { say } from '../../state/notice';
import type { Option } from '../../state/search';
import { coveredNow } from '../../state/covered';
import { layerState, map, sheet } from '../../state/store';
import { chooseTable } from '../../state/table';
import { go, view } from '../../state/view';

export function pick(option: Option): void {
  // A telephone's sheet covered the map while something was typed.
  sheet.value = 'half';
  switch (option.kind) {
    case 'place': {
      toMap();
      const { lon, lat } = option;
      map.value?.goTo([lon, lat, lon, lat], coveredNow());
      say(t('search.went'));
      return;
    }
    case 'type':
      pickType(option.type);
      return;
    default:
      if (option.id === view.value.id) showOnMap();
      choose(option.id, { fly: true });
  }
}

/** A layer is shown; what has no place on the map, and whoever reads the table, gets its rows. */
function pickType(type: string): void {
  const state = layerState(type);
  if (!state?.layer.geometry || view.value.page === 'table') {
    chooseTable(type);
    if (view.value.page !== 'table') go({ page: 'table' });
    return;
  }
  toMap();
  if (!state.visible) showTypes([type], true);
  if (state.layer.usualBbox) map.value?.goTo(state.layer.usualBbox, coveredNow());
  say(t('search.shown', { type: typeLabel(type) }));
}

function toMap(): void {
  if (view.value.page !== 'map') go({ page: 'map' });
}

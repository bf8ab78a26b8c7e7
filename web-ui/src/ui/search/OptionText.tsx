import { numberText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { idEnd, shortId, typeLabel } from '../../lib/names';
import type { Option } from '../../state/search';
import { type LayerState, layerState } from '../../state/store';
import { LayerSymbol } from '../parts/Symbol';

/** One thing that can be chosen: its mark, its name, what it is. */
export function OptionText({ option }: { option: Option }) {
  switch (option.kind) {
    case 'place':
      return (
        <Lines
          sign="M12 3v4M12 17v4M3 12h4M17 12h4M12 8a4 4 0 1 0 .01 0"
          name={t('search.place', {
            lat: numberText(option.lat, 6),
            lon: numberText(option.lon, 6),
          })}
          told={t('search.place.told')}
        />
      );
    case 'type': {
      const state = layerState(option.type);
      const count = numberText(state?.layer.count ?? 0);
      const key = state?.layer.geometry ? 'search.layer' : 'search.table';
      return <Lines state={state} name={typeLabel(option.type)} told={t(key, { count })} />;
    }
    case 'id':
      return <Lines name={t('search.open', { id: option.id })} told="" />;
    case 'object': {
      const { id, types, name, placed } = option;
      const state = types.map(layerState).find(Boolean);
      const told = [
        types.map(typeLabel).join(', '),
        name ? shortId(id) : '',
        placed ? '' : t('layers.noPlace'),
      ];
      return (
        <Lines state={state} name={name || idEnd(id)} told={told.filter(Boolean).join(' · ')} />
      );
    }
  }
}

interface LinesProps {
  state?: LayerState | undefined;
  sign?: string;
  name: string;
  told: string;
}

function Lines({ state, sign, name, told }: LinesProps) {
  return (
    <>
      {state?.layer.geometry ? (
        <LayerSymbol state={state} />
      ) : (
        <svg class="symbol search-sign" viewBox="0 0 24 24" aria-hidden="true">
          <path d={sign ?? 'M5 7h14M5 12h14M5 17h9'} />
        </svg>
      )}
      <span class="object-name" dir="auto">
        {name}
      </span>
      {told && (
        <span class="object-id" dir="auto">
          {told}
        </span>
      )}
    </>
  );
}

/** What can be done with one layer: narrow it down, colour it, count it in areas. */
import { useEffect, useRef } from 'preact/hooks';
import type { Aggregate } from '../../lib/address';
import { readChoice, type Steps, writeChoice } from '../../lib/colouring';
import { t } from '../../lib/i18n';
import { typeLabel } from '../../lib/names';
import { areaLayers } from '../../state/areas';
import { type Askable, askablesOf } from '../../state/queryables';
import type { LayerState } from '../../state/store';
import { go, setColour, view } from '../../state/view';
import { optionText } from './askable';
import { FilterEditor } from './FilterEditor';
import { ColourLegend } from './Legend';

export function LayerMenu({ state, id }: { state: LayerState; id: string }) {
  const { type } = state.layer;
  const { phase, list, problem } = askablesOf(type);
  const place = useRef<HTMLDivElement>(null);
  // It opens below its layer, which may be the last that is in sight; and grows when the attributes come.
  useEffect(() => {
    place.current?.closest('li')?.scrollIntoView({ block: 'nearest' });
  }, [phase]);
  return (
    <div class="layer-menu" ref={place} id={id} role="group" aria-label={typeLabel(type)}>
      {phase === 'loading' && <p class="quiet small">{t('loading.layer')}</p>}
      {phase === 'error' && (
        <p class="warn small" role="alert">
          {t('layers.noAttributes')} {problem}
        </p>
      )}
      <FilterEditor type={type} askables={list} />
      <ColourChooser state={state} askables={list} />
      <AreaChooser type={type} askables={list} />
    </div>
  );
}

function ColourChooser({ state, askables }: { state: LayerState; askables: Askable[] }) {
  const { type } = state.layer;
  const chosen = readChoice(view.value.colours[type] ?? '');
  const set = (attribute: string, steps: Steps): void => {
    const colour = attribute && writeChoice({ attribute, steps });
    setColour(type, colour);
  };
  // A time or a name of its own for each object makes no classes; a part of a value is no attribute.
  const fit = askables.filter(
    ({ name, kind, values }) =>
      !name.includes('.') &&
      !['id', 'name'].includes(name) &&
      (kind === 'number' || kind === 'boolean' || (kind === 'text' && values.length > 0)),
  );
  const known = fit.some(({ name }) => name === chosen.attribute);
  return (
    <fieldset class="choice">
      <legend>{t('layers.colour')}</legend>
      <select
        class="select"
        aria-label={t('layers.colourBy')}
        value={chosen.attribute}
        onChange={(event) => set(event.currentTarget.value, chosen.steps)}
      >
        <option value="">{t('layers.colourNone')}</option>
        {chosen.attribute && !known && <option value={chosen.attribute}>{chosen.attribute}</option>}
        {fit.map((each) => (
          <option key={each.name} value={each.name}>
            {optionText(each)}
          </option>
        ))}
      </select>
      {state.colouring?.kind === 'numbers' && (
        <select
          class="select"
          aria-label={t('layers.steps')}
          value={chosen.steps}
          onChange={(event) => set(chosen.attribute, event.currentTarget.value as Steps)}
        >
          <option value="quantile">{t('layers.steps.quantile')}</option>
          <option value="equal">{t('layers.steps.equal')}</option>
        </select>
      )}
      {chosen.attribute && state.phase === 'ready' && !state.colouring && (
        <p class="quiet small">{t('legend.nothing')}</p>
      )}
      <ColourLegend state={state} />
    </fieldset>
  );
}

const aggregates: Aggregate[] = ['count', 'avg', 'sum', 'min', 'max'];

function AreaChooser({ type, askables }: { type: string; askables: Askable[] }) {
  const choices = areaLayers.value.filter(({ layer }) => layer.type !== type);
  const query = view.value.areas?.of === type ? view.value.areas : null;
  const numbers = askables.filter(({ kind, name }) => kind === 'number' && !name.includes('.'));
  if (!choices.length) return null;
  return (
    <fieldset class="choice">
      <legend>{t('areas.title')}</legend>
      <select
        class="select"
        aria-label={t('areas.choose')}
        value={query?.areas ?? ''}
        onChange={(event) => {
          const areas = event.currentTarget.value;
          const rest = query ?? {
            of: type,
            aggregate: 'count' as const,
            attribute: '',
            steps: 'equal' as const,
          };
          go({ areas: areas ? { ...rest, areas } : null });
        }}
      >
        <option value="">{t('areas.none')}</option>
        {choices.map(({ layer }) => (
          <option key={layer.type} value={layer.type}>
            {typeLabel(layer.type)}
          </option>
        ))}
      </select>
      {query && (
        <select
          class="select"
          aria-label={t('areas.aggregate')}
          value={query.aggregate}
          onChange={(event) => {
            const aggregate = event.currentTarget.value as Aggregate;
            const attribute =
              aggregate === 'count' ? '' : query.attribute || (numbers[0]?.name ?? '');
            if (aggregate === 'count' || attribute)
              go({ areas: { ...query, aggregate, attribute } });
          }}
        >
          {aggregates
            .filter((each) => each === 'count' || numbers.length)
            .map((each) => (
              <option key={each} value={each}>
                {t(`areas.${each}`)}
              </option>
            ))}
        </select>
      )}
      {query && query.aggregate !== 'count' && (
        <select
          class="select"
          aria-label={t('areas.attribute')}
          value={query.attribute}
          onChange={(event) => go({ areas: { ...query, attribute: event.currentTarget.value } })}
        >
          {numbers.map((each) => (
            <option key={each.name} value={each.name}>
              {optionText(each)}
            </option>
          ))}
        </select>
      )}
      {query && (
        <select
          class="select"
          aria-label={t('areas.steps')}
          value={query.steps}
          onChange={(event) =>
            go({ areas: { ...query, steps: event.currentTarget.value as Steps } })
          }
        >
          <option value="equal">{t('layers.steps.equal')}</option>
          <option value="quantile">{t('layers.steps.quantile')}</option>
        </select>
      )}
    </fieldset>
  );
}

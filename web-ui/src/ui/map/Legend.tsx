/** What the colours mean, in words: classes with their ends and unit, values, and what has none. */
import type { Aggregate } from '../../lib/address';
import { areaOpacity, emptyOpacity } from '../../lib/areas';
import { classTexts } from '../../lib/classes';
import {
  type Colouring,
  coloursOf,
  missingColour,
  otherColour,
  viridisColours,
} from '../../lib/colouring';
import { numberText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { attributeLabel, typeLabel } from '../../lib/names';
import { unitSign } from '../../lib/units';
import { dark, light } from '../../map/theme';
import { areaState } from '../../state/areas';
import { areOld } from '../../state/classes';
import { instant } from '../../state/instant';
import { isPast } from '../../state/span';
import { darkScheme, type LayerState, layers } from '../../state/store';
import { go } from '../../state/view';
import { LayerSymbol } from '../parts/Symbol';
import { wordOf } from '../parts/Value';
import './legend.css';

/** The legends of everything that is coloured, on the map. */
export function Legend() {
  const coloured = layers.value.filter(({ visible, colouring }) => visible && colouring);
  const areas = areaState.value;
  if (!coloured.length && !areas) return null;
  return (
    <details class="legend" open={!matchMedia('(max-width: 820px)').matches}>
      <summary>{t('legend.title')}</summary>
      <div class="legend-body">
        {areas && <AreaLegend />}
        {coloured.map((state) => (
          <section key={state.layer.type}>
            <h3>
              {typeLabel(state.layer.type)}: {attributeText(state.colouring as Colouring)}
            </h3>
            <ColourLegend state={state} />
          </section>
        ))}
      </div>
    </details>
  );
}

export function attributeText(colouring: Colouring): string {
  const name = attributeLabel(colouring.attribute);
  const unit = colouring.kind === 'numbers' && colouring.unitCode;
  const sign = unit ? unitSign(unit) : '';
  return sign ? `${name} (${sign})` : name;
}

export function ColourLegend({ state }: { state: LayerState }) {
  const { colouring } = state;
  if (!colouring) return null;
  const colours = coloursOf(colouring, darkScheme.value);
  const texts =
    colouring.kind === 'numbers'
      ? classTexts(colouring)
      : colouring.values.map(({ value }) => valueText(value));
  // Of the past, how many had a value is of no one time.
  const tells = !isPast.value;
  const counts =
    tells && colouring.kind === 'values' ? colouring.values.map(({ count }) => count) : [];
  return (
    <>
      <ul class="classes">
        {texts.map((text, at) => (
          <Class
            key={at}
            state={state}
            colour={colours[at] ?? otherColour}
            text={text}
            count={counts[at]}
          />
        ))}
        {colouring.kind === 'values' && colouring.others > 0 && (
          <Class
            state={state}
            colour={otherColour}
            text={t('legend.other')}
            count={tells ? colouring.others : undefined}
          />
        )}
        {colouring.missing > 0 && (
          <Class
            state={state}
            colour={missingColour}
            text={t('legend.missing')}
            count={tells ? colouring.missing : undefined}
          />
        )}
      </ul>
      {state.phase === 'ready' && areOld(state.layer.type) && (
        <p class="quiet small">{t(isPast.value ? 'legend.oldThen' : 'legend.oldNow')}</p>
      )}
    </>
  );
}

function Class(props: {
  state: LayerState;
  colour: string;
  text: string;
  count: number | undefined;
}) {
  const { state, colour, text, count } = props;
  return (
    <li>
      {state.role === 'object' ? (
        <LayerSymbol state={{ ...state, mark: { ...state.mark, colour } }} />
      ) : (
        <Swatch colour={colour} />
      )}
      <bdi>{text}</bdi>
      {count !== undefined && <span class="quiet number">{numberText(count)}</span>}
    </li>
  );
}

function Swatch({ colour, opacity = 1 }: { colour: string; opacity?: number }) {
  const ground = (darkScheme.value ? dark : light).district;
  return (
    <svg class="symbol" viewBox="0 0 24 24" aria-hidden="true">
      {opacity < 1 && <rect x="2.5" y="4" width="19" height="16" rx="2" fill={ground} />}
      <rect
        class="swatch"
        x="2.5"
        y="4"
        width="19"
        height="16"
        rx="2"
        fill={colour}
        fill-opacity={opacity}
      />
    </svg>
  );
}

/** A value of data in words: yes and no too. */
export function valueText(value: unknown): string {
  if (value === true || value === 'true') return t('panel.yes');
  if (value === false || value === 'false') return t('panel.no');
  if (typeof value === 'number') return numberText(value);
  return typeof value === 'string' ? wordOf(value) : JSON.stringify(value);
}

/** What is told of the areas: "Average of no2, Air quality stations, by district". */
export function areaTitle(): string {
  const now = areaState.value;
  if (!now) return '';
  const { aggregate, attribute, of } = now.query;
  const kind = t(`areas.${aggregate as Aggregate}`);
  const unit = now.unitCode ? ` (${unitSign(now.unitCode)})` : '';
  return aggregate === 'count'
    ? `${typeLabel(of)}: ${kind}`
    : `${typeLabel(of)}: ${kind}, ${attributeLabel(attribute)}${unit}`;
}

function AreaLegend() {
  const now = areaState.value;
  if (!now) return null;
  const { classes, phase, problem, outside, noPlace, query, values } = now;
  const colours = viridisColours((classes?.breaks.length ?? 0) + 1, darkScheme.value);
  const empty = [...values.values()].filter(({ value }) => value === null).length;
  return (
    <section data-legend="areas">
      <h3>
        {areaTitle()}
        <span class="quiet"> · {typeLabel(query.areas)}</span>
      </h3>
      {phase === 'error' && (
        <p class="warn small" role="alert">
          {t('areas.failed')} {problem}
        </p>
      )}
      {classes && (
        <ul class="classes">
          {classTexts(classes).map((text, at) => (
            <li key={at}>
              <Swatch colour={colours[at] ?? missingColour} opacity={areaOpacity} />
              <span>{text}</span>
            </li>
          ))}
          {empty > 0 && (
            <li>
              <Swatch colour={missingColour} opacity={emptyOpacity} />
              <span>{t('legend.missing')}</span>
              <span class="quiet number">{numberText(empty)}</span>
            </li>
          )}
        </ul>
      )}
      {phase === 'ready' && !classes && <p class="quiet small">{t('legend.nothing')}</p>}
      {outside > 0 && (
        <p class="quiet small">{t('areas.outside', { count: numberText(outside) })}</p>
      )}
      {noPlace > 0 && (
        <p class="quiet small">{t('areas.noPlace', { count: numberText(noPlace) })}</p>
      )}
      {instant.value && <p class="quiet small">{t('areas.ofNow')}</p>}
      <button type="button" class="button plain small" onClick={() => go({ areas: null })}>
        {t('areas.remove')}
      </button>
    </section>
  );
}

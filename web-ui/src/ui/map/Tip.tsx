/** What lies under the pointer: its name and kind, and in words what its colour says. */
import { classOf } from '../../lib/colouring';
import { numberText, quantity } from '../../lib/format';
import { plural, t } from '../../lib/i18n';
import { attributeLabel, typeLabel } from '../../lib/names';
import { calledIn } from '../../lib/telling';
import type { Hit } from '../../map/hits';
import { areaState } from '../../state/areas';
import { layerState } from '../../state/store';
import { areaTitle, valueText } from './Legend';

export interface Hover {
  hit: Hit | null;
  x: number;
  y: number;
  at: [lon: number, lat: number];
}

export function Tip({ hover }: { hover: Hover | null }) {
  if (!hover?.hit) return null;
  const { hit, x, y } = hover;
  const { count } = hit.properties;
  const name = calledIn(hit.properties);
  // Far away, points that would lie on each other come as one.
  const more = typeof count === 'number' && layerState(hit.type)?.tiled ? count - 1 : 0;
  return (
    <p class="tip" style={{ left: `${x}px`, top: `${y}px` }} aria-hidden="true">
      {name && <bdi class="strong">{name}</bdi>}
      <span class="quiet">
        {typeLabel(hit.type)}
        {hit.properties.stale === true && ` · ${t('map.silent')}`}
        {more > 0 && ` · ${plural('map.more', more)}`}
      </span>
      <Coloured hit={hit} />
      <Area hit={hit} />
    </p>
  );
}

function Coloured({ hit }: { hit: Hit }) {
  const colouring = layerState(hit.type)?.colouring;
  if (!colouring) return null;
  const { attribute } = colouring;
  const value = hit.properties[attribute];
  if (value === undefined || value === null || value === '') {
    return (
      <span>
        {attributeLabel(attribute)}: {t('legend.missing')}
      </span>
    );
  }
  const isNumber = colouring.kind === 'numbers' && typeof value === 'number';
  const at = classOf(colouring, value);
  return (
    <span>
      {attributeLabel(attribute)}:{' '}
      <bdi>{isNumber ? quantity(value, colouring.unitCode) : valueText(value)}</bdi>
      {isNumber && at !== null && colouring.breaks.length > 0 && (
        <span class="quiet">
          {' '}
          {t('map.class', { at: at + 1, of: colouring.breaks.length + 1 })}
        </span>
      )}
    </span>
  );
}

function Area({ hit }: { hit: Hit }) {
  const now = areaState.value;
  const found = now?.query.areas === hit.type ? now.values.get(hit.id) : undefined;
  if (!now || !found) return null;
  const { aggregate } = now.query;
  const value =
    found.value === null
      ? t('legend.missing')
      : aggregate === 'count'
        ? numberText(found.value)
        : quantity(found.value, now.unitCode || undefined);
  return (
    <span>
      {areaTitle()}: {value}
      {aggregate !== 'count' && (
        <span class="quiet"> {t('areas.from', { count: numberText(found.count) })}</span>
      )}
    </span>
  );
}

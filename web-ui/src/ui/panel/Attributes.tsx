import type { Row } from '../../lib/entity';
import { agoText, hourText, timeText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { attributeLabel, shortId } from '../../lib/names';
import { nodeNow } from '../../lib/nodetime';
import { Told } from './Told';

interface Properties {
  rows: Row[];
  changed: Set<string>;
  revision: number;
  /** The past instant whose values these are; "" is now. */
  at: string;
  /** Shows where a value comes from. */
  trace?: (row: Row) => void;
}

export function Attributes({ rows, changed, revision, at, trace }: Properties) {
  if (!rows.length) return <p class="quiet">{t('panel.noAttributes')}</p>;
  return (
    <dl class="rows">
      {rows.map((row) => {
        const news = changed.has(row.key);
        return (
          // A new key makes a new element, and so the flash begins again with every change.
          <div
            key={news ? `${row.key} ${revision}` : row.key}
            class={news ? 'row news' : 'row'}
            data-attribute={row.name}
            data-dataset={row.datasetId || undefined}
          >
            <dt>
              <bdi>{attributeLabel(row.name)}</bdi>
              {row.datasetId && (
                <span class="quiet small">
                  {t('panel.dataset', { dataset: shortId(row.datasetId) })}
                </span>
              )}
            </dt>
            <dd class="value">
              <div>
                <Told row={row} />
                <When time={row.observedAt} at={at} />
                <Details rows={row.rows} at={at} />
              </div>
              {trace && !row.unknown && <Trace row={row} trace={trace} />}
            </dd>
          </div>
        );
      })}
    </dl>
  );
}

/** Of what is younger than this the time of day says enough. */
const today = 12 * 3_600_000;

/** When it was observed: how long ago, and the time itself, since a pointer's hint reaches not everyone. */
function When({ time, at }: { time: string | undefined; at: string }) {
  if (!time) return null;
  const now = at ? Date.parse(at) : nodeNow();
  const age = agoText(time, now);
  const whole = now - Date.parse(time) < today ? hourText(time) : timeText(time, 'short');
  return (
    <time class="when" dateTime={time} title={timeText(time)}>
      {age === timeText(time) ? timeText(time, 'short') : `${age} · ${whole}`}
    </time>
  );
}

function Trace({ row, trace }: { row: Row; trace: (row: Row) => void }) {
  const label = t('lineage.trace', { attribute: attributeLabel(row.name) });
  return (
    <button type="button" class="trace" aria-label={label} title={label} onClick={() => trace(row)}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d="M3 3.5h3v3H3zM3 9.5h3v3H3zM10.5 6.5h3v3h-3zM6 5h2v3h2.5M6 11h2V8" />
      </svg>
    </button>
  );
}

/** Properties of the property: folded, for they are seldom what one came for. */
function Details({ rows, at }: { rows: Row[]; at: string }) {
  if (!rows.length) return null;
  return (
    <details class="sub">
      <summary>{t('panel.details')}</summary>
      <Attributes rows={rows} changed={new Set()} revision={0} at={at} />
    </details>
  );
}

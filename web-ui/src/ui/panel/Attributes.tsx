import type { Row } from '../../lib/entity';
import { agoText, timeText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { attributeLabel, shortId } from '../../lib/names';
import { Value } from '../parts/Value';

interface Properties {
  rows: Row[];
  changed: Set<string>;
  revision: number;
}

export function Attributes({ rows, changed, revision }: Properties) {
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
          >
            <dt>
              {attributeLabel(row.name)}
              {row.datasetId && (
                <span class="quiet small">
                  {t('panel.dataset', { dataset: shortId(row.datasetId) })}
                </span>
              )}
            </dt>
            <dd>
              <Value row={row} />
              <When row={row} />
              <Details rows={row.rows} />
            </dd>
          </div>
        );
      })}
    </dl>
  );
}

function When({ row }: { row: Row }) {
  const time = row.observedAt;
  if (!time) return null;
  return (
    <time class="when" dateTime={time} title={timeText(time)}>
      {t('panel.observed', { time: agoText(time) })}
    </time>
  );
}

/** Properties of the property: folded, for they are seldom what one came for. */
function Details({ rows }: { rows: Row[] }) {
  if (!rows.length) return null;
  return (
    <details class="sub">
      <summary>{t('panel.details')}</summary>
      <Attributes rows={rows} changed={new Set()} revision={0} />
    </details>
  );
}

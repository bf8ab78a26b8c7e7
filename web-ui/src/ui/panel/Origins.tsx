import { useEffect, useRef } from 'preact/hooks';
import { lineagePath, readLineage } from '../../api/city';
import type { Row } from '../../lib/entity';
import { agoText, timeText } from '../../lib/format';
import { known, plural, t } from '../../lib/i18n';
import { type Origin, originsOf } from '../../lib/lineage';
import { attributeLabel, nameText, shortId } from '../../lib/names';
import { sources } from '../../state/store';
import { go } from '../../state/view';
import { Problem } from '../parts/Problem';
import { useRead } from '../parts/useRead';
import { ValueLineage } from './ValueLineage';

/** The lineage document has them all. */
const mostFiles = 2;

interface Properties {
  id: string;
  rows: Row[];
  /** The row whose value is traced; the key "" is the first. */
  traced: { key: string };
  onTrace(key: string): void;
  revision: number;
  at: string;
}

/** Where the values come from: the sources and requests behind the object, and the way of one value. */
export function Origins({ id, rows, traced, onTrace, revision, at }: Properties) {
  const read = useRead(
    `lineage ${id}`,
    async (stop) => originsOf((await readLineage(id, stop)).body),
    at ? 0 : revision,
  );
  const told = rows.filter(({ unknown }) => !unknown);
  const row =
    told.find(({ key }) => key === traced.key) ??
    told.find(({ observedAt }) => observedAt) ??
    told[0];
  const place = useRef<HTMLElement>(null);
  /** It is on its way: what lies above and below may still move. */
  const coming = useRef(false);
  const drawn = useRef('');
  const show = (): void => place.current?.scrollIntoView({ block: 'start' });
  useEffect(() => {
    if (!traced.key) return;
    show();
    coming.current = drawn.current !== traced.key;
    place.current?.querySelector('select')?.focus({ preventScroll: true });
  }, [traced]);
  return (
    <section class="section" aria-labelledby="source-title">
      <h3 id="source-title">{t('panel.source')}</h3>
      {read.error && <Problem title={t('origin.unread')} error={read.error} retry={read.retry} />}
      {read.body && <List of={read.body} />}
      {row && (
        <section class="value-lineage" ref={place} aria-labelledby="lineage-title">
          <h4 id="lineage-title">{t('lineage.title')}</h4>
          <select
            class="select"
            aria-label={t('lineage.of')}
            value={row.key}
            onChange={(event) => onTrace(event.currentTarget.value)}
          >
            {told.map((each) => (
              <option key={each.key} value={each.key}>
                {attributeLabel(each.name)}
                {each.datasetId && ` (${shortId(each.datasetId)})`}
              </option>
            ))}
          </select>
          <ValueLineage
            id={id}
            row={row}
            at={at}
            onDrawn={() => {
              drawn.current = row.key;
              if (coming.current) show();
              coming.current = false;
            }}
          />
        </section>
      )}
      <p class="links">
        <a href={lineagePath(id)} target="_blank" rel="noopener">
          {t('panel.lineage')}
        </a>
        <a href={`/ngsi-ld/v1/entities/${encodeURIComponent(id)}`} target="_blank" rel="noopener">
          {t('panel.raw')}
        </a>
      </p>
    </section>
  );
}

function List({ of }: { of: Origin[] }) {
  return (
    <ul class="origins">
      {of.map((origin) => (
        <li key={origin.activity}>
          <span>
            <bdi class="strong">{titleOf(origin)}</bdi>{' '}
            <time class="quiet small" dateTime={origin.time} title={timeText(origin.time)}>
              {agoText(origin.time)}
            </time>
          </span>
          <SourceState id={origin.source} />
          {origin.files.slice(0, mostFiles).map((file) => (
            <span key={file} class="quiet small">
              <bdi>{file}</bdi>
            </span>
          ))}
          {origin.files.length > mostFiles && (
            <span class="quiet small">
              {plural('origin.files', origin.files.length - mostFiles)}
            </span>
          )}
          <span class="quiet small">{origin.attributes.map(attributeLabel).join(' · ')}</span>
        </li>
      ))}
    </ul>
  );
}

/** How the source of some values does now, and the way to all that is known of it. */
function SourceState({ id }: { id: string }) {
  const source = sources.value.list.find((each) => each.id === id);
  if (!source) return null;
  const late = source.status === 'stale' || source.status === 'failed';
  return (
    <span class="small source-state">
      <span class={late ? 'warn strong' : 'quiet'}>{t(`origin.status.${source.status}`)}</span>{' '}
      {source.lastRun && (
        <time class="quiet" dateTime={source.lastRun} title={timeText(source.lastRun)}>
          {t('origin.lastRun', { when: agoText(source.lastRun) })}
        </time>
      )}{' '}
      <button type="button" class="link" onClick={() => go({ page: 'sources' })}>
        {t('origin.all')}
      </button>
    </span>
  );
}

function titleOf({ kind, source }: Origin): string {
  const named = sources.value.list.find(({ id }) => id === source);
  const title = nameText(named?.name) || source;
  return title || (known(`origin.${kind}`) ?? kind);
}

import { useEffect, useRef, useState } from 'preact/hooks';
import { locationOf, nameOf, type Row } from '../../lib/entity';
import { agoText, timeText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { idEnd, nameText, typeLabel } from '../../lib/names';
import { choose, retryEntity, showOnMap } from '../../state/entity';
import { type EntityState, entity, findFeature, revision } from '../../state/store';
import { Problem } from '../parts/Problem';
import { Attributes } from './Attributes';
import { History } from './History';
import { Origins } from './Origins';
import './panel.css';
import { Relationships } from './Relationships';
import { Subscriptions } from './Subscriptions';
import { Trail } from './Trail';

/** Everything about the chosen object. */
export function Panel() {
  const heading = useRef<HTMLHeadingElement>(null);
  const now = entity.value;
  // A new object: the reader, with or without eyes, begins at its name.
  useEffect(() => {
    heading.current?.closest('.side-body')?.scrollTo({ top: 0 });
    heading.current?.focus({ preventScroll: true });
  }, [now?.id]);
  if (!now) return null;
  return (
    <article class="panel" aria-label={t('panel.label')} data-id={now.id} data-at={now.at}>
      <div class="panel-bar">
        <button type="button" class="button plain" onClick={() => choose(null)}>
          <span aria-hidden="true">←</span> {t('panel.back')}
        </button>
        <ShowButton now={now} />
      </div>
      <header class="section panel-head">
        <Trail id={now.id} />
        {now.types.length > 0 && <p class="quiet">{now.types.map(typeLabel).join(' · ')}</p>}
        <h2 ref={heading} tabIndex={-1} dir="auto">
          {titleOf(now)}
        </h2>
        <p class="id">{now.id}</p>
        <State now={now} />
      </header>
      <Body key={now.id} now={now} />
    </article>
  );
}

function titleOf(now: EntityState): string {
  return (
    nameText(nameOf(now.rows)) || findFeature(now.id)?.feature.properties.name || idEnd(now.id)
  );
}

function isPlaced(now: EntityState): boolean {
  return findFeature(now.id) !== undefined || locationOf(now.rows) !== null;
}

function ShowButton({ now }: { now: EntityState }) {
  if (!isPlaced(now)) return null;
  return (
    <button type="button" class="button" onClick={showOnMap}>
      {t('panel.show')}
    </button>
  );
}

/** What must be known before the values are read: of which time they are, whether they are fresh, and where. */
function State({ now }: { now: EntityState }) {
  // Read, so that a change on the map is told here too.
  void revision.value;
  const stale = now.rows.some(
    ({ name, shown }) => name === 'stale' && shown.kind === 'boolean' && shown.value,
  );
  const newest = now.rows.reduce(
    (last, { observedAt = '' }) => (observedAt > last ? observedAt : last),
    '',
  );
  return (
    <>
      {now.at && <p class="note past">{t('panel.asOf', { time: timeText(now.at) })}</p>}
      {stale && (
        <p class="note warn">
          {t('panel.stale')} {newest && t('panel.staleSince', { when: agoText(newest) })}
        </p>
      )}
      {now.phase === 'ready' && !isPlaced(now) && <p class="quiet small">{t('panel.noPlace')}</p>}
    </>
  );
}

function Body({ now }: { now: EntityState }) {
  // Asked for again is another object: it is shown again.
  const [traced, setTraced] = useState({ key: '' });
  if (now.phase === 'loading') {
    return (
      <p class="section quiet" role="status">
        {t('loading.entity')}
      </p>
    );
  }
  if (now.phase === 'gone') {
    return (
      <p class="section" role="alert">
        {t(now.at ? 'panel.goneThen' : 'panel.gone')}
      </p>
    );
  }
  if (now.phase === 'error') {
    return (
      <div class="section">
        <Problem title={t('panel.unread')} error={now.error} retry={retryEntity} />
      </div>
    );
  }
  const plain = now.rows.filter(isPlain);
  const links = now.rows.filter(({ shown }) => shown.kind === 'links');
  const { id, changed, revision, at } = now;
  return (
    <>
      {now.phase === 'deleted' && (
        <p class="section note warn" role="alert">
          {t('panel.deleted')}
        </p>
      )}
      <section class="section" aria-labelledby="attributes-title">
        <h3 id="attributes-title">{t('panel.attributes')}</h3>
        <Attributes
          rows={plain}
          changed={changed}
          revision={revision}
          at={at}
          trace={({ key }) => setTraced({ key })}
        />
      </section>
      <History rows={plain} id={id} changed={changed} revision={revision} at={at} />
      <Relationships rows={links} id={id} />
      <Origins
        id={id}
        rows={now.rows}
        traced={traced}
        onTrace={(key) => setTraced({ key })}
        revision={revision}
        at={at}
      />
      <Subscriptions id={id} revision={at ? 0 : revision} />
    </>
  );
}

/** The name is the heading already, silence is a note, and relationships have their own place. */
function isPlain({ name, shown }: Row): boolean {
  return name !== 'name' && name !== 'stale' && shown.kind !== 'links';
}

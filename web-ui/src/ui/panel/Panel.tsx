import { useEffect, useRef } from 'preact/hooks';
import { locationOf, nameOf, type Row } from '../../lib/entity';
import { t } from '../../lib/i18n';
import { nameText, shortId, typeLabel } from '../../lib/names';
import { choose, retryEntity, showOnMap } from '../../state/entity';
import { type EntityState, entity, findFeature, revision } from '../../state/store';
import { Attributes } from './Attributes';
import { History } from './History';
import { Origins } from './Origins';
import { Problem } from '../parts/Problem';
import { Relationships } from './Relationships';

/** Everything about the chosen object. */
export function Panel() {
  const heading = useRef<HTMLHeadingElement>(null);
  const now = entity.value;
  // A new object: the reader, with or without eyes, begins at its name.
  useEffect(() => heading.current?.focus({ preventScroll: true }), [now?.id]);
  if (!now) return null;
  return (
    <article class="panel" aria-label={t('panel.label')} data-id={now.id}>
      <div class="panel-bar">
        <button type="button" class="button plain" onClick={() => choose(null)}>
          <span aria-hidden="true">←</span> {t('panel.back')}
        </button>
        <ShowButton now={now} />
      </div>
      <header class="section panel-head">
        {now.types.length > 0 && <p class="quiet">{now.types.map(typeLabel).join(' · ')}</p>}
        <h2 ref={heading} tabIndex={-1}>
          {titleOf(now)}
        </h2>
        <p class="id">{now.id}</p>
        <Place now={now} />
      </header>
      <Body now={now} />
    </article>
  );
}

function titleOf(now: EntityState): string {
  return (
    nameText(nameOf(now.rows)) || findFeature(now.id)?.feature.properties.label || shortId(now.id)
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

function Place({ now }: { now: EntityState }) {
  // Read, so that a change on the map is told here too.
  void revision.value;
  const stale = findFeature(now.id)?.feature.properties.stale;
  return (
    <>
      {stale && <p class="note warn">{t('panel.stale')}</p>}
      {now.phase === 'ready' && !isPlaced(now) && <p class="quiet small">{t('panel.noPlace')}</p>}
    </>
  );
}

function Body({ now }: { now: EntityState }) {
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
        {t('panel.gone')}
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
  return (
    <>
      {now.phase === 'deleted' && (
        <p class="section note warn" role="alert">
          {t('panel.deleted')}
        </p>
      )}
      <section class="section" aria-labelledby="attributes-title">
        <h3 id="attributes-title">{t('panel.attributes')}</h3>
        <Attributes rows={plain} changed={now.changed} revision={now.revision} />
      </section>
      <History rows={plain} id={now.id} changed={now.changed} revision={now.revision} />
      {links.length > 0 && <Relationships rows={links} />}
      <Origins id={now.id} revision={now.revision} />
    </>
  );
}

/** The name is the heading already; relationships have their own place. */
function isPlain({ name, shown }: Row): boolean {
  return name !== 'name' && shown.kind !== 'links';
}

import { useEffect, useState } from 'preact/hooks';
import { lineagePath, readLineage } from '../../api/city';
import { agoText, timeText } from '../../lib/format';
import { known, plural, t } from '../../lib/i18n';
import { type Origin, originsOf } from '../../lib/lineage';
import { attributeLabel, nameText } from '../../lib/names';
import { sources } from '../../state/store';

/** The lineage document has them all. */
const mostFiles = 2;

type Read = { id: string; origins: Origin[] } | { id: string; failed: true };

/** Where the values come from: which run of which source and which file, or which request. */
export function Origins({ id, revision }: { id: string; revision: number }) {
  const [read, setRead] = useState<Read | null>(null);
  useEffect(() => {
    const stop = new AbortController();
    readLineage(id, stop.signal)
      .then(({ body }) => setRead({ id, origins: originsOf(body) }))
      .catch(() => {
        if (!stop.signal.aborted) setRead({ id, failed: true });
      });
    return () => stop.abort();
  }, [id, revision]);

  return (
    <section class="section" aria-labelledby="source-title">
      <h3 id="source-title">{t('panel.source')}</h3>
      {read?.id === id &&
        ('failed' in read ? <p>{t('origin.unread')}</p> : <List of={read.origins} />)}
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
            <span class="strong">{titleOf(origin)}</span>{' '}
            <time class="quiet small" dateTime={origin.time} title={timeText(origin.time)}>
              {agoText(origin.time)}
            </time>
          </span>
          {origin.files.slice(0, mostFiles).map((file) => (
            <span key={file} class="quiet small">
              {file}
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

function titleOf({ kind, source }: Origin): string {
  const named = sources.value.list.find(({ id }) => id === source);
  const title = nameText(named?.name) || source;
  return title || (known(`origin.${kind}`) ?? kind);
}

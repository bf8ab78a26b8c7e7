import { useState } from 'preact/hooks';
import type { Source } from '../../api/city';
import { numberText } from '../../lib/format';
import { plural, t } from '../../lib/i18n';
import { nameText } from '../../lib/names';
import { byUrgency, type Standing, standingOf } from '../../lib/reports';
import { sources } from '../../state/store';
import { Attribution } from './Sources';
import { SourceCard } from './SourceCard';
import './sources.css';

type Status = Standing | 'rejects' | '';
const statuses: Status[] = ['', 'ok', 'open', 'stale', 'failed', 'never', 'rejects'];

const titleOf = (source: Source): string => nameText(source.name) || source.id;

/** What flows into the city: every source with its last run, what it refused, and whether it is silent. */
export function SourcesPage() {
  const [text, setText] = useState('');
  const [status, setStatus] = useState<Status>('');
  const { phase, list } = sources.value;
  const shown = byUrgency(list, titleOf).filter(
    (source) => hasStatus(source, status) && speaksOf(source, text),
  );
  return (
    <main class="sheet-page" id="main" tabIndex={-1} aria-labelledby="page-title">
      <h2 id="page-title">{t('sources.title')}</h2>
      {phase === 'error' && (
        <p class="note warn" role="alert">
          {t(list.length ? 'sources.old' : 'sources.unread')}
        </p>
      )}
      <div class="source-tools">
        <input
          type="search"
          class="search"
          aria-label={t('sources.search')}
          placeholder={t('sources.search')}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <select
          class="select"
          aria-label={t('sources.status')}
          value={status}
          onChange={(event) => setStatus(event.currentTarget.value as Status)}
        >
          {statuses.map((each) => (
            <option key={each} value={each}>
              {t(`sources.only.${each || 'all'}`)} (
              {numberText(list.filter((source) => hasStatus(source, each)).length)})
            </option>
          ))}
        </select>
      </div>
      <p class="unseen" role="status">
        {plural('sources.shown', shown.length)}
      </p>
      {phase !== 'error' && !list.length && <p class="quiet">{t('sources.none')}</p>}
      {list.length > 0 && !shown.length && <p class="quiet">{t('sources.nothing')}</p>}
      <ul class="source-cards">
        {shown.map((source) => (
          <SourceCard key={source.id} source={source} title={titleOf(source)} />
        ))}
      </ul>
      <Attribution />
    </main>
  );
}

function hasStatus(source: Source, status: Status): boolean {
  if (status === 'rejects') return (source.rejected ?? 0) > 0;
  return !status || standingOf(source) === status;
}

function speaksOf(source: Source, text: string): boolean {
  const wanted = text.trim().toLowerCase();
  const told = [
    titleOf(source),
    source.id,
    source.format,
    source.provider ?? '',
    source.type ?? '',
  ];
  return told.flat().some((each) => each.toLowerCase().includes(wanted));
}

import { signal } from '@preact/signals';
import { writeAddress } from '../../lib/address';
import { ageText, agoText, timeText } from '../../lib/format';
import { plural, t } from '../../lib/i18n';
import { nameText } from '../../lib/names';
import { type Standing, standingOf } from '../../lib/reports';
import { city, lateSources, sheet, sources } from '../../state/store';
import { go, view } from '../../state/view';

export const sourcesOpen = signal(false);

/** Opens the strip wherever it is: from the note on the map too. */
export function openSources(): void {
  sourcesOpen.value = true;
  sheet.value = 'full';
}

/** The strip below: are the city's sources on time? Said by words first. */
export function Sources() {
  const { list } = sources.value;
  const late = lateSources.value;
  return (
    <details
      class="sources"
      open={sourcesOpen.value}
      onToggle={(event) => (sourcesOpen.value = event.currentTarget.open)}
    >
      <summary class={late.length ? 'warn' : ''}>{summary()}</summary>
      <ul>
        {[...list]
          .sort((a, b) => Number(late.includes(b)) - Number(late.includes(a)))
          .map((source) => (
            <li key={source.id} data-status={standingOf(source)}>
              <span class="strong">{nameText(source.name) || source.id}</span>
              <span class={late.includes(source) ? 'warn' : 'quiet'}>
                {t(`sources.status.${standingOf(source)}`)}
              </span>
              <When lastData={source.lastData} lastRun={source.lastRun} />
            </li>
          ))}
      </ul>
      <p>
        <a
          href={writeAddress({ ...view.value, page: 'sources' })}
          onClick={(event) => {
            // A new tab is the browser's business.
            if (event.metaKey || event.ctrlKey || event.shiftKey) return;
            event.preventDefault();
            go({ page: 'sources' });
          }}
        >
          {t('sources.page')}
        </a>
      </p>
      <Attribution />
    </details>
  );
}

function summary(): string {
  const { phase, list } = sources.value;
  if (phase === 'error') return t('sources.unread');
  if (!list.length) return phase === 'loading' ? t('sources.title') : t('sources.none');
  const late = lateSources.value.length;
  const of = (wanted: Standing): number =>
    list.filter((source) => standingOf(source) === wanted).length;
  const [fine, open, never] = [of('ok'), of('open'), of('never')];
  const parts = [
    late > 0 && plural('sources.late', late),
    late === 0 &&
      fine > 0 &&
      plural(fine === list.length ? 'sources.fine' : 'sources.onTime', fine),
    open > 0 && plural('sources.open', open),
    never > 0 && plural('sources.never', never),
  ];
  return parts.filter(Boolean).join(' · ');
}

function When(props: { lastData: string | null | undefined; lastRun: string | null }) {
  const time = props.lastData ?? props.lastRun;
  if (!time) return null;
  const key = props.lastData ? 'sources.lastData' : 'sources.lastRun';
  const age = ageText(time);
  return (
    <span class="quiet small" title={timeText(time)}>
      {t(key, { when: agoText(time) })}
      {age && ` (${age})`}
    </span>
  );
}

export function Attribution() {
  const list = city.value?.attribution ?? [];
  if (!list.length) return null;
  return (
    <p class="quiet small">
      {t('attribution.title')}:{' '}
      {list.map(({ name, licence, url }, index) => (
        <span key={name}>
          {index > 0 && '; '}
          {url && /^https?:\/\//.test(url) ? (
            <a href={url} rel="noreferrer noopener" target="_blank">
              {name}
            </a>
          ) : (
            name
          )}
          {licence && ` (${licence})`}
        </span>
      ))}
    </p>
  );
}

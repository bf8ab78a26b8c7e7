import { computed } from '@preact/signals';
import { type Page, writeAddress } from '../lib/address';
import { agoText, clock, clockText, numberText, timeText } from '../lib/format';
import { chooseLanguage, language, languages, t } from '../lib/i18n';
import { nameText } from '../lib/names';
import { nodeNow, playedSpeed } from '../lib/nodetime';
import { relabel } from '../state/layers';
import { city, lastChange, live } from '../state/store';
import { isPast } from '../state/span';
import { shownAt } from '../state/time';
import { go, view } from '../state/view';
import { Icon } from './parts/Icon';
import { Menu } from './parts/Menu';
import './header.css';

export function Header() {
  const offered = city.value?.languages ?? [];
  const shown = languages.filter(({ code }) => !offered.length || offered.includes(code));
  return (
    <header class="top">
      <h1>{nameText(city.value?.name)}</h1>
      <Pages />
      <Live />
      <fieldset class="switch">
        <legend class="unseen">{t('header.language')}</legend>
        {shown.map(({ code, name, brief, tag }) => (
          <button
            key={code}
            type="button"
            lang={tag}
            aria-pressed={language.value === code}
            onClick={() => {
              chooseLanguage(code);
              relabel();
            }}
          >
            <span class="whole-name">{name}</span>
            <span class="brief" aria-hidden="true">
              {brief}
            </span>
          </button>
        ))}
      </fieldset>
      <Menu />
    </header>
  );
}

/** Reporting and its status are reached from elsewhere: a city without cases has neither. */
const tabs: Page[] = ['map', 'table', 'cases', 'rules', 'sources', 'node'];
/** What a city without cases does not have. */
const ofCases: readonly Page[] = ['cases', 'rules'];

/** The evaluation is one of the pages of cases. */
const isAt = (page: Page): boolean =>
  view.value.page === page || (page === 'cases' && view.value.page === 'evaluation');

function Pages() {
  const shown = tabs.filter((page) => !ofCases.includes(page) || city.value?.cases);
  return (
    <nav class="pages" aria-label={t('page.label')}>
      {shown.map((page) => (
        <a
          key={page}
          href={writeAddress({ ...view.value, page })}
          aria-current={isAt(page) ? 'page' : undefined}
          onClick={(event) => {
            // A new tab is the browser's business.
            if (event.metaKey || event.ctrlKey || event.shiftKey) return;
            event.preventDefault();
            go({ page });
          }}
        >
          {t(`page.${page}`)}
        </a>
      ))}
    </nav>
  );
}

function Live() {
  if (isPast.value) return <Past />;
  if (playedSpeed.value !== null) return <Played speed={playedSpeed.value} />;
  const state = live.value;
  const last = lastChange.value;
  const title = last ? t('live.last', { when: agoText(last) }) : undefined;
  return (
    <p class="live" data-state={state} role="status" title={title}>
      <span class="live-mark" aria-hidden="true" />
      <span class="live-text">{t(`live.${state}`)}</span>
      {state === 'reconnecting' && (
        <span class="live-brief" aria-hidden="true">
          {t('live.offline')}
        </span>
      )}
    </p>
  );
}

/** The node plays recorded time: its own time, and that it is not ours. */
function Played({ speed }: { speed: number }) {
  void clock.value;
  const now = nodeNow();
  const time = timeText(now, 'short');
  const { zone } = clockText(now);
  const how = speed ? t('live.playedAt', { speed: numberText(speed) }) : t('live.stands');
  return (
    <p class="live" data-state="past" title={`${t('time.pastOf', { time, zone })}. ${how}`}>
      <Icon name={speed ? 'play' : 'pause'} />
      <span class="live-text">{t('live.played')}</span>
      <span class="live-time">{time}</span>
    </p>
  );
}

/** The time by the minute: it would be read out with every step of a replay. */
const minute = computed(() => Math.floor(shownAt.value / 60_000) * 60_000);

function Past() {
  const time = timeText(minute.value, 'short');
  const { zone } = clockText(minute.value);
  return (
    <p class="live" data-state="past" title={t('time.pastOf', { time, zone })}>
      <Icon name="past" />
      <span class="live-text">{t('time.past')}</span>
      <span class="live-time">{time}</span>
    </p>
  );
}

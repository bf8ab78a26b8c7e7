import { computed, signal, useSignalEffect } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { clockText, spanText, timeText } from '../../lib/format';
import { listText, t } from '../../lib/i18n';
import { typeLabel } from '../../lib/names';
import { clockError } from '../../lib/nodetime';
import { focusOn } from '../../state/focus';
import { offerKeys } from '../../state/keys';
import { isPast, type Span, span } from '../../state/span';
import { layers } from '../../state/store';
import { missingThen } from '../../state/then';
import {
  chooseTime,
  pastError,
  pastPhase,
  play,
  playing,
  seek,
  shownAt,
  waiting,
} from '../../state/time';
import { view } from '../../state/view';
import { Icon } from '../parts/Icon';
import { Chooser } from './Chooser';
import { LiveWord } from './LiveWord';
import './time.css';

/** While live, one button; the bar comes when it is asked for, or when the past is shown. */
const opened = signal(false);
/** On a small screen the choices are shown only when they are asked for. */
const choosing = signal(false);
/** Then the map is looked at, and on a small screen the choices would cover it. */
const watching = computed(() => playing.value || view.value.id !== '');

export function TimeBar() {
  useEffect(
    () =>
      offerKeys({
        key: ' ',
        message: 'keys.play',
        act: () => (view.value.page === 'map' ? play() : false),
      }),
    [],
  );
  useSignalEffect(() => {
    if (watching.value) choosing.value = false;
  });
  const past = isPast.value;
  return (
    <section class="time" aria-label={t('time.label')} data-past={past || undefined}>
      <ClockNote />
      {past || opened.value ? <Bar past={past} /> : <OpenButton />}
    </section>
  );
}

function OpenButton() {
  return (
    <button
      type="button"
      class="time-open"
      aria-label={t('time.open')}
      onClick={() => {
        opened.value = true;
        choosing.value = true;
        focusOn('.time-modes [aria-pressed="true"]');
      }}
    >
      <Icon name="clock" />
      <LiveWord />
    </button>
  );
}

/** Live, with one button for the bar: the keyboard goes there from where it was in the bar. */
function leave(): void {
  const here = hasFocus();
  opened.value = false;
  choosing.value = false;
  if (isPast.value) chooseTime({ mode: 'live' });
  if (here) focusOn('.time-open');
}

const hasFocus = (): boolean => document.activeElement?.closest('.time') != null;

/** What Escape closes: choices that lie over the map, an object that is looked at, the bar with the past in it. */
function escape(): boolean {
  if (view.value.page !== 'map') return false;
  const here = hasFocus();
  if (!isPast.value) {
    leave();
    return true;
  }
  if (choosing.value && matchMedia('(max-width: 820px)').matches) {
    choosing.value = false;
    if (here) focusOn('.time-more');
    return true;
  }
  if (view.value.id && !here) return false;
  leave();
  return true;
}

function Bar({ past }: { past: boolean }) {
  useEffect(() => offerKeys({ key: 'Escape', message: 'keys.close', act: escape }), []);
  return (
    <div class="time-bar">
      {past && <Player />}
      <div class="time-choices" id="time-choices" hidden={past && !choosing.value}>
        <Chooser />
        {!past && (
          <button type="button" class="time-button" aria-label={t('time.close')} onClick={leave}>
            <Icon name="close" />
          </button>
        )}
      </div>
    </div>
  );
}

function Player() {
  const within = span.value;
  if (!within) return null;
  return (
    <>
      <div class="time-now">
        <button
          type="button"
          class="time-button time-play"
          aria-label={t(playing.value ? 'time.pause' : 'time.play')}
          onClick={() => play()}
        >
          <Icon name={playing.value ? 'pause' : 'play'} />
        </button>
        <Shown />
        <button
          type="button"
          class="time-button time-more"
          aria-label={t('time.choose')}
          aria-expanded={choosing.value}
          aria-controls="time-choices"
          onClick={() => (choosing.value = !choosing.value)}
        >
          <Icon name="options" />
        </button>
        <button type="button" class="button time-live" onClick={leave}>
          {t('time.backToLive')}
        </button>
      </div>
      <Slider within={within} />
      <Said />
    </>
  );
}

/** Where the slider is being dragged; the map follows when it is let go. */
const dragged = signal<number | null>(null);
/** Whole seconds, so that what is written changes no oftener than it can be read. */
const readable = computed(() => Math.floor((dragged.value ?? shownAt.value) / 1000) * 1000);

function Shown() {
  const { time, zone, day } = clockText(readable.value);
  return (
    <p class="time-shown">
      <time dateTime={new Date(readable.value).toISOString()}>{time}</time>
      <span>{zone}</span>
      <span>{day}</span>
    </p>
  );
}

const steps = [60, 300, 900, 3_600, 21_600, 86_400, 604_800];

/** How far an arrow key goes, in milliseconds: a round time, and no more than 150 of them to the end. */
function stepOf({ from, to }: Span): number {
  return (steps.find((step) => (to - from) / 1000 / step <= 150) ?? 2_592_000) * 1000;
}

function Slider({ within }: { within: Span }) {
  const { from, to } = within;
  const step = stepOf(within);
  const ways: Record<string, number> = {
    ArrowLeft: -step,
    ArrowDown: -step,
    ArrowRight: step,
    ArrowUp: step,
    PageDown: -10 * step,
    PageUp: 10 * step,
    Home: from - to,
    End: to - from,
  };
  const { zone } = clockText(readable.value);
  const place = dragged.value ?? shownAt.value;
  return (
    <div class="time-slide">
      <input
        type="range"
        min={0}
        max={Math.round((to - from) / 1000)}
        value={Math.round((place - from) / 1000)}
        aria-label={t('time.slider')}
        aria-valuetext={t('time.valueText', { time: timeText(readable.value, 'short'), zone })}
        style={{ '--played': `${((place - from) / Math.max(1, to - from)) * 100}%` }}
        onInput={(event) => (dragged.value = from + Number(event.currentTarget.value) * 1000)}
        onChange={(event) => {
          dragged.value = null;
          seek(from + Number(event.currentTarget.value) * 1000);
        }}
        onKeyDown={(event) => {
          const way = ways[event.key];
          if (way === undefined) return;
          event.preventDefault();
          seek(shownAt.value + way);
        }}
      />
      <span class="time-end">{timeText(from, 'short')}</span>
      <span class="time-end">{timeText(to, 'short')}</span>
    </div>
  );
}

/** What there is to say about the past that is shown, if anything. */
function Said() {
  const phase = pastPhase.value;
  const troubled = phase === 'away' || phase === 'refused';
  return (
    <p class={troubled ? 'time-said warn' : 'time-said'} role="status">
      {saidOf()}
    </p>
  );
}

/** Shown layers of which nothing is on the map at this time: an empty map needs a word. */
const unseenText = computed(() => {
  const unseen = layers.value.filter(
    (state) => state.visible && state.layer.geometry && missingThen(state)?.shown === 0,
  );
  const names = unseen.map(({ layer }) => typeLabel(layer.type));
  return names.length ? t('time.unseen', { layers: listText(names) }) : '';
});

function saidOf(): string {
  const phase = pastPhase.value;
  if (phase === 'refused') return t('time.refused', { detail: pastError.value?.message ?? '' });
  if (phase === 'still' && unseenText.value) return `${t('time.still')} ${unseenText.value}`;
  if (phase !== 'ready') return t(`time.${phase}`);
  if (waiting.value && playing.value) return t('time.waiting');
  if (!playing.value && shownAt.value >= (span.value?.to ?? 0)) return t('time.end');
  return unseenText.value;
}

const dismissed = signal(false);

/** A clock that is wrong misleads its reader elsewhere too: it is told once. */
function ClockNote() {
  const error = clockError.value;
  if (!error || dismissed.value) return null;
  const whole = Math.max(60_000, Math.round(Math.abs(error) / 60_000) * 60_000);
  return (
    <div class="time-note note warn" role="status">
      <p>{t(error > 0 ? 'time.clockFast' : 'time.clockSlow', { span: spanText(whole) })}</p>
      <button
        type="button"
        class="time-button"
        aria-label={t('time.dismiss')}
        onClick={() => (dismissed.value = true)}
      >
        <Icon name="close" />
      </button>
    </div>
  );
}

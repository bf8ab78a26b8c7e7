import { signal } from '@preact/signals';
import type { TimeView } from '../../lib/address';
import { spanText, timeZone } from '../../lib/format';
import { t } from '../../lib/i18n';
import { nodeNow } from '../../lib/nodetime';
import { dayBeside, dayOf, instantOf, localTime } from '../../lib/zone';
import { span } from '../../state/span';
import { chooseSpeed, chooseTime, shownAt } from '../../state/time';
import { view } from '../../state/view';
import { Icon } from '../parts/Icon';

const modes: TimeView['mode'][] = ['live', 'last24h', 'day', 'range'];
const week = 7 * 86_400_000;

/** Which time, and how fast it goes. */
export function Chooser() {
  const { mode } = view.value.time;
  return (
    <>
      <fieldset class="time-modes">
        <legend class="unseen">{t('time.mode')}</legend>
        {modes.map((each) => (
          <button
            key={each}
            type="button"
            aria-pressed={mode === each}
            onClick={() => mode !== each && chooseTime(firstOf(each))}
          >
            {t(`time.${each}`)}
          </button>
        ))}
      </fieldset>
      {mode !== 'live' && <Speed />}
      {view.value.time.mode === 'day' && <Day day={view.value.time.day} />}
      {mode === 'range' && <Range />}
    </>
  );
}

/** What a choice begins with: near to what was shown before. */
function firstOf(mode: TimeView['mode']): TimeView {
  const now = nodeNow();
  const within = span.value;
  switch (mode) {
    case 'day':
      return { mode, day: dayOf(within ? shownAt.value : now, timeZone.value) };
    case 'range': {
      const { from, to } = within ?? { from: now - week, to: now };
      return { mode, from: iso(from), to: iso(Math.max(to, from + 60_000)) };
    }
    default:
      return { mode };
  }
}

const iso = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');

/** A year is typed digit by digit, and a browser tells of every one: nobody means the year 20. */
const earliest = '1900';

/** A day that is still being typed; it stays in its field until it is one. */
const typedDay = signal('');

function Day({ day }: { day: string }) {
  const today = dayOf(nodeNow(), timeZone.value);
  const choose = (chosen: string): void => {
    const whole = chosen >= earliest;
    typedDay.value = whole ? '' : chosen;
    if (whole) chooseTime({ mode: 'day', day: chosen });
  };
  return (
    <div class="time-inputs">
      <button
        type="button"
        class="time-button"
        aria-label={t('time.dayBefore')}
        onClick={() => choose(dayBeside(day, -1))}
      >
        <Icon name="back" />
      </button>
      <input
        type="date"
        class="time-input"
        aria-label={t('time.dayOf')}
        title={t('time.zone', { zone: timeZone.value })}
        value={typedDay.value || day}
        min="1900-01-01"
        max={today}
        onChange={(event) => choose(event.currentTarget.value)}
        onBlur={() => (typedDay.value = '')}
      />
      <button
        type="button"
        class="time-button"
        aria-label={t('time.dayAfter')}
        disabled={day >= today}
        onClick={() => choose(dayBeside(day, 1))}
      >
        <Icon name="forth" />
      </button>
    </div>
  );
}

/** What was typed and is no range yet; it stays on the page until it is one. */
const typed = signal<{ from?: string; to?: string }>({});

function Range() {
  const { time } = view.value;
  if (time.mode !== 'range') return null;
  const zone = timeZone.value;
  const from = typed.value.from ?? localTime(Date.parse(time.from), zone);
  const to = typed.value.to ?? localTime(Date.parse(time.to), zone);
  const take = (given: { from?: string; to?: string }): void => {
    const next = { from, to, ...given };
    const [begin, end] = [instantOf(next.from, zone), instantOf(next.to, zone)];
    const whole = next.from >= earliest && next.to >= earliest;
    if (whole && begin < end) {
      typed.value = {};
      chooseTime({ mode: 'range', from: iso(begin), to: iso(end) });
    } else {
      typed.value = next;
    }
  };
  const wrong = instantOf(from, zone) >= instantOf(to, zone);
  return (
    <div class="time-inputs" title={t('time.zone', { zone })}>
      {(['from', 'to'] as const).map((end) => (
        <label key={end} class="time-field">
          <span>{t(`time.${end}`)}</span>
          <input
            type="datetime-local"
            class="time-input"
            min="1900-01-01T00:00"
            value={end === 'from' ? from : to}
            aria-invalid={wrong}
            aria-describedby={wrong ? 'time-wrong' : undefined}
            onChange={(event) => take({ [end]: event.currentTarget.value })}
          />
        </label>
      ))}
      {wrong && (
        <p class="warn small" id="time-wrong" role="alert">
          {t('time.backwards')}
        </p>
      )}
    </div>
  );
}

const speeds = [1, 60, 600, 3_600, 21_600, 86_400];

function Speed() {
  const { speed } = view.value;
  const offered = speeds.includes(speed) ? speeds : [...speeds, speed].sort((a, b) => a - b);
  return (
    <label class="time-field">
      <span>{t('time.speed')}</span>
      <select
        class="time-input"
        value={speed}
        onChange={(event) => chooseSpeed(Number(event.currentTarget.value))}
      >
        {offered.map((each) => (
          <option key={each} value={each}>
            {t('time.speedOf', { span: spanText(each * 1000) })}
          </option>
        ))}
      </select>
    </label>
  );
}

import { useEffect, useState } from 'preact/hooks';
import { askReplay, readReplay, readReplays, type Replay, type Version } from '../../api/rules';
import { timeText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { addDays, yearTo } from '../../lib/ruledays';
import { goRules, rulesNews } from '../../state/rules';
import { view } from '../../state/view';
import { useRead } from '../parts/useRead';
import { OutcomeOf } from './OutcomeOf';
import { Refused, type Refusal, refused, Unread } from './said';
import { dayText } from './words';

interface Properties {
  whole: Version;
  today: string;
  /** Saves what is typed; false where that failed. */
  ready(): Promise<boolean>;
}

const again = 700;

/** The past lived once more under this version: asked for, followed while it runs, and what came of it. */
export function ReplayPart({ whole, today, ready }: Properties) {
  const { decisionTable, version } = whole;
  const year = yearTo(addDays(today, -1));
  const [from, setFrom] = useState(year.from);
  const [until, setUntil] = useState(year.until);
  const [error, setError] = useState<Refusal>(null);
  const [busy, setBusy] = useState(false);
  const list = useRead(
    `replays ${decisionTable}@${version}`,
    async (stop) =>
      (await readReplays(stop)).body.filter(
        (each) => each.decisionTable === decisionTable && each.version === version,
      ),
    rulesNews.value,
  );
  const chosen = view.value.rules.replay || list.body?.[0]?.id || '';
  // The days in the fields are those of the result below them, until other ones are typed.
  const shown = list.body?.find(({ id }) => id === chosen);
  useEffect(() => {
    if (!shown) return;
    setFrom(shown.from);
    setUntil(shown.until);
  }, [shown?.id]);
  const ask = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      if (await ready()) {
        const { id } = await askReplay(decisionTable, version, from, until);
        rulesNews.value++;
        goRules({ replay: id }, false);
      }
    } catch (thrown) {
      setError(refused(thrown));
    }
    setBusy(false);
  };
  return (
    <section class="rule-part" aria-labelledby="rule-replay" data-replay="">
      <h3 id="rule-replay">{t('rules.replay')}</h3>
      <p class="quiet small">{t('rules.replayHint')}</p>
      <form
        class="rule-form rule-pairs"
        onSubmit={(event) => {
          event.preventDefault();
          void ask();
        }}
      >
        <label>
          <span>{t('rules.replayFrom')}</span>
          <input
            class="search"
            type="date"
            name="replay-from"
            required
            max={until}
            value={from}
            onInput={(event) => setFrom(event.currentTarget.value)}
          />
        </label>
        <label>
          <span>{t('rules.replayUntil')}</span>
          <input
            class="search"
            type="date"
            name="replay-until"
            required
            min={from}
            value={until}
            onInput={(event) => setUntil(event.currentTarget.value)}
          />
        </label>
        <p>
          <button type="submit" class="button primary" data-act="replay" disabled={busy}>
            {t('rules.replayAsk')}
          </button>
        </p>
      </form>
      <Refused title={t('rules.notReplayed')} error={error} right="writer" />
      {(list.body?.length ?? 0) > 1 && (
        <label class="rule-earlier small">
          <span>{t('rules.replays')}</span>
          <select
            class="select"
            name="replay"
            value={chosen}
            onChange={(event) => goRules({ replay: event.currentTarget.value }, false)}
          >
            {list.body?.map((each) => (
              <option key={each.id} value={each.id}>
                {periodOf(each)}
                {each.askedAt ? ` (${timeText(each.askedAt, 'short')})` : ''}
              </option>
            ))}
          </select>
        </label>
      )}
      {chosen && <Followed key={chosen} id={chosen} version={`${decisionTable}@${version}`} />}
    </section>
  );
}

const periodOf = ({ from, until }: Replay): string =>
  t('rules.fromUntil', { from: dayText(from), until: dayText(until) });

/** A replay, read again until it is done. */
function Followed({ id, version }: { id: string; version: string }) {
  const [beat, setBeat] = useState(0);
  const { body, error, retry } = useRead(
    `replay ${id}`,
    async (stop) => (await readReplay(id, stop)).body,
    beat,
  );
  const runs = body?.status === 'running';
  useEffect(() => {
    if (!runs) return;
    const timer = setInterval(() => setBeat((count) => count + 1), again);
    return () => clearInterval(timer);
  }, [runs]);
  if (error) return <Unread title={t('rules.replayUnread')} error={error} retry={retry} />;
  if (!body) return <p role="status">{t('loading.rows')}</p>;
  if (`${body.decisionTable}@${body.version}` !== version) {
    return <p class="warn">{t('rules.replayOther')}</p>;
  }
  const percent = Math.round(body.progress * 100);
  return (
    <div data-status={body.status}>
      {runs && (
        <p class="rule-progress">
          <progress max={100} value={percent} aria-label={t('rules.replaying')} />
          <span role="status">
            {t('rules.replaying')} {percent}%
          </span>
        </p>
      )}
      {body.status === 'failed' && (
        <p class="note warn" role="alert">
          {t('rules.replayFailed', { reason: body.error ?? '' })}
        </p>
      )}
      {body.result && <OutcomeOf outcome={body.result} period={periodOf(body)} />}
    </div>
  );
}

import { useEffect, useState } from 'preact/hooks';
import { ApiError } from '../../api/http';
import { type CaseStep, idOf } from '../../api/cases';
import { type Light, type View, writeAddress } from '../../lib/address';
import { clockTitle, lightMarks } from '../../lib/cases';
import { timeText } from '../../lib/format';
import { plural, t } from '../../lib/i18n';
import { nameText } from '../../lib/names';
import { playedSpeed } from '../../lib/nodetime';
import { shapes } from '../../lib/symbols';
import { actorTitle, holderTitle } from '../../state/cases';
import { go, view } from '../../state/view';
import './cases.css';

/** A link to another view, in this tab unless the reader wishes for a new one. */
export function PageLink(props: { text: string; change: Partial<View>; button?: boolean }) {
  const { text, change, button } = props;
  return (
    <a
      class={button ? 'button' : undefined}
      href={writeAddress({ ...view.value, ...change })}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        go(change);
      }}
    >
      {text}
    </a>
  );
}

/** A light as a sign and a word: colour alone tells nothing. Where it is not the promise's, it says whose. */
export function LightWord({ light, clock }: { light: Light; clock?: string | undefined }) {
  const isNamed = clock && clock !== 'promise' && light !== 'green';
  const { colour, shape } = lightMarks[light];
  return (
    <span class="light" data-light={light}>
      <svg class="symbol" viewBox="0 0 24 24" aria-hidden="true">
        <path class="mark" d={shapes[shape]} fill={colour} />
      </svg>
      {isNamed
        ? t(`cases.lightOf.${light}`, { clock: clockTitle(clock) })
        : t(`cases.light.${light}`)}
    </span>
  );
}

/** The steps as a line: what is done, what is now, what is ahead; since when, and who acts. */
export function Steps({ steps }: { steps: readonly CaseStep[] }) {
  return (
    <ol class="case-steps" aria-label={t('cases.steps')}>
      {steps.map(({ step, title, state, since, until, holder, actor, visits = 0 }) => (
        <li
          key={step}
          data-step={step}
          data-state={state}
          aria-current={state === 'now' ? 'step' : undefined}
        >
          <span class="strong">{nameText(title)}</span>{' '}
          <span class="small">{t(`cases.step.${state}`)}</span>
          {since && (
            <span class="small quiet number">
              {until
                ? t('cases.fromTo', {
                    from: timeText(since, 'short'),
                    to: timeText(until, 'short'),
                  })
                : timeText(since, 'short')}
            </span>
          )}
          {holder && (
            <span class="small quiet">
              {actedText([holderTitle(holder)], actor)}
              {visits > 1 ? ` · ${t('cases.visits', { count: visits })}` : ''}
            </span>
          )}
        </li>
      ))}
    </ol>
  );
}

/** Titles and who acted in them; a title that the actor's begins with is not told twice. */
export function actedText(titles: readonly string[], actor = ''): string {
  const who = actorTitle(actor);
  const others = titles.filter((title) => title && !who.startsWith(title));
  return [...others, who].filter(Boolean).join(' · ');
}

/** What the node said, in the reader's words where there are any. */
export function refusal(thrown: unknown): string {
  const error = thrown instanceof ApiError ? thrown : new ApiError(0, String(thrown), '');
  if (error.status === 0) return t('error.unreachable');
  // A case is called by its number.
  const detail = error.message.replaceAll(idOf, '');
  if (error.status === 409) return t('cases.conflict', { detail });
  if (error.status === 401 || error.status === 403) return t('cases.forbidden', { detail });
  if (error.status === 429)
    return plural('report.tooMany', Math.max(1, Math.ceil(error.retryAfter / 60)));
  return t('error.refused', { status: error.status, detail });
}

const refreshEvery = 60_000;
const playedRefreshEvery = 3_000;

/** Counts up each minute while the page can be seen: what is left of a promise gets less by itself. */
export function useMinutes(): number {
  const [beat, setBeat] = useState(0);
  const played = playedSpeed.value !== null;
  useEffect(() => {
    const timer = setInterval(
      () => {
        if (!document.hidden) setBeat((count) => count + 1);
      },
      played ? playedRefreshEvery : refreshEvery,
    );
    return () => clearInterval(timer);
  }, [played]);
  return beat;
}

import { useState } from 'preact/hooks';
import { numberOf } from '../../api/cases';
import { type CaseChange, type Outcome, readScoreTitles, type WouldOpen } from '../../api/rules';
import { type View, writeAddress } from '../../lib/address';
import { numberAndPart } from '../../lib/evaluation';
import { numberText, timeText } from '../../lib/format';
import { known, plural, t } from '../../lib/i18n';
import { attributeLabel, nameText, shortId } from '../../lib/names';
import {
  casesWith,
  countsOf,
  type Fact,
  factsOf,
  type Moved,
  moves,
  reasonOf,
  scoresOf,
} from '../../lib/replays';
import { nodeNow } from '../../lib/nodetime';
import { conditionTitle, departmentTitle, stateTitle, typeTitle } from '../../state/cases';
import { clockTitle } from '../../lib/cases';
import { go, view } from '../../state/view';
import { useRead } from '../parts/useRead';

const step = 50;

/** What another rule would have changed: how many cases, the scores, and each case with what would differ. */
export function OutcomeOf({ outcome, period }: { outcome: Outcome; period: string }) {
  const { cases, changed, unlike, opened, notOpened } = outcome;
  const touched = changed.length + opened.length + notOpened.length;
  const live = opened.length + notOpened.length > 0;
  return (
    <div class="rule-outcome" data-changed={touched}>
      <p class="rule-headline" role="status">
        <span class="rule-count">{numberText(touched)}</span>{' '}
        {plural('rules.ofCases', cases, { period })}
      </p>
      {touched === 0 && <p>{t('rules.changesNothing')}</p>}
      <Scores outcome={outcome} />
      {changed.length > 0 && <Changed changed={changed} />}
      {live && (
        <>
          <WouldBe title={plural('rules.opened', opened.length)} list={opened} kind="opened" />
          <WouldBe
            title={plural('rules.notOpened', notOpened.length)}
            list={notOpened}
            kind="notOpened"
          />
        </>
      )}
      {unlike.length > 0 && (
        <details class="small">
          <summary>{plural('rules.unlike', unlike.length)}</summary>
          <p>
            {unlike.slice(0, step * 4).map((id) => (
              <span key={id}>
                <CaseLink id={id} />{' '}
              </span>
            ))}
          </p>
        </details>
      )}
    </div>
  );
}

function Scores({ outcome: { scoresBefore, scoresAfter } }: { outcome: Outcome }) {
  const scores = scoresOf(scoresBefore, scoresAfter);
  const { body } = useRead(scores.length ? 'titles' : '', async (stop) => {
    const { indicators, scores } = (await readScoreTitles(ago(120), ago(60), stop)).body;
    return new Map([...indicators, ...scores].map(({ id, title }) => [id, nameText(title)]));
  });
  if (!scores.length) return null;
  const moving = scores.filter(moves);
  const still = scores.filter((one) => !moves(one));
  const bars = (list: readonly Moved[]) => (
    <ul class="rule-scores">
      {list.map((one) => (
        <ScoreOf key={one.name} score={one} title={body?.get(one.id) || one.id} />
      ))}
    </ul>
  );
  return (
    <section aria-labelledby="rule-scores">
      <h4 id="rule-scores">{t('rules.scores')}</h4>
      {moving.length > 0 ? bars(moving) : <p class="quiet small">{t('rules.scoresStill')}</p>}
      {still.length > 0 && (
        <details class="small">
          <summary>{plural('rules.stillScores', still.length)}</summary>
          {bars(still)}
        </details>
      )}
    </section>
  );
}

/** The titles alone are wanted: the shortest time has them, too. */
const ago = (seconds: number): string => new Date(nodeNow() - seconds * 1000).toISOString();

const figure = (value: number | null): string => (value === null ? '–' : numberText(value, 1));

function ScoreOf({
  score: { name, kind, before, after, by },
  title,
}: {
  score: Moved;
  title: string;
}) {
  const width = (value: number | null): string => `${Math.min(100, Math.max(0, value ?? 0))}%`;
  return (
    <li data-score={name}>
      <span>
        <span class={kind === 'score' ? 'strong' : ''}>{title}</span>{' '}
        <span class="number">
          {figure(before)} → <span class="strong">{figure(after)}</span>
          {by !== null && moves({ before, after, by } as Moved) && (
            <span class="quiet">
              {' '}
              ({by > 0 ? '+' : '−'}
              {numberText(Math.abs(by), 1)})
            </span>
          )}
        </span>
      </span>
      <span class="rule-score-bars" aria-hidden="true">
        <span data-when="before" style={{ width: width(before) }} />
        <span data-when="after" style={{ width: width(after) }} />
      </span>
    </li>
  );
}

function Changed({ changed }: { changed: CaseChange[] }) {
  const [about, setAbout] = useState<Fact['about'] | ''>('');
  const [most, setMost] = useState(step);
  const counts = countsOf({ changed });
  const shown = casesWith(changed, about);
  return (
    <section aria-labelledby="rule-changed">
      <h4 id="rule-changed">{t('rules.changedCases')}</h4>
      {counts.length > 1 && (
        <p class="rule-buttons" role="group" aria-label={t('rules.which')}>
          {([['', changed.length], ...counts] as [Fact['about'] | '', number][]).map(
            ([each, count]) => (
              <button
                key={each}
                type="button"
                class="button rule-chip"
                aria-pressed={about === each}
                onClick={() => {
                  setAbout(each);
                  setMost(step);
                }}
              >
                {t(`rules.fact.${each || 'all'}`)} ({numberText(count)})
              </button>
            ),
          )}
        </p>
      )}
      <ul class="rule-cases">
        {shown.slice(0, most).map((one) => (
          <li key={one.case} data-case={numberOf(one.case)}>
            <CaseLink id={one.case} />
            <ul>
              {factsOf(one).map((fact) => (
                <li key={fact.change.fact}>{factText(fact, reasonOf(one))}</li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
      {shown.length > most && (
        <button type="button" class="button" onClick={() => setMost(most + step)}>
          {t('cases.more', { count: numberText(shown.length - most) })}
        </button>
      )}
    </section>
  );
}

/** One fact as a sentence: what it is about, before and after. */
function factText(fact: Fact, reason: string): string {
  const { about, clock, number, change } = fact;
  if (about === 'leaves') return t('rules.leaves', { number: String(change.after ?? ''), reason });
  const of = clock
    ? `${clockTitle(clock)}${number > 1 ? ` (${number})` : ''}: ${t(`rules.fact.${about}`)}`
    : about === 'other'
      ? change.fact
      : t(`rules.fact.${about}`);
  return t('rules.beforeAfter', {
    what: of,
    before: factValue(fact, change.before),
    after: factValue(fact, change.after),
  });
}

function factValue({ about }: Fact, value: unknown): string {
  if (value === null || value === undefined || value === '') return '–';
  if (about === 'department') return departmentTitle(String(value));
  if (about === 'state') return stateTitle(String(value));
  if (about === 'light') return known(`cases.light.${String(value)}`) ?? String(value);
  if (about === 'deadline') return timeText(String(value), 'short');
  if (about === 'escalated') return plural('rules.times', Array.isArray(value) ? value.length : 0);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function PageLink({ text, to }: { text: string; to: Partial<View> }) {
  return (
    <a
      href={writeAddress({ ...view.value, ...to })}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        go(to);
      }}
    >
      {text}
    </a>
  );
}

function CaseLink({ id }: { id: string }) {
  const { number, part } = numberAndPart(id);
  return (
    <PageLink
      text={part ? `${number} (${part})` : number}
      to={{ page: 'cases', cases: { ...view.value.cases, number } }}
    />
  );
}

interface WouldProperties {
  title: string;
  list: WouldOpen[];
  kind: string;
}

function WouldBe({ title, list, kind }: WouldProperties) {
  const [most, setMost] = useState(step);
  if (!list.length) return null;
  return (
    <section aria-label={title} data-list={kind}>
      <h4>{title}</h4>
      <ul class="rule-cases">
        {list.slice(0, most).map((one, index) => (
          <li key={index}>
            <PageLink text={shortId(one.entity)} to={{ page: 'map', id: one.entity }} />
            <span>
              {[
                typeTitle(one.caseType),
                one.caseCondition && conditionTitle(one.caseCondition),
                attributeLabel(one.attribute),
                timeText(one.at, 'short'),
              ]
                .filter(Boolean)
                .join(' · ')}
            </span>
          </li>
        ))}
      </ul>
      {list.length > most && (
        <button type="button" class="button" onClick={() => setMost(most + step)}>
          {t('cases.more', { count: numberText(list.length - most) })}
        </button>
      )}
    </section>
  );
}

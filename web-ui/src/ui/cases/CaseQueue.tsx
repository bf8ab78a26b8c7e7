import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import { type CaseRow, numberOf, readQueue } from '../../api/cases';
import {
  clockTitle,
  descriptionText,
  leftText,
  lightClock,
  nextClock,
  promiseOf,
  workOf,
} from '../../lib/cases';
import { numberText, timeText } from '../../lib/format';
import { plural, t } from '../../lib/i18n';
import {
  areaTitle,
  caseType,
  departmentTitle,
  drawCases,
  goCases,
  readWords,
  stateTitle,
  typeTitle,
  words,
} from '../../state/cases';
import { offerKeys } from '../../state/keys';
import { newsOf } from '../../state/news';
import { map } from '../../state/store';
import { view } from '../../state/view';
import { Icon } from '../parts/Icon';
import { Problem } from '../parts/Problem';
import { useRead } from '../parts/useRead';
import { LightWord, PageLink, useMinutes } from './parts';
import { QueueTools } from './QueueTools';
import { RoleChoice } from './RoleChoice';
import { Surges } from './Surges';

const step = 100;

/** The cases by what is left of them, beside the map that shows the same ones. */
export function CaseQueue() {
  const { cases } = view.value;
  const [limit, setLimit] = useState(step);
  const beat = useMinutes();
  const { number: _, as, ...filter } = cases;
  const { body, error, retry } = useRead(
    JSON.stringify([filter, filter.mine && as, limit]),
    async (stop) => {
      // Which states are a role's is known of the workflow alone.
      if (cases.mine) await readWords();
      const states = cases.mine && words.value ? workOf(words.value.workflow, as).states : [];
      const [answer] = await Promise.all([readQueue(cases, states, limit, stop), readWords()]);
      return answer.body;
    },
    newsOf(caseType) + beat,
  );
  const rows = body?.cases;
  const drawn = map.value;
  useEffect(() => {
    if (rows) drawCases(rows);
  }, [rows, drawn]);
  useEffect(() => () => drawCases(null), []);
  useLayoutEffect(() => {
    const numbers = (rows ?? []).map(({ id }) => numberOf(id));
    const walk = (by: 1 | -1) => (): void => {
      const at = numbers.indexOf(view.value.cases.number);
      const next = at < 0 ? (by > 0 ? numbers[0] : numbers.at(-1)) : numbers[at + by];
      if (next) goCases({ number: next });
    };
    return offerKeys(
      { key: 'j', message: 'cases.keys.next', act: walk(1) },
      { key: 'k', message: 'cases.keys.previous', act: walk(-1) },
    );
  }, [rows]);
  return (
    <div class="section case-queue">
      <div class="case-head">
        <h2>{t('cases.title')}</h2>
        <nav class="case-pages" aria-label={t('cases.pages')}>
          <PageLink button text={t('page.evaluation')} change={{ page: 'evaluation' }} />
          <PageLink button text={t('report.title')} change={{ page: 'report' }} />
        </nav>
      </div>
      <Surges beat={beat} />
      <div class="case-bar">
        <RoleChoice />
        <QueueTools />
      </div>
      <Scope />
      {error && <Problem title={t('cases.unread')} error={error} retry={retry} />}
      {!body && !error && <p role="status">{t('loading.rows')}</p>}
      {body && (
        <p class="small quiet" role="status">
          {plural('cases.count', body.total)}
        </p>
      )}
      <ul class="case-rows">
        {rows?.map((row) => (
          <li key={row.id}>
            <Row row={row} />
          </li>
        ))}
      </ul>
      {body && body.total > body.cases.length && (
        <button type="button" class="button" onClick={() => setLimit(limit + step)}>
          {t('cases.more', { count: numberText(body.total - body.cases.length) })}
        </button>
      )}
    </div>
  );
}

function Row({ row }: { row: CaseRow }) {
  const number = numberOf(row.id);
  const { type = '', department = '', area = '', light } = row;
  const promise = promiseOf(row);
  const stage = promise ? undefined : nextClock(row);
  // Where the light is not the promise's, it says whose, and when that was due.
  const urgent = row.clocks.filter((each) => each !== promise && each.light !== 'green');
  return (
    <button
      type="button"
      class="case-row"
      data-case={number}
      aria-pressed={view.value.cases.number === number}
      onClick={() => goCases({ number })}
    >
      <span class="case-line">
        {light && <LightWord light={light} clock={lightClock(row)?.clock} />}
        <span class="case-left">
          {row.status === 'closed'
            ? t('cases.closed')
            : promise
              ? leftText(promise)
              : stage?.light === 'green'
                ? t('cases.leftOf', { clock: clockTitle(stage.clock), left: leftText(stage) })
                : t('cases.noPromise')}
        </span>
      </span>
      <span class="strong">
        {type ? typeTitle(type) : descriptionText(row) || t('cases.noType')}
      </span>
      <span class="small">
        <span class="number">{number}</span> · {stateTitle(row.state)}
      </span>
      {urgent.map((clock) => (
        <span class="small" key={clock.clock}>
          {clockTitle(clock.clock)}: {leftText(clock)}
          {clock.deadline && ` · ${t('cases.due', { time: timeText(clock.deadline, 'short') })}`}
        </span>
      ))}
      <span class="small quiet">
        {[department && departmentTitle(department), area && areaTitle(area)]
          .filter(Boolean)
          .join(' · ') || t('cases.noDepartment')}
      </span>
    </button>
  );
}

/** What the list is narrowed down to that no list of choices shows: the cases of an alarm. */
function Scope() {
  const { area, reportedSince: since, reportedUntil: until } = view.value.cases;
  if (!area && !since && !until) return null;
  return (
    <p class="case-scope note">
      <span>
        {[
          area && t('intake.scope.area', { area: areaTitle(area) }),
          since && t('intake.scope.since', { time: timeText(since, 'short') }),
          until && t('intake.scope.until', { time: timeText(until, 'short') }),
        ]
          .filter(Boolean)
          .join(' · ')}
      </span>
      <button
        type="button"
        class="time-button"
        aria-label={t('intake.scope.off')}
        onClick={() => goCases({ area: '', reportedSince: '', reportedUntil: '' })}
      >
        <Icon name="close" />
      </button>
    </p>
  );
}

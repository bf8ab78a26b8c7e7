import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import { type CaseRow, numberOf, readQueue } from '../../api/cases';
import { type CasesView, caseStatuses, lights } from '../../lib/address';
import { clockTitle, leftText, lightClock, promiseOf } from '../../lib/cases';
import { numberText, timeText } from '../../lib/format';
import { compareTexts, plural, t } from '../../lib/i18n';
import {
  areaTitle,
  caseType,
  departmentTitle,
  drawCases,
  goCases,
  readWords,
  stateTitle,
  stepTitle,
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
import { RoleChoice } from './RoleChoice';
import { Surges } from './Surges';

const step = 100;

/** The cases by promise left, beside the map that shows the same ones. */
export function CaseQueue() {
  const { cases } = view.value;
  const [limit, setLimit] = useState(step);
  const beat = useMinutes();
  const { number: _, as: __, ...filter } = cases;
  const { body, error, retry } = useRead(
    JSON.stringify([filter, limit]),
    async (stop) => {
      const [answer] = await Promise.all([readQueue(cases, limit, stop), readWords()]);
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
      <RoleChoice />
      <Filters />
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
  const { type = '', department = '', area = '', light, description } = row;
  const promise = promiseOf(row);
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
              : t('cases.noPromise')}
        </span>
      </span>
      <span class="strong">{type ? typeTitle(type) : description || t('cases.noType')}</span>
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

function Filters() {
  const { cases } = view.value;
  const known = words.value;
  const byTitle = (codes: string[], title: (code: string) => string): [string, string][] =>
    codes
      .map((code): [string, string] => [code, title(code)])
      .sort((a, b) => compareTexts(a[1], b[1]));
  const mine = cases.as.startsWith('department:') ? cases.as.slice('department:'.length) : '';
  return (
    <fieldset class="case-filters">
      <legend class="unseen">{t('cases.filters')}</legend>
      <Choice
        name="status"
        options={caseStatuses.map((each) => [each, t(`cases.status.${each}`)])}
      />
      <Choice
        name="light"
        all={t('cases.allLights')}
        options={lights.map((each) => [each, t(`cases.light.${each}`)])}
      />
      <Choice
        name="department"
        all={t('cases.allDepartments')}
        options={byTitle(known?.types.departments.map(({ code }) => code) ?? [], departmentTitle)}
      />
      <Choice
        name="step"
        all={t('cases.allSteps')}
        options={Object.keys(known?.workflow.steps ?? {}).map((each) => [each, stepTitle(each)])}
      />
      <Choice
        name="type"
        all={t('cases.allTypes')}
        options={byTitle(known?.types.types.map(({ code }) => code) ?? [], typeTitle)}
      />
      {mine && cases.department !== mine && (
        <button
          type="button"
          class="button plain"
          onClick={() => goCases({ department: mine, number: '' })}
        >
          {t('cases.mine')}
        </button>
      )}
    </fieldset>
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

function Choice(props: {
  name: 'status' | 'light' | 'department' | 'step' | 'type';
  all?: string;
  options: [string, string][];
}) {
  const { name, all, options } = props;
  const now = view.value.cases[name];
  const isKnown = !now || options.some(([code]) => code === now);
  return (
    <select
      class="select"
      name={name}
      aria-label={t(`cases.by.${name}`)}
      value={now}
      onChange={(event) =>
        goCases({ [name]: event.currentTarget.value } as Partial<CasesView>, false)
      }
    >
      {all && <option value="">{all}</option>}
      {!isKnown && <option value={now}>{now}</option>}
      {options.map(([code, title]) => (
        <option key={code} value={code}>
          {title}
        </option>
      ))}
    </select>
  );
}

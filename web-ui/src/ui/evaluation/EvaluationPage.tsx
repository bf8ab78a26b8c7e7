import { useEffect, useRef, useState } from 'preact/hooks';
import {
  type Evaluation,
  type Indicator,
  readEvaluation,
  readLastCase,
  readTrend,
  type Step,
} from '../../api/evaluation';
import { divisions, periods } from '../../lib/address';
import { csvText } from '../../lib/csv';
import {
  type Days,
  figureColumns,
  figureOf,
  figureRows,
  groupTitle,
  headlineOf,
  monthAround,
  orderGroups,
  rateText,
} from '../../lib/evaluation';
import { dayText, daysText, numberText, timeText, timeZone } from '../../lib/format';
import { plural, t } from '../../lib/i18n';
import { nameText } from '../../lib/names';
import { dayOf } from '../../lib/zone';
import { caseType, readWords } from '../../state/cases';
import {
  chosenDays,
  chosenPeriod,
  findPeriod,
  goDivision,
  goEvaluation,
  goPeriod,
  openFigure,
  wish,
} from '../../state/evaluation';
import { newsOf } from '../../state/news';
import { view } from '../../state/view';
import { PageLink } from '../cases/parts';
import { Problem } from '../parts/Problem';
import { saveText } from '../parts/save';
import { useRead } from '../parts/useRead';
import { tableFile } from '../table/Downloads';
import '../table/table.css';
import './evaluation.css';
import { FigurePane } from './FigurePane';
import { GroupTable } from './GroupTable';
import { RoleTable } from './RoleTable';
import { apartText, Bar, Columns, Legend, noValueText } from './Shares';

/** How the city does: a few figures at a glance, a table by who is looked at, and the cases behind each. */
export function EvaluationPage() {
  const { period, by, group, figure } = view.value.evaluation;
  useRead(period ? '' : 'first period', findPeriod);
  const asked = wish();
  const [again, setAgain] = useState(0);
  const news = newsOf(caseType);
  const { by: _, ...days } = asked;
  const counted = JSON.stringify([days, again]);
  // Divided otherwise, it is the same count: the node keeps it.
  const kept = useRef({ counted: '', evaluatedAt: '' });
  const read = useRead(chosenPeriod() && JSON.stringify([asked, again]), async (stop) => {
    const then = kept.current.counted === counted ? kept.current.evaluatedAt : '';
    const [{ body }] = await Promise.all([readEvaluation(asked, then, stop), readWords()]);
    kept.current = { counted, evaluatedAt: body.evaluatedAt };
    return { found: body, news };
  });
  const found = read.body?.found;
  const there = found?.groups.some((each) => each.group === group) ?? false;
  const trend = useRead(
    found && there && asked.every ? JSON.stringify([asked, found.evaluatedAt, group]) : '',
    async (stop) => (await readTrend(asked, found?.evaluatedAt ?? '', group, stop)).body.steps,
  );
  // What is still to come has nothing to tell.
  const steps = (trend.body ?? []).filter(({ since }) => since <= (found?.evaluatedAt ?? ''));
  const shown = found?.indicators.find(({ id }) => id === figure);
  const isEmpty = found?.groups[0]?.figures.every(
    ({ denominator, apart }) => !denominator && !Object.keys(apart).length,
  );
  return (
    <>
      <main
        class="sheet-page evaluation"
        id="main"
        tabIndex={-1}
        aria-labelledby="page-title"
        aria-busy={read.phase === 'loading'}
      >
        <div class="evaluation-head">
          <h2 id="page-title">{t('page.evaluation')}</h2>
          <nav aria-label={t('cases.pages')}>
            <PageLink button text={t('cases.title')} change={{ page: 'cases' }} />
          </nav>
        </div>
        <Choices found={found} />
        {found && <OnPaper found={found} />}
        {read.error && (
          <Problem title={t('evaluation.unread')} error={read.error} retry={read.retry} />
        )}
        {!found && !read.error && <Counting />}
        {found && (
          <p class="small quiet evaluation-count" role="status">
            {plural('evaluation.cases', found.cases, {
              time: timeText(found.evaluatedAt, 'short'),
            })}
            {read.body?.news !== news && ` ${t('evaluation.changed')}`}{' '}
            <button type="button" class="button plain" onClick={() => setAgain(again + 1)}>
              {t('evaluation.again')}
            </button>
          </p>
        )}
        {found && isEmpty && <Nothing />}
        {found && !isEmpty && (
          <>
            <Cards found={found} steps={steps} />
            <Legend />
            <Tables found={found} />
          </>
        )}
      </main>
      {found && shown && there && (
        <FigurePane
          key={`${shown.id} ${group} ${found.evaluatedAt} ${by}`}
          found={found}
          indicator={shown}
          steps={steps}
        />
      )}
    </>
  );
}

const patience = 5_000;

/** A city of very many cases is not counted at once. */
function Counting() {
  const [long, setLong] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLong(true), patience);
    return () => clearTimeout(timer);
  }, []);
  return (
    <p role="status">
      {t('evaluation.counting')} {long && t('evaluation.counting.long')}
    </p>
  );
}

/** Which days, and who. */
function Choices({ found }: { found: Evaluation | undefined }) {
  const { by, group } = view.value.evaluation;
  const period = chosenPeriod() || 'month';
  const days = chosenDays();
  const isOwn = !periods.includes(period);
  const own = (change: Partial<Days>): void => {
    const { from, to } = { ...days, ...change };
    if (from && to && from <= to) goPeriod(`${from}/${to}`);
  };
  const known = orderGroups(found?.groups.filter((each) => each.group) ?? [], '', by);
  return (
    <div class="evaluation-choices">
      <label>
        <span>{t('evaluation.period')}</span>
        <select
          class="select"
          name="period"
          value={isOwn ? 'own' : period}
          onChange={({ currentTarget: { value } }) =>
            goPeriod(value === 'own' ? `${days.from}/${days.to}` : value)
          }
        >
          <option value="month">{t('evaluation.period.month')}</option>
          <option value="last">{t('evaluation.period.last')}</option>
          <option value="year">{t('evaluation.period.year')}</option>
          <option value="own">{t('evaluation.period.own')}</option>
        </select>
      </label>
      {isOwn ? (
        <>
          <label>
            <span>{t('evaluation.from')}</span>
            <input
              class="search"
              type="date"
              name="from"
              max={days.to}
              value={days.from}
              onChange={({ currentTarget: { value } }) => own({ from: value })}
            />
          </label>
          <label>
            <span>{t('evaluation.to')}</span>
            <input
              class="search"
              type="date"
              name="to"
              min={days.from}
              value={days.to}
              onChange={({ currentTarget: { value } }) => own({ to: value })}
            />
          </label>
        </>
      ) : (
        <p class="evaluation-days number">{daysText(days)}</p>
      )}
      <label>
        <span>{t('evaluation.who')}</span>
        <select
          class="select"
          name="group"
          value={group}
          onChange={({ currentTarget: { value } }) => goEvaluation({ group: value })}
        >
          <option value="">{t('evaluation.whole')}</option>
          {group && !known.some((each) => each.group === group) && (
            <option value={group}>{group}</option>
          )}
          {known.map((each) => (
            <option key={each.group} value={each.group}>
              {groupTitle(each)}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

/** What the choices say on the screen, as a line of the printed page. */
function OnPaper({ found }: { found: Evaluation }) {
  const { by, group } = view.value.evaluation;
  const chosen = found.groups.find((each) => each.group === group);
  return (
    <p class="evaluation-paper">
      {t('evaluation.paper', {
        days: daysText(chosenDays()),
        who: chosen ? groupTitle(chosen) : group,
        by: t(`evaluation.by.${by}`),
        time: timeText(found.evaluatedAt, 'short'),
      })}
    </p>
  );
}

/** A few figures at a glance: how much, of how many, and how it went. */
function Cards({ found, steps }: { found: Evaluation; steps: readonly Step[] }) {
  const { group, figure } = view.value.evaluation;
  const chosen = found.groups.find((each) => each.group === group);
  return (
    <section aria-labelledby="evaluation-headline">
      <h3 id="evaluation-headline">
        {t('evaluation.headline', { name: chosen ? groupTitle(chosen) : group })}
      </h3>
      <ul class="figure-cards">
        {headlineOf(found).map((indicator) => (
          <li key={indicator.id}>
            <Card
              indicator={indicator}
              counts={figureOf(chosen, indicator.id)}
              steps={steps}
              pressed={figure === indicator.id}
            />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Card(props: {
  indicator: Indicator;
  counts: ReturnType<typeof figureOf>;
  steps: readonly Step[];
  pressed: boolean;
}) {
  const { indicator, counts, steps, pressed } = props;
  const { id, title, better } = indicator;
  const { numerator, denominator, apart } = counts;
  const past = steps.map((step) => ({ since: step.since, counts: figureOf(step, id) }));
  return (
    <button
      type="button"
      class="figure-card"
      data-figure={id}
      aria-pressed={pressed}
      onClick={() => openFigure(id, view.value.evaluation.group)}
    >
      <span class="small strong">{nameText(title)}</span>
      <span class="figure-line">
        <span class="figure-value number" data-none={counts.value === null || undefined}>
          {counts.value === null ? noValueText(counts) : rateText(counts)}
        </span>
        {past.length > 1 && <Columns steps={past} better={better} />}
      </span>
      <Bar counts={counts} better={better} />
      <span class="small">
        {denominator > 0 &&
          t('evaluation.ofCount', {
            numerator: numberText(numerator),
            denominator: numberText(denominator),
          })}{' '}
        {denominator > 0 && <span class="quiet">{nameText(indicator.counts)}</span>}
      </span>
      {Object.entries(apart).map(([why, count]) => (
        <span key={why} class="small apart-line">
          <span class="share-sign" data-share="apart" aria-hidden="true" />
          {apartText(why, count)}
        </span>
      ))}
    </button>
  );
}

function Tables({ found }: { found: Evaluation }) {
  const { by } = view.value.evaluation;
  return (
    <section class="evaluation-tables" aria-label={t('evaluation.by')}>
      <div class="table-head">
        <div class="division" role="group" aria-label={t('evaluation.by')}>
          {divisions.map((each) => (
            <button
              key={each}
              type="button"
              class="button"
              data-by={each}
              aria-pressed={by === each}
              onClick={() => goDivision(each)}
            >
              {t(`evaluation.by.${each}`)}
            </button>
          ))}
        </div>
        <div class="table-files" role="group" aria-label={t('evaluation.download')}>
          <button
            type="button"
            class="button"
            aria-label={`${t('evaluation.download')}: CSV`}
            onClick={() =>
              saveText(
                tableFile(t('page.evaluation'), 'csv'),
                csvText(figureColumns, figureRows(found)),
                'text/csv',
              )
            }
          >
            CSV
          </button>
        </div>
      </div>
      {by === 'role' ? <RoleTable found={found} /> : <GroupTable found={found} />}
    </section>
  );
}

/** A period without cases leads to one that has some. */
function Nothing() {
  const last = useRead(
    'last case',
    async (stop) => (await readLastCase(stop)).body.cases[0] ?? null,
  );
  const day = last.body && dayOf(Date.parse(last.body.reportedAt), timeZone.value);
  return (
    <div class="evaluation-nothing">
      <p class="strong">{t('evaluation.none')}</p>
      {last.phase === 'ready' && !day && <p>{t('evaluation.noCases')}</p>}
      {day && last.body && (
        <p>
          {t('evaluation.last', { day: dayText(day) })}{' '}
          <button type="button" class="button" onClick={() => goPeriod(monthAround(day))}>
            {t('evaluation.last.show')}
          </button>
        </p>
      )}
    </div>
  );
}

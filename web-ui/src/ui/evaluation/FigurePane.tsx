import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { CaseRow } from '../../api/cases';
import {
  type Evaluation,
  type Indicator,
  readCasesById,
  readMembers,
  type Step,
} from '../../api/evaluation';
import { descriptionText } from '../../lib/cases';
import {
  figureOf,
  firstPart,
  groupTitle,
  numberAndPart,
  rateText,
  timesEach,
} from '../../lib/evaluation';
import { daysText, numberText, timeText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { nameText } from '../../lib/names';
import {
  areaTitle,
  departmentTitle,
  goCases,
  roleTitle,
  stateTitle,
  typeTitle,
} from '../../state/cases';
import { chosenDays, goEvaluation, goPeriod, wish } from '../../state/evaluation';
import { offerKeys } from '../../state/keys';
import { view } from '../../state/view';
import { LightWord } from '../cases/parts';
import { Icon } from '../parts/Icon';
import { Problem } from '../parts/Problem';
import { useRead } from '../parts/useRead';
import { daysOfStep } from './days';
import { apartText, Bar, isReason, noValueText } from './Shares';

interface Shown {
  found: Evaluation;
  indicator: Indicator;
  steps: readonly Step[];
}

/** A figure whole: how it is reckoned, what is told apart, how it went, and the cases behind it. */
export function FigurePane({ found, indicator, steps }: Shown) {
  const { group } = view.value.evaluation;
  const chosen = found.groups.find((each) => each.group === group);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const close = (): void => {
    goEvaluation({ figure: '', part: '' });
    setTimeout(() => returnTo(indicator.id, group));
  };
  useLayoutEffect(
    () => offerKeys({ key: 'Escape', message: 'evaluation.back', act: () => close() }),
    [],
  );
  if (!chosen) return null;
  const counts = figureOf(chosen, indicator.id);
  const { numerator, denominator, apart } = counts;
  return (
    <section
      class="case-pane figure-pane"
      aria-labelledby="figure-title"
      // The case lies over it, and what was read stays.
      hidden={!!view.value.cases.number}
    >
      <div class="case-head">
        <h2 id="figure-title" tabIndex={-1} ref={heading}>
          {nameText(indicator.title)}
        </h2>
        <button type="button" class="time-button" aria-label={t('evaluation.back')} onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      <p class="small quiet">{[groupTitle(chosen), daysText(chosenDays())].join(' · ')}</p>
      <section aria-labelledby="figure-formula">
        <h3 id="figure-formula">{t('evaluation.formula')}</h3>
        <div class="formula">
          <span class="figure-value number" data-none={counts.value === null || undefined}>
            {counts.value === null ? noValueText(counts) : rateText(counts)}
          </span>
          <span aria-hidden="true">=</span>
          <span class="fraction">
            <span data-part="numerator">
              <b class="number">{numberText(numerator)}</b> {nameText(indicator.counts)}
            </span>
            <span data-part="denominator">
              <span class="unseen">/ </span>
              <b class="number">{numberText(denominator)}</b> {nameText(indicator.of)}
            </span>
          </span>
          <span>{t('evaluation.times')}</span>
        </div>
        <Bar counts={counts} better={indicator.better} />
        {indicator.notReported.en && <p class="small">{nameText(indicator.notReported)}</p>}
        <p class="small quiet">{t('evaluation.whose', { role: roleTitle(indicator.role) })}</p>
        <details class="small quiet">
          <summary>{t('evaluation.asComputed')}</summary>
          {indicator.id} · <code>{indicator.formula}</code>
        </details>
      </section>
      {Object.keys(apart).length > 0 && (
        <section aria-labelledby="figure-apart">
          <h3 id="figure-apart">{t('evaluation.apart')}</h3>
          <ul class="apart-list">
            {Object.entries(apart).map(([why, count]) => (
              <li key={why} data-apart={why}>
                <span class="share-sign" data-share="apart" aria-hidden="true" />
                <span>
                  {apartText(why, count)}
                  {isReason(why) && <span class="small quiet"> {t(`evaluation.why.${why}`)}</span>}
                </span>
              </li>
            ))}
          </ul>
        </section>
      )}
      {steps.length > 1 && <Trend indicator={indicator} steps={steps} />}
      <Members found={found} indicator={indicator} />
    </section>
  );
}

/** The focus goes back to where the figure was opened: its cell, else its card. */
function returnTo(figure: string, group: string): void {
  const cells = document.querySelectorAll<HTMLElement>(
    `.evaluation-table [data-figure="${CSS.escape(figure)}"]`,
  );
  const cell = [...cells].find(
    (each) => each.closest('tr')?.dataset.group === group && group !== '',
  );
  const card = document.querySelector<HTMLElement>(
    `.figure-card[data-figure="${CSS.escape(figure)}"]`,
  );
  (cell ?? card ?? cells[0])?.focus();
}

function Trend({ indicator, steps }: { indicator: Indicator; steps: readonly Step[] }) {
  const past = steps.map((step) => ({ step, counts: figureOf(step, indicator.id) }));
  const sum = ({ denominator, apart }: (typeof past)[number]['counts']): number =>
    denominator + Object.values(apart).reduce((all, count) => all + count, 0);
  const most = Math.max(1, ...past.map(({ counts }) => sum(counts)));
  return (
    <section aria-labelledby="figure-trend">
      <h3 id="figure-trend">{t('evaluation.trend')}</h3>
      <ul class="trend">
        {past.map(({ step, counts }) => {
          const { from, to } = daysOfStep(step);
          return (
            <li key={step.since}>
              <button
                type="button"
                title={t('evaluation.trend.show', { days: daysText({ from, to }) })}
                onClick={() => goPeriod(`${from}/${to}`)}
              >
                <span class="small number">{daysText({ from, to })}</span>
                <span class="number trend-value">
                  {counts.value === null ? '–' : rateText(counts)}
                </span>
                <span class="small quiet number">
                  {counts.denominator > 0 &&
                    `${numberText(counts.numerator)}/${numberText(counts.denominator)}`}
                </span>
                <Bar counts={counts} better={indicator.better} of={most} />
              </button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

const pageLength = 50;

/** The cases of a part of the figure; each opens. */
function Members({ found, indicator }: { found: Evaluation; indicator: Indicator }) {
  const { group, part: wanted } = view.value.evaluation;
  const { numerator, denominator, apart } = figureOf(
    found.groups.find((each) => each.group === group),
    indicator.id,
  );
  const first = firstPart(indicator.better);
  const sizes: Record<string, number> = {
    [first]: 0,
    rest: denominator - numerator,
    numerator,
    ...apart,
    denominator,
  };
  const offered = Object.keys(sizes).filter((each) => sizes[each]);
  const part = [wanted, first].find((each) => offered.includes(each)) ?? offered[0] ?? '';
  const [pages, setPages] = useState(1);
  const left = (sizes[part] ?? 0) - pages * pageLength;
  const words = (each: string): string =>
    each === 'numerator'
      ? nameText(indicator.counts) || each
      : each === 'rest' || each === 'denominator'
        ? t(`evaluation.part.${each}`)
        : '';
  return (
    <section aria-labelledby="figure-members">
      <h3 id="figure-members">{t('evaluation.members')}</h3>
      {!part && <p>{t('evaluation.noMembers')}</p>}
      <div class="figure-parts" role="group" aria-labelledby="figure-members">
        {offered.map((each) => (
          <button
            key={each}
            type="button"
            class="button"
            data-part={each}
            aria-pressed={part === each}
            onClick={() => {
              setPages(1);
              goEvaluation({ part: each }, false);
            }}
          >
            {words(each)
              ? t('evaluation.partOf', {
                  part: words(each),
                  count: numberText(sizes[each] ?? 0),
                })
              : apartText(each, sizes[each] ?? 0)}
          </button>
        ))}
      </div>
      {Array.from({ length: part ? pages : 0 }, (_, page) => (
        <MemberPage
          key={`${part} ${page}`}
          evaluatedAt={found.evaluatedAt}
          figure={{
            indicator: indicator.id,
            group,
            part,
            limit: pageLength,
            offset: page * pageLength,
          }}
        />
      ))}
      {left > 0 && (
        <button type="button" class="button" onClick={() => setPages(pages + 1)}>
          {t('cases.more', { count: numberText(left) })}
        </button>
      )}
    </section>
  );
}

/** Each page is read for itself: those that are there stay when more are wanted. */
function MemberPage(props: { evaluatedAt: string; figure: Parameters<typeof readMembers>[2] }) {
  const { evaluatedAt, figure } = props;
  const read = useRead(JSON.stringify([evaluatedAt, figure]), async (stop) => {
    const { body } = await readMembers(wish(), evaluatedAt, figure, stop);
    const times = timesEach(body.cases);
    const rows = times.size ? (await readCasesById([...times.keys()], stop)).body.cases : [];
    return { times, rows };
  });
  if (read.error) {
    return <Problem title={t('cases.unread')} error={read.error} retry={read.retry} />;
  }
  if (!read.body) return <p role="status">{t('loading.rows')}</p>;
  const { times, rows } = read.body;
  return (
    <ul class="case-rows">
      {rows.map((row) => (
        <li key={row.id}>
          <Member row={row} times={times.get(row.id) ?? 1} />
        </li>
      ))}
    </ul>
  );
}

function Member({ row, times }: { row: CaseRow; times: number }) {
  const { number, part } = numberAndPart(row.id);
  const { type = '', department = '', area = '', light } = row;
  return (
    <button type="button" class="case-row" data-case={number} onClick={() => goCases({ number })}>
      <span class="strong">
        {type ? typeTitle(type) : descriptionText(row) || t('cases.noType')}
      </span>
      <span class="small">
        <span class="number">{part ? t('evaluation.splitPart', { number, part }) : number}</span> ·{' '}
        {stateTitle(row.state)}
        {light && (
          <>
            {' '}
            · <LightWord light={light} />
          </>
        )}
        {times > 1 && ` · ${t('evaluation.twice', { count: numberText(times) })}`}
      </span>
      <span class="small quiet">
        {[
          department && departmentTitle(department),
          area && areaTitle(area),
          t('cases.reportedAt', { time: timeText(row.reportedAt, 'short') }),
        ]
          .filter(Boolean)
          .join(' · ')}
      </span>
    </button>
  );
}

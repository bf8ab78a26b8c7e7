import { useState } from 'preact/hooks';
import type { Source } from '../../api/city';
import { firstView, writeAddress } from '../../lib/address';
import { ageText, agoText, durationText, lengthText, numberText, timeText } from '../../lib/format';
import { plural, t } from '../../lib/i18n';
import { typeLabel } from '../../lib/names';
import {
  countsOf,
  outcomes,
  rejectedOf,
  reasonText,
  type Standing,
  standingOf,
} from '../../lib/reports';
import { go, view } from '../../state/view';
import { Rejects } from './Rejects';
import { Runs } from './Runs';

/** A status by its shape as well as by its colour and its word. */
const signs: Record<Standing, string> = {
  ok: '●',
  open: '–',
  stale: '◌',
  failed: '✕',
  never: '○',
};

export function SourceCard({ source, title }: { source: Source; title: string }) {
  const { id, report } = source;
  const status = standingOf(source);
  const types = [source.type ?? []].flat();
  return (
    <li class="source-card" data-source={id} data-status={status}>
      <div class="source-head">
        <h3 dir="auto">{title}</h3>
        <span class="source-status">
          <span aria-hidden="true">{signs[status]}</span> {t(`sources.status.${status}`)}
        </span>
      </div>
      <p class="quiet small">
        <span>{id}</span> · <span>{source.format}</span>
        {source.provider && (
          <>
            {' '}
            · <bdi>{source.provider}</bdi>
          </>
        )}
        {source.licence && ` · ${source.licence}`}
      </p>
      <Times source={source} />
      {report?.error && (
        <p class="note warn" dir="auto">
          {report.error}
        </p>
      )}
      {report && report.read > 0 && <Outcomes source={source} />}
      <p class="source-links">
        {types.map((type) => (
          <TypeLink key={type} type={type} />
        ))}
      </p>
      {report && rejectedOf(report) > 0 && (
        <Folded title={plural('sources.rejects', rejectedOf(report))}>
          <Rejects id={id} run={report.run} />
        </Folded>
      )}
      {report && (
        <Folded title={t('sources.runs')}>
          <Runs id={id} run={report.run} />
        </Folded>
      )}
    </li>
  );
}

function Times({ source: { lastRun, lastData, expectedInterval, report } }: { source: Source }) {
  return (
    <dl class="source-times">
      <div>
        <dt>{t('sources.run')}</dt>
        <dd title={lastRun ? timeText(lastRun) : undefined}>
          {lastRun ? agoText(lastRun) : t('sources.status.never')}
          {report && ` (${lengthText(report.seconds)})`}
        </dd>
      </div>
      <div>
        <dt>{t('sources.data')}</dt>
        <dd title={lastData ? timeText(lastData) : undefined}>
          {lastData ? agoText(lastData) : '–'}
          {lastData && ageText(lastData) && ` (${ageText(lastData)})`}
        </dd>
      </div>
      <div>
        <dt>{t('sources.expected')}</dt>
        <dd>{expectedInterval ? durationText(expectedInterval) : t('sources.expectedNever')}</dd>
      </div>
    </dl>
  );
}

/** What became of the rows: numbers first, a bar for the eye. */
function Outcomes({ source: { report } }: { source: Source }) {
  if (!report) return null;
  const counts = countsOf(report);
  const whole = outcomes.reduce((sum, outcome) => sum + counts[outcome], 0);
  // What never happens to the rows of a source needs no nought beside it.
  const told = outcomes.filter((outcome) => counts[outcome] > 0 || outcome === 'rejected');
  return (
    <div class="outcomes">
      <div class="outcome-bar" aria-hidden="true">
        {outcomes.map((outcome) => (
          <span
            key={outcome}
            data-outcome={outcome}
            style={{ width: `${(100 * counts[outcome]) / whole}%` }}
          />
        ))}
      </div>
      <dl>
        <div>
          <dt>{t('sources.read')}</dt>
          <dd>{numberText(report.read)}</dd>
        </div>
        {told.map((outcome) => (
          <div key={outcome} data-outcome={outcome}>
            <dt>{t(`sources.${outcome}`)}</dt>
            <dd>{numberText(counts[outcome])}</dd>
          </div>
        ))}
        {report.noPlace > 0 && (
          <div>
            <dt>{t('sources.noPlace')}</dt>
            <dd>{numberText(report.noPlace)}</dd>
          </div>
        )}
      </dl>
      {Object.entries(report.rejected).map(([reason, count]) => (
        <p key={reason} class="small warn">
          {plural('sources.reason', count, { reason: reasonText(reason) })}
        </p>
      ))}
    </div>
  );
}

function TypeLink({ type }: { type: string }) {
  const shown = [...new Set([...(view.value.shown ?? []), type])];
  const target = { page: 'table' as const, table: { ...firstView.table, type } };
  return (
    <a
      class="button plain small"
      href={writeAddress({ ...view.value, ...target })}
      onClick={(event) => {
        // A new tab is the browser's business.
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        go(view.value.shown ? { ...target, shown } : target);
      }}
    >
      {typeLabel(type)}
    </a>
  );
}

/** What is read only when someone opens it. */
function Folded({ title, children }: { title: string; children: preact.ComponentChildren }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="sub" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{title}</summary>
      {open && children}
    </details>
  );
}

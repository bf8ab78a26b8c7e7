import { useEffect } from 'preact/hooks';
import { numberOf, type PublicCase, readStatus } from '../../api/cases';
import { timeText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { nameText } from '../../lib/names';
import { caseType, goCases } from '../../state/cases';
import { focusOn, goOnAt } from '../../state/focus';
import { newsOf } from '../../state/news';
import { view } from '../../state/view';
import { Problem } from '../parts/Problem';
import { useRead } from '../parts/useRead';
import { PageLink, Steps } from './parts';

/** What everyone may know of a case: its steps and dates, nothing that anybody wrote. */
export function StatusPage() {
  const { number } = view.value.cases;
  const { body, error, retry } = useRead(
    number,
    async (stop) => (await readStatus(number, stop)).body,
    newsOf(caseType),
  );
  const isUnknown = error?.status === 404;
  useEffect(() => goOnAt('#page-title'), [number]);
  useEffect(() => {
    if (isUnknown) focusOn('.status [name="number"]');
  }, [isUnknown, number]);
  return (
    <main class="sheet-page status" id="main" tabIndex={-1} aria-labelledby="page-title">
      <h2 id="page-title" tabIndex={-1}>
        {number ? t('cases.case', { number }) : t('status.title')}
      </h2>
      <form
        class="case-form"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          goCases({ number: String(new FormData(event.currentTarget).get('number')).trim() });
        }}
      >
        <label>
          <span>{t('status.number')}</span>
          <input
            key={number}
            class="search"
            name="number"
            defaultValue={number}
            placeholder="2026-000123"
            required
          />
        </label>
        <button type="submit" class="button">
          {t('status.look')}
        </button>
      </form>
      {isUnknown ? (
        <p class="note warn" role="alert">
          {t('status.unknown', { number })}
        </p>
      ) : (
        error && <Problem title={t('cases.caseUnread')} error={error} retry={retry} />
      )}
      {number && !body && !error && <p role="status">{t('loading.rows')}</p>}
      {body && <Status of={body} />}
    </main>
  );
}

function Status({ of: found }: { of: PublicCase }) {
  const { typeTitle, stateTitle, departmentTitle, reportedAt, promisedBy, closedAt, late, into } =
    found;
  const rows: [string, string][] = [
    // What anybody wrote is not told to everyone; a type that the reporter chose is.
    [t('status.type'), nameText(typeTitle) || t('status.untyped')],
    [t('status.state'), nameText(stateTitle)],
    [t('status.department'), nameText(departmentTitle)],
    [t('status.reported'), timeText(reportedAt, 'short')],
    [t('status.promised'), promisedBy ? timeText(promisedBy, 'short') : ''],
    [t('status.closed'), closedAt ? timeText(closedAt, 'short') : ''],
  ];
  return (
    <>
      <dl class="case-facts">
        {rows
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
      {into && (
        <p data-into>
          <PageLink
            text={t('cases.mergedInto', { number: numberOf(into) })}
            change={{ page: 'status', cases: { ...view.value.cases, number: numberOf(into) } }}
          />
        </p>
      )}
      {late !== undefined && (
        <p class={late ? 'note warn' : ''}>{t(late ? 'status.late' : 'status.inTime')}</p>
      )}
      <Steps steps={found.steps} />
    </>
  );
}

import { readRuns } from '../../api/city';
import { lengthText, numberText, timeText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { rejectedOf } from '../../lib/reports';
import { Problem } from '../parts/Problem';
import { useRead } from '../parts/useRead';

const most = 20;

/** The latest runs of a source, one line each. */
export function Runs({ id, run }: { id: string; run: string }) {
  const { phase, body, error, retry } = useRead(`${id} ${run}`, async (stop) => {
    return (await readRuns(id, stop)).body;
  });
  if (phase === 'error')
    return <Problem title={t('sources.runsUnread')} error={error} retry={retry} />;
  if (!body) return <p role="status">{t('loading.rows')}</p>;
  return (
    <div class="wide" tabIndex={0} role="region" aria-label={t('sources.runs')}>
      <table class="runs">
        <thead>
          <tr>
            <th scope="col">{t('sources.run')}</th>
            <th scope="col" class="number">
              {t('sources.took')}
            </th>
            <th scope="col" class="number">
              {t('sources.read')}
            </th>
            <th scope="col" class="number">
              {t('sources.created')}
            </th>
            <th scope="col" class="number">
              {t('sources.updated')}
            </th>
            <th scope="col" class="number">
              {t('sources.rejected')}
            </th>
          </tr>
        </thead>
        <tbody>
          {body.slice(0, most).map((report) => (
            <tr key={report.run}>
              <th scope="row">{timeText(report.started, 'short')}</th>
              <td class="number">{lengthText(report.seconds)}</td>
              <td class="number">{numberText(report.read)}</td>
              <td class="number">{numberText(report.created)}</td>
              <td class="number">{numberText(report.updated)}</td>
              <td class="number">{numberText(rejectedOf(report))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

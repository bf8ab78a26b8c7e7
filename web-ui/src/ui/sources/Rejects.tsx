import { useState } from 'preact/hooks';
import { readRejects, rejectsPath } from '../../api/city';
import { beginningOf } from '../../lib/cut';
import { numberText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { reasonText } from '../../lib/reports';
import { Problem } from '../parts/Problem';
import { useRead } from '../parts/useRead';

const looked = 50;
const longest = 600;

/** The first rows that a run refused, as they came, and all of them as a file. */
export function Rejects({ id, run }: { id: string; run: string }) {
  const { phase, body, error, retry } = useRead(`${id} ${run}`, async (stop) => {
    return (await readRejects(id, looked, stop)).body;
  });
  if (phase === 'error')
    return <Problem title={t('sources.rejectsUnread')} error={error} retry={retry} />;
  if (!body) return <p role="status">{t('loading.rows')}</p>;
  return (
    <>
      <p class="source-links">
        <a class="button" href={rejectsPath(id)} download>
          {t('sources.download')}
        </a>
        {body.total > body.rejects.length && (
          <span class="quiet small">
            {t('sources.first', {
              count: numberText(body.rejects.length),
              total: numberText(body.total),
            })}
          </span>
        )}
      </p>
      <ol class="rejects">
        {body.rejects.map(({ file, row, reason, field, detail, raw }) => (
          <li key={`${file} ${row} ${field}`}>
            <p class="strong">{reasonText(reason)}</p>
            {detail && <p lang="en">{detail}</p>}
            <p class="quiet small">{t('sources.row', { file, row: numberText(row) })}</p>
            <Raw text={JSON.stringify(raw, null, 1) ?? ''} />
          </li>
        ))}
      </ol>
    </>
  );
}

/** A row as it came; of a long one the beginning, until someone asks for the rest. */
function Raw({ text }: { text: string }) {
  const [whole, setWhole] = useState(false);
  const beginning = beginningOf(text, longest);
  return (
    <>
      <pre class="json" dir="auto" tabIndex={0} aria-label={t('sources.raw')}>
        {whole ? text : (beginning ?? text)}
      </pre>
      {beginning !== null && (
        <button
          type="button"
          class="button plain small"
          aria-expanded={whole}
          onClick={() => setWhole(!whole)}
        >
          {whole ? t('sources.less') : t('sources.whole', { count: numberText([...text].length) })}
        </button>
      )}
    </>
  );
}

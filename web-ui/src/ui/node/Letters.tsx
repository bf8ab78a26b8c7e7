import { useRef, useState } from 'preact/hooks';
import { type DeadLetter, readDeadLetters, replayDeadLetters } from '../../api/node';
import { ApiError } from '../../api/http';
import { agoText, numberText, timeText } from '../../lib/format';
import { plural, t } from '../../lib/i18n';
import { shortId } from '../../lib/names';
import { useRead } from '../parts/useRead';
import { NodeProblem } from './NodeProblem';

const shown = 100;

/** Notifications that were given up; each, or all, can be sent once more. */
export function Letters(props: { beat: number; dead: number; dropped: number }) {
  const { beat, dead, dropped } = props;
  const title = useRef<HTMLHeadingElement>(null);
  const [sent, setSent] = useState(0);
  const [told, setTold] = useState('');
  const [busy, setBusy] = useState(false);
  const { body, error, retry } = useRead(
    'letters',
    async (stop) => (await readDeadLetters(stop)).body,
    beat + sent,
  );

  const replay = async (ids: string[] | null): Promise<void> => {
    setBusy(true);
    try {
      const { replayed } = await replayDeadLetters(ids);
      setTold(plural('node.replayed', replayed.length));
    } catch (thrown) {
      const refused = thrown instanceof ApiError ? thrown : new ApiError(0, String(thrown), '');
      const right = refused.status === 401 || refused.status === 403;
      setTold(right ? t('node.noRight') : t('node.notReplayed', { reason: refused.message }));
    }
    setBusy(false);
    setSent((count) => count + 1);
    // The pressed button may be gone with its row: the reader must not be thrown to the top.
    title.current?.focus();
  };

  return (
    <section class="node-part" aria-labelledby="node-letters">
      <h3 id="node-letters" tabIndex={-1} ref={title}>
        {t('node.letters')}
      </h3>
      {error && <NodeProblem title={t('node.lettersUnread')} error={error} retry={retry} />}
      {body && body.length === 0 && dropped === 0 && <p class="quiet">{t('node.noLetters')}</p>}
      {body && body.length > 0 && (
        <>
          <p class="source-links">
            <button type="button" class="button" disabled={busy} onClick={() => void replay(null)}>
              {plural('node.replayAll', Math.max(dead, body.length))}
            </button>
            {dead > shown && (
              <span class="quiet small">
                {t('sources.first', { count: numberText(shown), total: numberText(dead) })}
              </span>
            )}
          </p>
          <Table letters={body.slice(0, shown)} busy={busy} replay={replay} />
        </>
      )}
      {dropped > 0 && <p class="note warn letters-dropped">{plural('node.dropped', dropped)}</p>}
      <p role="status" class="letters-said">
        {told}
      </p>
    </section>
  );
}

interface TableProperties {
  letters: DeadLetter[];
  busy: boolean;
  replay(ids: string[]): Promise<void>;
}

function Table({ letters, busy, replay }: TableProperties) {
  return (
    <div class="wide" tabIndex={0} role="region" aria-label={t('node.letters')}>
      <table class="letters">
        <thead>
          <tr>
            <th scope="col">{t('node.subscription')}</th>
            <th scope="col">{t('node.endpoint')}</th>
            <th scope="col" class="number">
              {t('node.attempts')}
            </th>
            <th scope="col">{t('node.error')}</th>
            <th scope="col">{t('node.givenUp')}</th>
            <th scope="col">
              <span class="unseen">{t('node.replay')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {letters.map((letter) => (
            <tr key={letter.id} data-letter={letter.id}>
              <th scope="row" title={letter.subscriptionId}>
                {shortId(letter.subscriptionId)}
              </th>
              <td class="cut">{letter.endpoint ?? '–'}</td>
              <td class="number">{numberText(letter.attempts)}</td>
              <td class="cut" dir="auto">
                {letter.lastError}
              </td>
              <td title={timeText(letter.givenUpAt)}>{agoText(letter.givenUpAt)}</td>
              <td>
                <button
                  type="button"
                  class="button"
                  disabled={busy}
                  aria-label={t('node.replayOne', { subscription: shortId(letter.subscriptionId) })}
                  onClick={() => void replay([letter.id])}
                >
                  {t('node.replay')}
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

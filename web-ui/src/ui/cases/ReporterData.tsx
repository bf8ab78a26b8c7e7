import { useState } from 'preact/hooks';
import { readReporter, type Reporter } from '../../api/cases';
import { known, listText, t } from '../../lib/i18n';
import { view } from '../../state/view';
import { refusal } from './parts';

/** Who reported, told only when asked for, for a purpose: the node logs the reading. */
export function ReporterData({ kinds }: { kinds: readonly string[] }) {
  const { number, as } = view.value.cases;
  const [found, setFound] = useState<Reporter | null>(null);
  const [said, setSaid] = useState('');
  const kindText = (kind: string): string => known(`cases.reporter.${kind}`) ?? kind;
  return (
    <section aria-labelledby="case-reporter">
      <h3 id="case-reporter">{t('cases.reporter')}</h3>
      {found ? (
        <dl class="case-facts">
          {Object.entries(found).map(([kind, value]) => (
            <div key={kind}>
              <dt>{kindText(kind)}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      ) : (
        <form
          class="case-form"
          onSubmit={(event) => {
            event.preventDefault();
            const purpose = String(new FormData(event.currentTarget).get('purpose'));
            readReporter(number, purpose, as.split(':')[0] ?? '').then(
              ({ body }) => setFound(body),
              (thrown: unknown) => setSaid(refusal(thrown)),
            );
          }}
        >
          <p class="small quiet">{t('cases.kept', { kinds: listText(kinds.map(kindText)) })}</p>
          <label>
            <span>{t('cases.purpose')}</span>
            <input class="search" name="purpose" required maxLength={200} />
          </label>
          <button type="submit" class="button">
            {t('cases.show')}
          </button>
        </form>
      )}
      <p role="alert" class={said ? 'note warn' : ''}>
        {said}
      </p>
    </section>
  );
}

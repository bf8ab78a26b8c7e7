import { useEffect, useState } from 'preact/hooks';
import { numberOf } from '../../api/cases';
import { readNearby } from '../../api/insights';
import { writeAddress } from '../../lib/address';
import { agoText, numberText } from '../../lib/format';
import { plural, t } from '../../lib/i18n';
import { metresText } from '../../lib/intake';
import { nameText } from '../../lib/names';
import { reportPlace } from '../../state/cases';
import { view } from '../../state/view';
import { useRead } from '../parts/useRead';
import './intake.css';

const settleAfter = 300;

/** What is open of this type near the place of the report: told before it is reported again, which anyone may. */
export function Nearby({ type }: { type: string }) {
  const place = reportPlace.value;
  const [settled, setSettled] = useState(place);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(place), settleAfter);
    return () => clearTimeout(timer);
  }, [place]);
  const { body } = useRead(type && settled ? `${type} ${settled.join(' ')}` : '', async (stop) =>
    settled ? (await readNearby(type, settled, stop)).body : null,
  );
  const cases = body?.cases ?? [];
  return (
    // It was there before what it tells, or nobody would hear of it.
    <div role="status">
      {cases.length > 0 && (
        <div class="note nearby">
          <p class="strong">
            {body?.more
              ? t('intake.near.more', { count: numberText(cases.length) })
              : plural('intake.near', cases.length)}
          </p>
          <ul>
            {cases.map(({ case: id, distance, reportedAt, stateTitle }) => (
              <li key={id}>
                {t('intake.near.item', {
                  distance: metresText(distance),
                  ago: agoText(reportedAt),
                  state: nameText(stateTitle),
                })}{' '}
                <a
                  class="small"
                  // Beside the report, which is not lost.
                  target="_blank"
                  href={writeAddress({
                    ...view.value,
                    page: 'status',
                    cases: { ...view.value.cases, number: numberOf(id) },
                  })}
                >
                  {t('intake.near.status', { number: numberOf(id) })}
                </a>
              </li>
            ))}
          </ul>
          <p>{t('intake.near.hint')}</p>
        </div>
      )}
    </div>
  );
}

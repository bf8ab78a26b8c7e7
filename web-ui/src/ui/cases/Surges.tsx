import { useEffect } from 'preact/hooks';
import { readSurges, type Surge } from '../../api/insights';
import { firstView } from '../../lib/address';
import { numberText, timeText } from '../../lib/format';
import { plural, t } from '../../lib/i18n';
import { countsText } from '../../lib/intake';
import { nameText } from '../../lib/names';
import { areaTitle, drawSurges, goCases, showArea, typeTitle } from '../../state/cases';
import { newsOf } from '../../state/news';
import { map, revision } from '../../state/store';
import { view } from '../../state/view';
import { Folded } from '../parts/Folded';
import { useRead } from '../parts/useRead';
import './intake.css';

const surgeType = 'CaseSurge';
const most = 20;
const mostEnded = 10;

/** Alarms that are on, above the queue, and the last ones that ended; a press shows the cases of one. */
export function Surges({ beat }: { beat: number }) {
  const { body, error } = useRead(
    surgeType,
    async (stop) => {
      const [on, ended] = await Promise.all([
        readSurges('open', most, stop),
        readSurges('closed', mostEnded, stop),
      ]);
      return { on: on.body.surges, ended: ended.body };
    },
    newsOf(surgeType) + beat,
  );
  const areas = body?.on.map(({ area }) => area).filter(Boolean) ?? [];
  // The areas come when they come; until then there is nothing to outline.
  const read = revision.value;
  const drawn = map.value;
  useEffect(() => drawSurges(areas), [areas.join(), read, drawn]);
  useEffect(() => () => drawSurges([]), []);
  if (error) return <p class="small quiet">{t('intake.surges.unread')}</p>;
  if (!body) return null;
  const { on, ended } = body;
  return (
    <>
      {on.length > 0 && (
        <Folded text={plural('intake.surges.on', on.length)}>
          <section class="surges" aria-labelledby="surges">
            <h3 id="surges">{t('intake.surges')}</h3>
            <ul>
              {on.map((each) => (
                <li key={each.id}>
                  <Alarm surge={each} />
                </li>
              ))}
            </ul>
          </section>
        </Folded>
      )}
      {ended.total > 0 && (
        <details class="surges-ended">
          <summary>{plural('intake.surges.ended', ended.total)}</summary>
          {ended.total > ended.surges.length && (
            <p class="small quiet">
              {t('intake.surges.last', { count: numberText(ended.surges.length) })}
            </p>
          )}
          <ul>
            {ended.surges.map((each) => (
              <li key={each.id}>
                <Alarm surge={each} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

const scopeOf = ({ type, area, countedFrom, endedAt }: Surge) => ({
  type,
  area,
  reportedSince: countedFrom,
  reportedUntil: endedAt ?? '',
});

function Alarm({ surge }: { surge: Surge }) {
  const { type, area, raisedAt, endedAt, reason } = surge;
  const { cases } = view.value;
  const scope = scopeOf(surge);
  const isShown = (Object.keys(scope) as (keyof typeof scope)[]).every(
    (name) => cases[name] === scope[name],
  );
  const show = (): void => {
    const { as: _, ...all } = firstView.cases;
    // Whatever has become of them by now.
    goCases(isShown ? all : { ...all, ...scope, status: 'all' });
    showArea(isShown ? '' : area);
  };
  return (
    <div class="surge">
      <button
        type="button"
        class="case-option"
        data-surge={type}
        data-area={area}
        aria-pressed={isShown}
        title={t(isShown ? 'intake.surge.all' : 'intake.surge.show')}
        onClick={show}
      >
        <span class="case-line">
          <span class="strong">
            {typeTitle(type)} · {area ? areaTitle(area) : t('intake.surge.city')}
          </span>
          <span class="small">
            {endedAt
              ? t('intake.surge.span', {
                  from: timeText(raisedAt, 'short'),
                  to: timeText(endedAt, 'short'),
                })
              : t('intake.surge.since', { time: timeText(raisedAt, 'short') })}
          </span>
        </span>
        <span>{countsText(surge)}</span>
      </button>
      <details class="small">
        <summary>{t('intake.surge.why')}</summary>
        <p>{nameText(reason)}</p>
      </details>
    </div>
  );
}

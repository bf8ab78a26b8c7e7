import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { type CaseWhole, numberOf, readCase } from '../../api/cases';
import { clockTitle, descriptionText, leftText, lightClock, limitText } from '../../lib/cases';
import { timeText } from '../../lib/format';
import { t } from '../../lib/i18n';
import {
  areaTitle,
  caseType,
  departmentTitle,
  goCases,
  readWords,
  showCase,
  stateTitle,
  typeTitle,
} from '../../state/cases';
import { offerKeys } from '../../state/keys';
import { newsOf } from '../../state/news';
import { map } from '../../state/store';
import { view } from '../../state/view';
import { Icon } from '../parts/Icon';
import { Problem } from '../parts/Problem';
import { DecidedBy, LimitBy } from '../rules/DecidedBy';
import { useRead } from '../parts/useRead';
import { Fired } from './Fired';
import { History } from './History';
import { Alike } from './Alike';
import { type AskedMove, Moves } from './Moves';
import { PhotoLink } from './Photo';
import { LightWord, PageLink, Steps, useMinutes } from './parts';
import { ReporterData } from './ReporterData';
import { RoleChoice } from './RoleChoice';

/** The chosen case whole: where it stands, what is left, what can be done, what was done. */
export function CasePane() {
  const { number, as } = view.value.cases;
  const [moved, setMoved] = useState(0);
  const beat = useMinutes();
  const heading = useRef<HTMLHeadingElement>(null);
  const { body, error, retry } = useRead(
    JSON.stringify([number, as]),
    async (stop) => {
      const [answer] = await Promise.all([readCase(number, as, stop), readWords()]);
      return answer.body;
    },
    newsOf(caseType) + beat + moved,
  );
  const place = body?.case.location;
  const at = place?.join(' ');
  const drawn = map.value;
  useEffect(() => {
    if (body) showCase(place ?? null);
  }, [number, at, drawn]);
  useEffect(() => () => showCase(null), []);
  useEffect(() => heading.current?.focus(), [number]);
  const close = (): void => {
    goCases({ number: '' });
    setTimeout(() => document.querySelector<HTMLElement>(`[data-case="${number}"]`)?.focus());
  };
  // Wherever the focus is: a case may have been chosen on the map. With the case itself, not after it is
  // painted: a key that is pressed at once would be lost while the map is drawn.
  useLayoutEffect(
    () => offerKeys({ key: 'Escape', message: 'cases.back', act: () => close() }),
    [number],
  );
  return (
    <section class="case-pane" aria-labelledby="case-title">
      <div class="case-head">
        <h2 id="case-title" tabIndex={-1} ref={heading}>
          {t('cases.case', { number })}
        </h2>
        <button type="button" class="time-button" aria-label={t('cases.back')} onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      {error && <Problem title={t('cases.caseUnread')} error={error} retry={retry} />}
      {!body && !error && <p role="status">{t('loading.rows')}</p>}
      {body && <Whole key={number} whole={body} renew={() => setMoved((count) => count + 1)} />}
    </section>
  );
}

function Whole({ whole, renew }: { whole: CaseWhole; renew: () => void }) {
  const { case: row, steps, evidence, transitions } = whole;
  const { number } = view.value.cases;
  const [opened] = transitions;
  const [asked, setAsked] = useState<AskedMove | null>(null);
  const { type = '', department = '', area = '', address, about, light } = row;
  const description = descriptionText(row);
  return (
    <>
      <p>
        <span class="strong">{type ? typeTitle(type) : t('cases.noType')}</span>
        <br />
        <span data-state={row.state}>{stateTitle(row.state)}</span>
        {light && (
          <>
            {' '}
            · <LightWord light={light} clock={lightClock(row)?.clock} />
          </>
        )}
      </p>
      {description && <p class="case-text">{description}</p>}
      <p class="small quiet">
        {[
          department && departmentTitle(department),
          address,
          area && areaTitle(area),
          row.place === 'unknown' && t('cases.placeUnknown'),
          t('cases.reportedAt', { time: timeText(row.reportedAt, 'short') }),
        ]
          .filter(Boolean)
          .join(' · ')}
      </p>
      <p class="case-links small">
        {row.into && (
          <PageLink
            text={t('cases.mergedInto', { number: numberOf(row.into) })}
            change={{ cases: { ...view.value.cases, number: numberOf(row.into) } }}
          />
        )}
        {about && <PageLink text={t('cases.about')} change={{ page: 'map', id: about }} />}
        <PageLink text={t('status.title')} change={{ page: 'status' }} />
        <PageLink text={t('cases.entity')} change={{ page: 'map', id: row.id }} />
      </p>
      <RoleChoice />
      <Moves whole={whole} renew={renew} asked={asked} />
      {row.status === 'open' && type && row.location && (
        <Alike
          whole={whole}
          merge={(into, reason) => setAsked({ move: 'merge', texts: { into, reason } })}
        />
      )}
      {about && opened && whole.ruled.opening && <Fired about={about} opened={opened} />}
      <Steps steps={steps} />
      {row.clocks.length > 0 && (
        <section aria-labelledby="case-clocks">
          <h3 id="case-clocks">{t('cases.clocks')}</h3>
          <ul class="case-clocks">
            {row.clocks.map((clock) => (
              <li key={`${clock.clock} ${clock.department}`} data-clock={clock.clock}>
                <LightWord light={clock.light} />
                <span>
                  <span class="strong">{clockTitle(clock.clock)}</span>: {leftText(clock)}
                </span>
                {clock.deadline && (
                  <span class="small quiet">
                    {t('cases.until', { time: timeText(clock.deadline, 'short') })}
                    {clock.limit ? ` · ${limitText(clock.limit)}` : ''}
                    <LimitBy clock={clock} />
                  </span>
                )}
              </li>
            ))}
          </ul>
        </section>
      )}
      {evidence.length > 0 && (
        <section aria-labelledby="case-photos">
          <h3 id="case-photos">{t('cases.photos')}</h3>
          <ul class="case-photos">
            {evidence.map(({ id, caption, addedAt, distance }) => (
              <li key={id}>
                <PhotoLink
                  number={number}
                  id={id}
                  alt={caption || t('cases.photoOf', { time: timeText(addedAt, 'short') })}
                />
                {distance !== undefined && (
                  <span class="small quiet">
                    {t('cases.distance', { metres: Math.round(distance) })}
                  </span>
                )}
              </li>
            ))}
          </ul>
        </section>
      )}
      {(row.reportedBy?.length ?? 0) > 0 && <ReporterData kinds={row.reportedBy ?? []} />}
      <DecidedBy ruled={whole.ruled} />
      <History transitions={transitions} />
    </>
  );
}

import type { CaseTransition } from '../../api/cases';
import { readInstances } from '../../api/history';
import { readHeads } from '../../api/ngsi';
import { instancesOf } from '../../lib/entity';
import { timeText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { attributeLabel, idEnd, nameText, typeLabel } from '../../lib/names';
import { headOf } from '../panel/heads';
import { Told } from '../panel/Told';
import { useRead } from '../parts/useRead';
import { PageLink } from './parts';

/** What made a rule open the case: the object, and the values that fired, the first one first. */
export function Fired({ about, opened }: { about: string; opened: CaseTransition }) {
  const { evidence = [], at } = opened;
  const { body, error } = useRead(JSON.stringify([about, evidence]), async (stop) => {
    const [heads, past] = await Promise.all([
      readHeads([about], stop),
      evidence.length > 0 ? readInstances(about, at, stop) : null,
    ]);
    const found = heads.body[0];
    return {
      head: found ? headOf(found) : null,
      rows: past ? instancesOf(past.body, evidence) : [],
    };
  });
  return (
    <section class="case-fired" aria-labelledby="case-fired">
      <h3 id="case-fired">{t('cases.fired')}</h3>
      <p>
        <PageLink
          text={nameText(body?.head?.name) || idEnd(about)}
          change={{ page: 'map', id: about }}
        />
        {body?.head && (
          <span class="small quiet"> {body.head.types.map(typeLabel).join(' · ')}</span>
        )}
      </p>
      <ul>
        {body?.rows.map((row, index) => {
          const time = row.observedAt ?? row.modifiedAt;
          return (
            <li key={index} data-attribute={row.name}>
              <bdi>{attributeLabel(row.name)}</bdi>: <Told row={row} />
              {time && (
                <span class="small quiet">
                  {' '}
                  {t(index === 0 ? 'cases.fired.since' : 'cases.fired.at', {
                    time: timeText(time, 'short'),
                  })}
                </span>
              )}
            </li>
          );
        })}
      </ul>
      {((body && body.rows.length === 0) || error) && (
        <p class="small quiet">{t('cases.fired.gone')}</p>
      )}
    </section>
  );
}

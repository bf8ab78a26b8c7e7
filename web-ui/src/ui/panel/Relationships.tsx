import { useState } from 'preact/hooks';
import type { Row } from '../../lib/entity';
import { plural, t } from '../../lib/i18n';
import { attributeLabel } from '../../lib/names';
import { useRead } from '../parts/useRead';
import { readAllHeads } from './heads';
import { ObjectLink } from './ObjectLink';
import { Pointing } from './Pointing';

/** So many objects of one relationship are shown at first: a line of a railway has hundreds of stops. */
const shownFirst = 10;
/** Names are asked for in one request; an address may not be longer than servers take. */
const mostNames = 60;

/** Relationships as links, in both directions: from object to object through the city. */
export function Relationships({ rows, id }: { rows: Row[]; id: string }) {
  return (
    <section class="section" aria-labelledby="related-title">
      <h3 id="related-title">{t('panel.relationships')}</h3>
      {rows.length > 0 && <Outgoing rows={rows} />}
      <Pointing id={id} />
    </section>
  );
}

function Outgoing({ rows }: { rows: Row[] }) {
  const [all, setAll] = useState<string[]>([]);
  const lists = rows.map((row) => {
    const ids = row.shown.kind === 'links' ? row.shown.value : [];
    return { row, ids, shown: all.includes(row.key) ? ids : ids.slice(0, shownFirst) };
  });
  const wanted = [...new Set(lists.flatMap(({ shown }) => shown))].slice(0, mostNames);
  // A name that cannot be read is no loss: the id is a link as well.
  const heads = useRead(wanted.join(' '), (stop) => readAllHeads(wanted, stop));
  return (
    <dl class="rows">
      {lists.map(({ row, ids, shown }) => (
        <div key={row.key} class="row" data-attribute={row.name}>
          <dt>
            <bdi>{attributeLabel(row.name)}</bdi>
          </dt>
          <dd>
            {row.unknown && <span class="quiet">{t('panel.unknownThen')}</span>}
            {!row.unknown &&
              shown.map((id) => {
                const head = heads.body?.get(id);
                const missing =
                  heads.phase === 'ready' && wanted.includes(id) && !head && t('panel.notHere');
                return (
                  <span key={id} class="linked">
                    <ObjectLink head={head ?? { id, types: [], name: undefined }} />
                    {missing && <span class="quiet small"> {missing}</span>}
                  </span>
                );
              })}
            {ids.length > shown.length && (
              <button type="button" class="button plain" onClick={() => setAll([...all, row.key])}>
                {plural('panel.more', ids.length - shown.length)}
              </button>
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}

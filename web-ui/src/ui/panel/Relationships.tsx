import { useEffect, useState } from 'preact/hooks';
import type { Name } from '../../api/city';
import { readName } from '../../api/ngsi';
import { nameOf, type Row, rowsOf } from '../../lib/entity';
import { t } from '../../lib/i18n';
import { attributeLabel, nameText, shortId } from '../../lib/names';
import { choose } from '../../state/entity';
import { findFeature } from '../../state/store';

/** Relationships as links: from object to object through the city. */
export function Relationships({ rows }: { rows: Row[] }) {
  return (
    <section class="section" aria-labelledby="related-title">
      <h3 id="related-title">{t('panel.relationships')}</h3>
      <dl class="rows">
        {rows.map((row) => (
          <div key={row.key} class="row" data-attribute={row.name}>
            <dt>{attributeLabel(row.name)}</dt>
            <dd>
              {row.shown.kind === 'links' &&
                row.shown.value.map((id) => <ObjectLink key={id} id={id} />)}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function ObjectLink({ id }: { id: string }) {
  const drawn = findFeature(id)?.feature.properties.label;
  const [name, setName] = useState<Name>();
  useEffect(() => {
    if (drawn) return;
    const stop = new AbortController();
    // A name that cannot be read is no loss: the id is a link as well.
    readName(id, stop.signal)
      .then(({ body }) => setName(nameOf(rowsOf(body))))
      .catch(() => undefined);
    return () => stop.abort();
  }, [id, drawn]);
  return (
    <a
      href={`?id=${encodeURIComponent(id)}`}
      class="object-link"
      onClick={(event) => {
        // A new tab is the browser's business.
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        choose(id, { fly: true });
      }}
    >
      {drawn || nameText(name) || shortId(id)}
    </a>
  );
}

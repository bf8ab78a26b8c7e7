import { useState } from 'preact/hooks';
import { readPointing } from '../../api/ngsi';
import { plural, t } from '../../lib/i18n';
import { attributeLabel, typeLabel } from '../../lib/names';
import { inTurns, type Way, waysOfPointing } from '../../state/pointing';
import { Problem } from '../parts/Problem';
import { useRead } from '../parts/useRead';
import { headOf } from './heads';
import { type Head, ObjectLink } from './ObjectLink';

/** Up to so many objects are looked through unasked; beyond, a reader says so first. */
const unaskedMost = 20_000;
const firstPage = 3;
const nextPage = 20;

interface Found {
  way: Way;
  count: number;
  heads: Head[];
}

/** The objects that point at this one, by type and relationship. */
export function Pointing({ id }: { id: string }) {
  const [wanted, setWanted] = useState('');
  const ways = useRead('ways', waysOfPointing);
  const total = (ways.body?.ways ?? []).reduce((sum, { count }) => sum + count, 0);
  const due = ways.phase === 'ready' && (total <= unaskedMost || wanted === id);
  const found = useRead(due ? id : '', (stop) => lookFor(ways.body?.ways ?? [], id, stop));
  if (ways.phase === 'error' || found.phase === 'error') {
    const failed = ways.phase === 'error' ? ways : found;
    return <Problem title={t('panel.pointing.unread')} error={failed.error} retry={failed.retry} />;
  }
  if (ways.phase === 'ready' && !due) {
    return (
      <button type="button" class="button" onClick={() => setWanted(id)}>
        {plural('panel.pointing.ask', total)}
      </button>
    );
  }
  if (!found.body) {
    return (
      <p class="quiet small" role="status">
        {t('panel.pointing.reading')}
      </p>
    );
  }
  return (
    <div class="pointing">
      <h4>{t('panel.pointing')}</h4>
      {found.body.length === 0 && <p class="quiet small">{t('panel.pointing.none')}</p>}
      {found.body.map((each) => (
        <Group key={`${id} ${each.way.type} ${each.way.attribute}`} target={id} found={each} />
      ))}
      {(ways.body?.left ?? 0) > 0 && (
        <p class="quiet small">{plural('panel.pointing.left', ways.body?.left ?? 0)}</p>
      )}
    </div>
  );
}

async function lookFor(ways: readonly Way[], target: string, stop: AbortSignal): Promise<Found[]> {
  const found: Found[] = [];
  await inTurns(ways, async (way) => {
    const page = await readPage(way, target, 0, firstPage, stop);
    if (page.count > 0) found.push({ way, ...page });
  });
  return found.sort((a, b) => b.count - a.count || a.way.type.localeCompare(b.way.type));
}

async function readPage(
  { type, attribute }: Way,
  target: string,
  offset: number,
  limit: number,
  stop?: AbortSignal,
): Promise<{ count: number; heads: Head[] }> {
  const request = { type, attribute, target, limit, offset };
  const { body, headers } = await readPointing(request, stop);
  return {
    count: Number(headers.get('NGSILD-Results-Count') ?? body.length),
    heads: body.map(headOf),
  };
}

function Group({ target, found }: { target: string; found: Found }) {
  const { way, count } = found;
  const [more, setMore] = useState<Head[]>([]);
  const [phase, setPhase] = useState<'idle' | 'loading' | 'error'>('idle');
  const heads = [...found.heads, ...more];
  const left = count - heads.length;
  const readMore = (): void => {
    setPhase('loading');
    readPage(way, target, heads.length, nextPage)
      .then((page) => {
        setMore([...more, ...page.heads]);
        setPhase('idle');
      })
      .catch(() => setPhase('error'));
  };
  return (
    <details class="sub pointing-group" data-type={way.type} open={count <= firstPage}>
      <summary>
        {typeLabel(way.type)} <span class="number">{plural('panel.pointing.count', count)}</span>
        <span class="quiet small">
          {' '}
          {t('panel.pointing.by', { attribute: attributeLabel(way.attribute) })}
        </span>
      </summary>
      <ul>
        {heads.map((head) => (
          <li key={head.id}>
            <ObjectLink head={head} typed={false} />
          </li>
        ))}
      </ul>
      {left > 0 && (
        <button
          type="button"
          class="button plain"
          disabled={phase === 'loading'}
          onClick={readMore}
        >
          {phase === 'error' ? t('error.retry') : plural('panel.more', left)}
        </button>
      )}
    </details>
  );
}

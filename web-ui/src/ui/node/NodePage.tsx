import { useEffect, useState } from 'preact/hooks';
import { type NodeState, readNode } from '../../api/node';
import { bytesText, lengthText, numberText, timeText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { useRead } from '../parts/useRead';
import { NodeProblem } from './NodeProblem';
import { Letters } from './Letters';
import './node.css';

const refreshEvery = 5_000;

/** How the node itself fares: for whoever keeps it running. */
export function NodePage() {
  const beat = useBeat();
  const { body, error, retry } = useRead('node', async (stop) => (await readNode(stop)).body, beat);
  return (
    <main class="sheet-page" id="main" tabIndex={-1} aria-labelledby="page-title">
      <h2 id="page-title">{t('node.title')}</h2>
      {error && <NodeProblem title={t('node.unread')} error={error} retry={retry} />}
      {!body && !error && <p role="status">{t('loading.rows')}</p>}
      {body && <State of={body} />}
      <Letters
        beat={beat}
        dead={body?.deliveries.dead ?? 0}
        dropped={body?.deliveries.dropped ?? 0}
      />
    </main>
  );
}

/** Counts up every few seconds while the page can be seen. */
function useBeat(): number {
  const [beat, setBeat] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) setBeat((count) => count + 1);
    }, refreshEvery);
    return () => clearInterval(timer);
  }, []);
  return beat;
}

function State({ of: node }: { of: NodeState }) {
  const { store, log, consumers, deliveries } = node;
  return (
    <>
      <section class="node-part" aria-labelledby="node-store">
        <h3 id="node-store">{t('node.store')}</h3>
        <dl class="figures">
          <Figure name={t('node.entities')} value={numberText(store.entities)} />
          <Figure name={t('node.file')} value={bytesText(store.fileBytes)} />
          {store.walBytes !== undefined && (
            <Figure name={t('node.wal')} value={bytesText(store.walBytes)} />
          )}
          <Figure
            name={t('node.waiting')}
            value={`${numberText(store.queueWorks)} (${bytesText(store.queueBytes)})`}
          />
          <Figure name={t('node.commits')} value={numberText(store.commits)} />
          <Figure
            name={t('node.failed')}
            value={numberText(store.failedCommits)}
            warn={store.failedCommits > 0}
          />
          <Figure
            name={t('node.refused')}
            value={numberText(store.refused)}
            warn={store.refused > 0}
          />
        </dl>
      </section>
      <section class="node-part" aria-labelledby="node-log">
        <h3 id="node-log">{t('node.log')}</h3>
        <dl class="figures">
          <Figure name={t('node.last')} value={numberText(log.lastSeq)} />
          <Figure name={t('node.first')} value={numberText(log.firstSeq)} />
          <Figure name={t('node.listeners')} value={numberText(node.listeners)} />
        </dl>
        <h4>{t('node.consumers')}</h4>
        {consumers.length === 0 && <p class="quiet">{t('node.noConsumers')}</p>}
        <ul class="lags">
          {consumers.map(({ name, cursor, lag }) => (
            <li key={name}>
              <span>{name}</span>
              <meter
                min={0}
                max={Math.max(1, log.lastSeq)}
                value={cursor}
                aria-label={t('node.cursor', { name })}
              />
              <span class={lag > 0 ? 'warn' : 'quiet'}>
                {lag > 0 ? t('node.lag', { count: numberText(lag) }) : t('node.upToDate')}
              </span>
            </li>
          ))}
        </ul>
      </section>
      <section class="node-part" aria-labelledby="node-process">
        <h3 id="node-process">{t('node.process')}</h3>
        <dl class="figures">
          <Figure name={t('node.version')} value={node.version} />
          <Figure name={t('node.uptime')} value={lengthText(node.uptime)} />
          <Figure name={t('node.started')} value={timeText(node.started, 'short')} />
          <Figure name={t('node.pending')} value={numberText(deliveries.pending)} />
          <Figure
            name={t('node.dead')}
            value={numberText(deliveries.dead)}
            warn={deliveries.dead > 0}
          />
        </dl>
      </section>
    </>
  );
}

function Figure({ name, value, warn = false }: { name: string; value: string; warn?: boolean }) {
  return (
    <div class={warn ? 'warn' : ''}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

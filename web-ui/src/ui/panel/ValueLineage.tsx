import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { readValueLineage, type ValueAddress, valueLineagePath } from '../../api/city';
import type { Row } from '../../lib/entity';
import { timeText } from '../../lib/format';
import { type Direction, type Layout, layoutOf, type Size } from '../../lib/graph';
import { known, language, t } from '../../lib/i18n';
import { filePath, graphOf, type ProvGraph, type ProvNode } from '../../lib/lineage';
import { attributeLabel, nameText, shortId } from '../../lib/names';
import { sources } from '../../state/store';
import { Problem } from '../parts/Problem';
import { useRead } from '../parts/useRead';
import './lineage.css';
import { ChooseLink } from './ObjectLink';
import { Told } from './Told';

const digest = 8;
/** Between two ranks: an arrow must have room. */
const gaps: Record<Direction, number> = { right: 22, down: 24 };
const phone = matchMedia('(max-width: 820px)');

/** The way of one value: from its file through a run, or from a request, to the value. */
export function ValueLineage(props: { id: string; row: Row; at: string; onDrawn(): void }) {
  const { id, row, at, onDrawn } = props;
  // Now it is the newest value that counts; of the past the one that was observed then.
  const address: ValueAddress = {
    id,
    attribute: row.name,
    datasetId: row.datasetId,
    observedAt: at && row.observedAt ? row.observedAt : '',
  };
  const path = valueLineagePath(address);
  const read = useRead(`${path} ${row.observedAt ?? ''} ${row.modifiedAt ?? ''}`, async (stop) =>
    graphOf((await readValueLineage(address, stop)).body),
  );
  if (read.error) {
    return <Problem title={t('origin.unread')} error={read.error} retry={read.retry} />;
  }
  if (!read.body) {
    return (
      <p class="quiet small" role="status">
        {t('lineage.reading')}
      </p>
    );
  }
  if (!read.body.nodes.length) return <p class="quiet small">{t('lineage.none')}</p>;
  return (
    <>
      <Graph graph={read.body} row={row} onDrawn={onDrawn} />
      <p class="links small">
        <a href={path} target="_blank" rel="noopener">
          {t('lineage.prov', { attribute: attributeLabel(row.name) })}
        </a>
      </p>
    </>
  );
}

/**
 * The graph: its nodes are a list that reads from the beginning to the value, laid over the arrows.
 *
 * The browser says how large each node's words are; where it stands follows from that.
 */
function Graph(props: { graph: ProvGraph; row: Row; onDrawn(): void }) {
  const { graph, row, onDrawn } = props;
  const list = useRef<HTMLOListElement>(null);
  const [layout, setLayout] = useState<Layout | null>(null);
  const [width, setWidth] = useState(0);
  const direction: Direction = phone.matches ? 'down' : 'right';
  const ranks = 3;
  const nodeWidth =
    direction === 'right'
      ? Math.floor((width - (ranks - 1) * gaps.right) / ranks)
      : Math.floor((width - gaps.down / 2) / 2);

  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    const measure = (): void => setWidth(element.clientWidth);
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    return () => watch.disconnect();
  }, []);

  useLayoutEffect(() => {
    const element = list.current;
    if (!element || !width) return;
    const sizes = new Map<string, Size>();
    graph.nodes.forEach(({ id }, index) => {
      const node = element.children[index] as HTMLElement | undefined;
      if (node) sizes.set(id, { width: node.offsetWidth, height: node.offsetHeight });
    });
    setLayout(layoutOf(sizes, graph.edges, direction, gaps[direction]));
  }, [graph, width, direction, language.value, sources.value.list]);

  useLayoutEffect(() => {
    if (layout) onDrawn();
  }, [layout]);

  const left = layout ? Math.max(0, (width - layout.width) / 2) : 0;
  return (
    <div class="graph" data-direction={direction} style={{ height: `${layout?.height ?? 0}px` }}>
      {layout && (
        <svg
          class="arrows"
          aria-hidden="true"
          width={layout.width}
          height={layout.height}
          style={{ left: `${left}px` }}
        >
          <defs>
            <marker
              id="arrow"
              viewBox="0 0 8 8"
              refX="7"
              refY="4"
              markerWidth="7"
              markerHeight="7"
              orient="auto"
            >
              <path d="M0 0L8 4L0 8z" />
            </marker>
          </defs>
          {layout.paths.map((path) => (
            <path key={path} class="arrow" d={path} marker-end="url(#arrow)" />
          ))}
        </svg>
      )}
      <ol ref={list} aria-label={t('lineage.list')}>
        {graph.nodes.map((node) => {
          const place = layout?.places.get(node.id);
          return (
            <li
              key={node.id}
              class="node"
              data-kind={node.kind}
              tabIndex={0}
              style={{
                width: `${nodeWidth}px`,
                left: `${left + (place?.x ?? 0)}px`,
                top: `${place?.y ?? 0}px`,
                visibility: place ? 'visible' : 'hidden',
              }}
            >
              <span class="quiet small">{t(`lineage.${node.kind}`)}</span>
              <Words node={node} row={row} />
            </li>
          );
        })}
      </ol>
    </div>
  );
}

function Words({ node, row }: { node: ProvNode; row: Row }): ComponentChildren {
  switch (node.kind) {
    case 'file': {
      const { folder, name } = filePath(node.label);
      return (
        <>
          <bdi class="strong">{name}</bdi>
          {folder && <bdi class="quiet small">{folder}</bdi>}
          {node.row !== null && (
            // A row's number is a name, not an amount: it is written without separators.
            <span class="small">{t('lineage.row', { row: String(node.row) })}</span>
          )}
          {node.sha256 && (
            <span class="quiet small digest" title={node.sha256}>
              SHA-256 {node.sha256.slice(0, digest)}…
            </span>
          )}
        </>
      );
    }
    case 'agent':
      return (
        <bdi class="strong">{known(`lineage.party.${node.label}`) ?? shortId(node.label)}</bdi>
      );
    case 'activity': {
      const source = sources.value.list.find(({ id }) => id === node.source);
      const title = nameText(source?.name) || node.source;
      const kind = known(`origin.${node.cause}`) ?? node.cause;
      return (
        <>
          <bdi class="strong">{title || kind}</bdi>
          {title && <span class="small">{kind}</span>}
          <time class="quiet small" dateTime={node.time}>
            {timeText(node.time, 'short')}
          </time>
          {node.id.startsWith('urn:ngsi-ld:ImportRun:') && (
            <span class="small">
              <ChooseLink id={node.id}>{t('lineage.run')}</ChooseLink>
            </span>
          )}
        </>
      );
    }
    default:
      return (
        <>
          <bdi class="strong">{attributeLabel(row.name)}</bdi>
          <Told row={row} />
          {node.observedAt && (
            <time class="quiet small" dateTime={node.observedAt}>
              {timeText(node.observedAt, 'short')}
            </time>
          )}
        </>
      );
  }
}

/** Live changes by server-sent events. */
import type { Geometry } from 'geojson';

export type LiveState = 'connecting' | 'live' | 'reconnecting';

export interface AttributeChange {
  name: string;
  value: unknown;
  datasetId?: string;
  observedAt?: string;
  deleted?: boolean;
}

/** One change, live or of the past: both are applied alike. */
export interface Change {
  /** Where it stands in the log; a change of the past has no place there. */
  seq?: number;
  at: string;
  kind: 'entityCreated' | 'entityUpdated' | 'entityDeleted' | 'historyAppended';
  entityId: string;
  type: string[];
  changes: AttributeChange[];
  location?: Geometry;
}

export interface LiveHandlers {
  change(change: Change): void;
  /** The node no longer keeps the changes since our last one: everything must be read anew. */
  reset(): void;
  state(state: LiveState): void;
}

const firstPause = 1_000;
const longestPause = 30_000;

/**
 * Follows the event log from a place in it until the returned function is called.
 *
 * The browser reconnects by itself, with Last-Event-ID, when a connection breaks. It gives up when the
 * node refuses (a restart behind a proxy, too many listeners); then this opens a new one from the last id,
 * with growing pauses.
 */
export function followChanges(after: number, handlers: LiveHandlers): () => void {
  let last = String(after);
  let pause = firstPause;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stream: EventSource | undefined;

  const open = (): void => {
    const source = new EventSource(`/events?lastEventId=${encodeURIComponent(last)}`);
    stream = source;
    source.onopen = () => {
      pause = firstPause;
      handlers.state('live');
    };
    source.onerror = () => {
      handlers.state('reconnecting');
      if (source.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(open, pause);
      pause = Math.min(pause * 2, longestPause);
    };
    source.addEventListener('change', (event) => {
      if (event.lastEventId) last = event.lastEventId;
      handlers.change(JSON.parse(event.data) as Change);
    });
    source.addEventListener('reset', (event) => {
      if (event.lastEventId) last = event.lastEventId;
      handlers.reset();
    });
  };

  handlers.state('connecting');
  open();
  return () => {
    clearTimeout(timer);
    stream?.close();
  };
}

/** Live changes by server-sent events. */
import type { Geometry } from 'geojson';
import { EventReader, type StreamEvent } from '../lib/eventstream';
import { keyHeaders } from './key';

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
 * The stream is read as any other answer, since a browser's own EventSource can send no key. When a connection
 * breaks or the node refuses (a restart behind a proxy, too many listeners), a new one is opened from the last
 * id, with growing pauses.
 */
export function followChanges(after: number, handlers: LiveHandlers): () => void {
  let last = String(after);
  let pause = firstPause;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = new AbortController();

  const told = ({ event, id, data }: StreamEvent): void => {
    if (id) last = id;
    if (event === 'change') handlers.change(JSON.parse(data) as Change);
    else if (event === 'reset') handlers.reset();
  };
  const open = async (): Promise<void> => {
    try {
      const path = `/events?lastEventId=${encodeURIComponent(last)}`;
      const headers = { Accept: 'text/event-stream', ...keyHeaders() };
      const response = await fetch(path, { headers, signal: stop.signal, cache: 'no-store' });
      if (response.ok && response.body) {
        pause = firstPause;
        handlers.state('live');
        await read(response.body, told);
      }
    } catch {
      // A stream ends with its connection; it is opened again.
    }
    if (stop.signal.aborted) return;
    handlers.state('reconnecting');
    timer = setTimeout(() => void open(), pause);
    pause = Math.min(pause * 2, longestPause);
  };

  handlers.state('connecting');
  void open();
  return () => {
    clearTimeout(timer);
    stop.abort();
  };
}

async function read(
  body: ReadableStream<Uint8Array>,
  told: (event: StreamEvent) => void,
): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const events = new EventReader(told);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    events.take(decoder.decode(value, { stream: true }));
  }
}

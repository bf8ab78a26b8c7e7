import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from '../../api/http';
import { key as readerKey } from '../../api/key';

/** What a part of the page reads for itself, so that one that fails takes no other with it. */
export interface Read<T> {
  phase: 'idle' | 'loading' | 'ready' | 'error';
  body: T | null;
  error: ApiError | null;
  retry(): void;
}

type Known<T> = { key: string; body: T } | { key: string; error: ApiError };

/**
 * Reads something for as long as the part is shown.
 *
 * @param key names what is read: another key forgets what was read before; "" reads nothing
 * @param read is handed a signal that ends it when nobody waits any more
 * @param news a number that grows when it must be read again; what was read stays until then. Any number of
 *   them while a reading is under way becomes one more reading
 */
export function useRead<T>(
  key: string,
  read: (stop: AbortSignal) => Promise<T>,
  news = 0,
): Read<T> {
  const [known, setKnown] = useState<Known<T> | null>(null);
  const [attempt, setAttempt] = useState(0);
  const latest = useRef(read);
  latest.current = read;
  const again = useRef<(() => void) | null>(null);
  const seen = useRef(news);
  // Another key may read what this one may not.
  const who = readerKey.value;

  useEffect(() => {
    if (!key) return;
    const stop = new AbortController();
    let running = false;
    let due = false;
    const run = async (): Promise<void> => {
      due = running;
      if (running) return;
      running = true;
      do {
        due = false;
        try {
          const body = await latest.current(stop.signal);
          if (!stop.signal.aborted) setKnown({ key, body });
        } catch (thrown) {
          if (stop.signal.aborted) return;
          const error = thrown instanceof ApiError ? thrown : new ApiError(0, String(thrown), '');
          // What was read stays: an answer that failed once is no reason to hide it.
          setKnown((before) => (before?.key === key && 'body' in before ? before : { key, error }));
        }
      } while (due);
      running = false;
    };
    again.current = () => void run();
    void run();
    return () => stop.abort();
  }, [key, attempt, who]);

  useEffect(() => {
    if (news === seen.current) return;
    seen.current = news;
    again.current?.();
  }, [news]);

  const now = known?.key === key ? known : null;
  return {
    phase: !key ? 'idle' : !now ? 'loading' : 'body' in now ? 'ready' : 'error',
    body: now && 'body' in now ? now.body : null,
    error: now && 'error' in now ? now.error : null,
    retry: () => {
      setKnown(null);
      setAttempt((count) => count + 1);
    },
  };
}

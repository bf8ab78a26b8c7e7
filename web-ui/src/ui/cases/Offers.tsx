import { useEffect, useState } from 'preact/hooks';
import { suggest, type Suggested, type Suggestions } from '../../api/insights';
import { surenessText } from '../../lib/intake';
import { nameText } from '../../lib/names';
import { useRead } from '../parts/useRead';
import './intake.css';

/** So long a text stands still before it is asked about. */
const settleAfter = 400;
const shortest = 2;

/**
 * What a text may be about, asked again when it has changed; what was told stays until the next answer.
 *
 * @param type one that somebody chose already; it is asked about without a text, too
 * @param of the id of the case that it stands in, and how often that has moved
 */
export function useSuggestions(
  text: string,
  type = '',
  of: { id: string; seen: number } | null = null,
): { found: Suggestions | null; failed: boolean } {
  const [settled, setSettled] = useState(text.trim());
  const [last, setLast] = useState<Suggestions | null>(null);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text.trim()), settleAfter);
    return () => clearTimeout(timer);
  }, [text]);
  const asked = settled.length >= shortest || type !== '';
  const { body, error } = useRead(asked ? JSON.stringify([settled, type, of]) : '', () =>
    suggest(settled, { ...(type ? { type } : {}), ...(of ? { case: of.id } : {}) }),
  );
  useEffect(() => {
    if (body || !asked || error) setLast(body);
  }, [body, asked, error]);
  return { found: asked ? (body ?? last) : null, failed: error !== null };
}

interface Given {
  offers: readonly Suggested[];
  label: string;
  /** The codes that are chosen now. */
  chosen: readonly string[];
  /** The key that takes the offer at a place of the list; "" for none. */
  keyOf?(index: number): string;
  whyOf?(offer: Suggested): string;
  take(code: string): void;
}

/** Suggestions, the likeliest first, each with how sure it is and why; a press takes one. */
export function Offers({ offers, label, chosen, keyOf, whyOf, take }: Given) {
  return (
    <ul class="offers" aria-label={label}>
      {offers.map((offer, index) => {
        const key = keyOf?.(index);
        const why = whyOf?.(offer);
        return (
          <li key={offer.value}>
            <button
              type="button"
              class="offer"
              data-offer={offer.value}
              aria-pressed={chosen.includes(offer.value)}
              onClick={() => take(offer.value)}
            >
              <span class="offer-name">{nameText(offer.title) || offer.value}</span>
              {key && <kbd>{key}</kbd>}
              <span class="small">{surenessText(offer.confidence)}</span>
              {why && <span class="small quiet">{why}</span>}
            </button>
          </li>
        );
      })}
    </ul>
  );
}

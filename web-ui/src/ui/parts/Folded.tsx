import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import './folded.css';

/**
 * What a telephone has no room for at first: a button there that opens it, the thing itself elsewhere.
 *
 * @param everywhere whether a desktop has no room for it, too
 */
export function Folded(props: { text: string; everywhere?: boolean; children: ComponentChildren }) {
  const { text, everywhere, children } = props;
  const [open, setOpen] = useState(false);
  const body = useId();
  return (
    <div class="folded" data-open={open || undefined} data-everywhere={everywhere}>
      <button
        type="button"
        class="button folded-button"
        aria-expanded={open}
        aria-controls={body}
        onClick={() => setOpen(!open)}
      >
        {text}
      </button>
      <div class="folded-body" id={body}>
        {children}
      </div>
    </div>
  );
}

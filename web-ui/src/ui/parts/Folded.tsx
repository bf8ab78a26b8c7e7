import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import './folded.css';

/** What a telephone has no room for at first: a button there that opens it, the thing itself elsewhere. */
export function Folded({ text, children }: { text: string; children: ComponentChildren }) {
  const [open, setOpen] = useState(false);
  const body = useId();
  return (
    <div class="folded" data-open={open || undefined}>
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

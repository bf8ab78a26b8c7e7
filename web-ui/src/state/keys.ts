/** Keys that do something everywhere on the page; each room adds its own, and the help lists them all. */
import { signal } from '@preact/signals';
import type { MessageKey } from '../lib/i18n';

export interface Shortcut {
  /** As `KeyboardEvent.key` tells it; letters in lower case. */
  key: string;
  /** What it does, for the help. */
  message: MessageKey;
  /** Also where a list of choices has the focus, whose options do not begin with it. */
  inLists?: boolean;
  /** Returns false where there was nothing to do: the key is then offered to the room below, or keeps its meaning. */
  act(): boolean | void;
}

export const shortcuts = signal<Shortcut[]>([]);

/** Adds keys until the returned function is called. */
export function offerKeys(...offered: Shortcut[]): () => void {
  shortcuts.value = [...shortcuts.value, ...offered];
  return () => {
    shortcuts.value = shortcuts.value.filter((each) => !offered.includes(each));
  };
}

/** Where letters are text, and where Enter and Space belong to what has the focus. */
const typing =
  'input:not([type="checkbox"], [type="radio"], [type="range"]), select, textarea, [contenteditable]';
const pressing = 'a[href], button, input, label, summary, [role="button"], [role="tab"]';

export function listenForKeys(): void {
  addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target instanceof Element ? event.target : null;
    const field = event.key === 'Escape' ? null : at?.closest(typing);
    if (field && !(field instanceof HTMLSelectElement)) return;
    if ((event.key === 'Enter' || event.key === ' ') && at?.closest(pressing)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    // The room that came last lies on top: an open dialog goes before the map.
    const offered = shortcuts.value
      .filter((each) => each.key === key && (!field || each.inLists))
      .reverse();
    if (offered.some((each) => each.act() !== false)) event.preventDefault();
  });
}

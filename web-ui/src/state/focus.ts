/** Where the keyboard is: never lost when what had the focus goes away. */
import { effect } from '@preact/signals';
import { view } from './view';

/**
 * Brings the focus back to where an object was chosen from, when its panel closes.
 *
 * The list that it was chosen from is made anew by then: the row is found again by its object.
 */
export function followFocus(): () => void {
  let before = '';
  let origin: Element | null = null;
  return effect(() => {
    const { id } = view.value;
    if (id && !before) origin = document.activeElement;
    if (!id && before) {
      const [closed, from] = [before, origin];
      // Once the page has drawn itself without the panel.
      setTimeout(() => {
        const now = document.activeElement;
        if (now && now !== document.body && now.isConnected) return;
        const row = document.querySelector(`[data-object="${CSS.escape(closed)}"]`);
        const kept = from?.isConnected && from !== document.body ? from : null;
        const place = kept ?? row ?? document.querySelector('#map canvas');
        if (place instanceof HTMLElement) place.focus({ preventScroll: true });
      });
    }
    before = id;
  });
}

/** Puts the focus on the first of these: at once where it is there, else once the page has drawn itself. */
export function focusOn(selector: string): void {
  // Whoever types on while the page is busy must not lose letters, nor set off other keys with them.
  if (!focusNow(selector)) setTimeout(() => focusNow(selector));
}

/**
 * Puts the focus on the first of these, where what had it has gone: the next thing that the reader needs.
 *
 * Before the reader has done anything, nothing was lost: the page begins where the browser does.
 */
export function goOnAt(selector: string): void {
  const now = document.activeElement;
  if (navigator.userActivation.hasBeenActive && (!now || now === document.body)) focusOn(selector);
}

function focusNow(selector: string): boolean {
  const place = document.querySelector<HTMLElement>(selector);
  place?.focus();
  place?.scrollIntoView({ block: 'nearest' });
  return place !== null && document.activeElement === place;
}

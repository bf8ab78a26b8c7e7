/**
 * The reader's API key: typed in once, kept for as long as the tab is open, sent with each request of the page
 * to its own node and to nobody else.
 */
import { signal } from '@preact/signals';

const memory = 'cityloom.key';

/** "" is none. */
export const key = signal(recall());

export function keepKey(text: string): void {
  key.value = text.trim();
  try {
    if (key.value) sessionStorage.setItem(memory, key.value);
    else sessionStorage.removeItem(memory);
  } catch {
    // A browser may forbid storage; the key then lasts as long as the page.
  }
}

export const forgetKey = (): void => keepKey('');

/** What says who asks; nothing without a key. */
export const keyHeaders = (): Record<string, string> =>
  key.value ? { Authorization: `Bearer ${key.value}` } : {};

function recall(): string {
  try {
    return sessionStorage.getItem(memory) ?? '';
  } catch {
    return '';
  }
}

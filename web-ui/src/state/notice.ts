/** A word to the reader that something was done; it goes away by itself. */
import { signal } from '@preact/signals';

export const notice = signal('');

const shownFor = 5_000;
let timer: ReturnType<typeof setTimeout> | undefined;

export function say(text: string): void {
  clearTimeout(timer);
  notice.value = text;
  timer = setTimeout(() => (notice.value = ''), shownFor);
}

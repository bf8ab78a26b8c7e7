/** The view as an address for others. */
import { signal } from '@preact/signals';
import { writeAddress } from '../../lib/address';
import { language, t } from '../../lib/i18n';
import { say } from '../../state/notice';
import { lastingTime } from '../../state/time';
import { view } from '../../state/view';

/** The address that could neither be handed on nor copied. */
export const unsaid = signal('');

/** A telephone's own way of sending things; a desktop's is seldom what people look for. */
export const canShare = (): boolean =>
  typeof navigator.share === 'function' && matchMedia('(pointer: coarse)').matches;

/** The whole view, in the reader's language. */
export function sharedAddress(): string {
  const search = writeAddress({ ...view.value, ...lastingTime() }, { lang: language.value });
  return `${location.origin}${location.pathname}${search}${location.hash}`;
}

export function share(): void {
  void send(sharedAddress());
}

async function send(url: string): Promise<void> {
  if (canShare()) {
    try {
      await navigator.share({ title: document.title, url });
      return;
    } catch (error) {
      // The reader thought better of it.
      if (error instanceof DOMException && error.name === 'AbortError') return;
    }
  }
  try {
    // Only there where the page comes by HTTPS or from this machine.
    await navigator.clipboard.writeText(url);
    say(t('menu.copied'));
  } catch {
    unsaid.value = url;
  }
}

/**
 * What the reader looks at. It is the one truth of the view: the address follows it, and everything that is
 * drawn or read follows from it, so that an address someone was sent shows what the sender saw.
 */
import { signal } from '@preact/signals';
import { readAddress, type View, writeAddress } from '../lib/address';

export const view = signal<View>(readAddress(location.search));

/**
 * Changes the view and its address.
 *
 * @param step whether Back comes here again: true for what a reader does on purpose (choosing an object, another
 *   page), false for what drifts along (the clock of a replay, a width, a sort)
 */
export function go(change: Partial<View>, step = true): void {
  const next = { ...view.value, ...change };
  const given = new URLSearchParams(location.search).get('lang');
  const search = writeAddress(next, given ? { lang: given } : {});
  const address = `${location.pathname}${search}${location.hash}`;
  if (step) history.pushState(null, '', address);
  else history.replaceState(null, '', address);
  // After the address: who follows the view may go on from here, and must not write over where the reader was.
  view.value = next;
}

/** The address that the reader came with: typed, linked, or gone back to; not what the page wrote since. */
export const arrived = signal({ search: location.search, hash: location.hash });

/** The address was changed by the browser: Back, Forward, or a link within the page. */
addEventListener('popstate', () => {
  arrived.value = { search: location.search, hash: location.hash };
  view.value = readAddress(location.search);
});

/** One entry of a record set, or taken out. */
function withEntry(
  all: Record<string, string>,
  name: string,
  value: string,
): Record<string, string> {
  const { [name]: _, ...rest } = all;
  return value ? { ...rest, [name]: value } : rest;
}

/** The filter of a layer; an empty one takes it away. */
export function setFilter(type: string, filter: string): void {
  go({ filters: withEntry(view.value.filters, type, filter) });
}

/** What a layer is coloured by; nothing takes it away. */
export function setColour(type: string, colour: string): void {
  go({ colours: withEntry(view.value.colours, type, colour) });
}

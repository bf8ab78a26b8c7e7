/**
 * The classes that colour a layer: live those of the values of now, of the past those of everything that a
 * replay of the named time shows, so that they stand still while it plays and are the same for whoever opens
 * its address.
 */
import { signal } from '@preact/signals';
import { type Asked, readSummary } from '../api/maps';
import { type Colouring, colouringOf, readChoice } from '../lib/colouring';
import { language } from '../lib/i18n';
import { iso, namedSpan } from './span';
import { view } from './view';

/** The attribute that a layer is coloured by; "" where it is not. */
export const colouredBy = (type: string): string =>
  readChoice(view.value.colours[type] ?? '').attribute;

/** What the classes of a layer depend on; "" where it has none. */
export function classesKey(type: string): string {
  const { filters, colours } = view.value;
  if (!colours[type]) return '';
  return JSON.stringify([filters[type], colours[type], language.value, namedSpan.value]);
}

/** With what the classes of each layer were read. */
const readWith = signal<Record<string, string>>({});

export function classesAre(type: string, key: string): void {
  if (readWith.value[type] !== key) readWith.value = { ...readWith.value, [type]: key };
}

/** The classes are not those of the time that is shown: the right ones are on their way. */
export const areOld = (type: string): boolean => (readWith.value[type] ?? '') !== classesKey(type);

export async function readClasses(
  type: string,
  asked: Pick<Asked, 'filter' | 'lang'>,
  stop?: AbortSignal,
): Promise<Colouring | null> {
  const colour = view.value.colours[type];
  if (!colour) return null;
  const choice = readChoice(colour);
  const named = namedSpan.value;
  const span = named && { after: iso(named.from), until: iso(named.to) };
  return colouringOf(choice, await readSummary(type, choice.attribute, asked, span, stop));
}

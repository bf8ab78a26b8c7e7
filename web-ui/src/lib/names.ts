/** Names for people, from names for machines. */
import type { Name } from '../api/city';
import { known, type Language, language, languages, locale } from './i18n';

/** The last part of an IRI, or the name itself when it is compact already. */
export function localName(name: string): string {
  if (!/^[a-z][a-z0-9+.-]*:/i.test(name)) return name;
  return name.split(/[/#:]/).filter(Boolean).pop() ?? name;
}

/** "streetLightType" -> "Street light type". */
export function humanise(name: string): string {
  const words = localName(name)
    .replace(/[_-]+/g, ' ')
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .trim()
    .split(/\s+/)
    // An abbreviation (NO2, CO) keeps its capitals.
    .map((word) => (/^[A-Z0-9.]{2,}$/.test(word) ? word : word.toLowerCase()))
    .join(' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function typeLabel(type: string): string {
  const name = localName(type);
  return known(`type.${name}`) ?? humanise(name);
}

/** All that a type is called: in each language of the page, and by its own name. */
export function typeNames(type: string): string[] {
  const name = localName(type);
  const labels = languages.flatMap(({ code }) => known(`type.${name}`, code) ?? []);
  return [...labels, humanise(name), name];
}

export function attributeLabel(attribute: string): string {
  const name = localName(attribute);
  return known(`attr.${name}`) ?? humanise(name);
}

/**
 * The tag of a language map that serves a reader: the reader's language, a variant of it, then "@none", English,
 * any; "" where there is none.
 *
 * Language tags match by their primary part, so "zh-Hans" serves a reader of "zh".
 */
export function tagFor(
  map: Record<string, string | string[]>,
  wished: Language = language.value,
): string {
  const tags = Object.keys(map);
  const primary = (tag: string): string => tag.toLowerCase().split('-')[0] ?? tag;
  return (
    tags.find((candidate) => candidate === wished) ??
    tags.find((candidate) => primary(candidate) === wished) ??
    tags.find((candidate) => candidate === '@none') ??
    tags.find((candidate) => primary(candidate) === 'en') ??
    tags[0] ??
    ''
  );
}

/** The text of a language map that serves a reader. */
export function inLanguage(
  map: Record<string, string | string[]>,
  wished: Language = language.value,
): string {
  return oneText(map[tagFor(map, wished)]);
}

/** A language map may hold several texts of one language. */
export function oneText(text: string | string[] | undefined): string {
  return Array.isArray(text) ? text.join(', ') : (text ?? '');
}

/** What a language is called in the reader's own. */
export function languageName(tag: string): string {
  if (tag === '@none') return '';
  try {
    return new Intl.DisplayNames([locale.value], { type: 'language' }).of(tag) ?? tag;
  } catch {
    // Not every key of a document is a language tag.
    return tag;
  }
}

export function nameText(name: Name | undefined): string {
  if (name === undefined || name === null) return '';
  return typeof name === 'string' ? name : inLanguage(name);
}

/** A short form of an entity's id, for where its name is not known. */
export function shortId(id: string): string {
  return id.replace(/^urn:ngsi-ld:/, '');
}

/**
 * The end of an entity's id, which tells it from its like: what stands for a name where there is none. With the
 * part before it where it is short by itself: a number alone could be anything's.
 */
export function idEnd(id: string): string {
  const parts = shortId(id).split(/[/#:]/).filter(Boolean);
  const last = parts.at(-1) ?? id;
  return last.length > 3 ? last : parts.slice(-2).join(':');
}

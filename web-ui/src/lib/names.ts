/** Names for people, from names for machines. */
import type { Name } from '../api/city';
import { known, type Language, language } from './i18n';

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

export function attributeLabel(attribute: string): string {
  const name = localName(attribute);
  return known(`attr.${name}`) ?? humanise(name);
}

/**
 * One text of a language map: the reader's language, a variant of it, then "@none", English, any.
 *
 * Language tags match by their primary part, so "zh-Hans" serves a reader of "zh".
 */
export function inLanguage(
  map: Record<string, string | string[]>,
  wished: Language = language.value,
): string {
  const tags = Object.keys(map);
  const primary = (tag: string): string => tag.toLowerCase().split('-')[0] ?? tag;
  const tag =
    tags.find((candidate) => candidate === wished) ??
    tags.find((candidate) => primary(candidate) === wished) ??
    tags.find((candidate) => candidate === '@none') ??
    tags.find((candidate) => primary(candidate) === 'en') ??
    tags[0];
  const text = tag === undefined ? '' : map[tag];
  return Array.isArray(text) ? text.join(', ') : (text ?? '');
}

export function nameText(name: Name | undefined): string {
  if (name === undefined || name === null) return '';
  return typeof name === 'string' ? name : inLanguage(name);
}

/** A short form of an entity's id, for where its name is not known. */
export function shortId(id: string): string {
  return id.replace(/^urn:ngsi-ld:/, '');
}

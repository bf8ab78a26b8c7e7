/** What an object without a name is called by: what else of it tells what it is. Pure but for the language. */
import { beginningOf } from './cut';
import { localName } from './names';

/** The most telling first; `service_name` and `address` are words of Open311's GeoReport. */
const telling = ['title', 'headline', 'service_name', 'subject', 'description', 'address'];
/** A description may be a page long. */
const longest = 90;

/** The attribute that names the objects of a type whose attributes hold no `name`; "" where none does. */
export function tellingAttribute(attributes: readonly string[]): string {
  if (attributes.some((each) => localName(each) === 'name')) return '';
  const found = telling.flatMap(
    (name) => attributes.find((each) => localName(each) === name) ?? [],
  );
  return found[0] ?? '';
}

/** An object's name as it is read for the map or a table, or else what tells most; "" where nothing does. */
export function calledIn(properties: Record<string, unknown>): string {
  const { name } = properties;
  if (typeof name === 'string' && name) return name;
  for (const wanted of telling) {
    const key = Object.keys(properties).find((each) => localName(each) === wanted);
    const text = key === undefined ? undefined : properties[key];
    if (typeof text === 'string' && text.trim())
      return beginningOf(text.trim(), longest) ?? text.trim();
  }
  return '';
}

/** Which types have which Relationships: the ways by which an object may be pointed at. */
import { readTypeInfo } from '../api/ngsi';
import { layers } from './store';

export interface Way {
  type: string;
  attribute: string;
  /** How many objects of the type there are: what a search looks through. */
  count: number;
}

/** A city may have any number of types; of more than these nobody waits for an answer. */
const mostTypes = 100;
const atOnce = 6;
const known = new Map<string, Promise<string[]>>();

/**
 * Every type with every Relationship it has. Asked once a type: a page that is open for a day reads them once.
 *
 * Cost: one small request a type (the node keeps these facts beside its counts), six at a time.
 */
export async function waysOfPointing(): Promise<{ ways: Way[]; left: number }> {
  const types = layers.value.filter(({ layer }) => layer.count > 0);
  const asked = types.slice(0, mostTypes);
  const ways: Way[] = [];
  await inTurns(asked, async ({ layer: { type, count } }) => {
    for (const attribute of await relationshipsOf(type)) ways.push({ type, attribute, count });
  });
  ways.sort((a, b) => a.type.localeCompare(b.type) || a.attribute.localeCompare(b.attribute));
  return { ways, left: types.length - asked.length };
}

function relationshipsOf(type: string): Promise<string[]> {
  const before = known.get(type);
  if (before) return before;
  const asked = readTypeInfo(type).then(({ body }) =>
    body.attributeDetails
      .filter(({ attributeTypes = [] }) =>
        attributeTypes.some((kind) => kind === 'Relationship' || kind === 'ListRelationship'),
      )
      .map(({ attributeName }) => attributeName),
  );
  known.set(type, asked);
  // What could not be read is asked again the next time.
  asked.catch(() => known.delete(type));
  return asked;
}

/** Does something for each item, a few at a time. */
export async function inTurns<T>(
  items: readonly T[],
  act: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  const work = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await act(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work));
}

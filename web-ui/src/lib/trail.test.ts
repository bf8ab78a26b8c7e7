import { expect, it } from 'vitest';
import { type Step, walked } from './trail';

const step = (id: string): Step => ({ id, types: [], name: undefined });
const way = (...ids: string[]): string[] =>
  ids.reduce<Step[]>((steps, id) => walked(steps, step(id)), []).map(({ id }) => id);

it('grows by each object and shrinks on the way back', () => {
  expect(way('a', 'b', 'c')).toEqual(['a', 'b', 'c']);
  expect(way('a', 'b', 'c', 'b')).toEqual(['a', 'b']);
  expect(way('a', 'b', 'a', 'b')).toEqual(['a', 'b']);
  expect(way('a', 'a')).toEqual(['a']);
});

it('forgets the beginning of a long way', () => {
  const ids = Array.from({ length: 20 }, (_, index) => String(index));
  expect(way(...ids)).toEqual(ids.slice(-12));
});

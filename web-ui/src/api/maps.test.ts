import { afterEach, expect, it, vi } from 'vitest';
import { readItems } from './maps';

const asked = { filter: '', properties: ['name'], lang: 'en' };

/** A node with so many objects that answers with at most `most` of them. */
function nodeOf(count: number, most: number): string[] {
  const paths: string[] = [];
  vi.stubGlobal('fetch', (path: string) => {
    paths.push(path);
    const params = new URL(path, 'http://node').searchParams;
    const first = Number(params.get('offset') ?? 0);
    const end = Math.min(count, first + Math.min(most, Number(params.get('limit'))));
    const features = Array.from({ length: Math.max(0, end - first) }, (_, at) => ({
      id: first + at,
    }));
    return Promise.resolve(Response.json({ features, numberMatched: count }));
  });
  return paths;
}

afterEach(() => vi.unstubAllGlobals());

it.each([
  [25, 10, 100, 25, 3],
  [25, 10, 20, 20, 2],
  [25, 1000, 100, 25, 1],
  [0, 10, 100, 0, 1],
  [10, 10, 100, 10, 1],
])(
  'of %i objects, %i in an answer, the first %i are read',
  async (count, most, limit, read, calls) => {
    const paths = nodeOf(count, most);
    const { features } = await readItems('Tree', asked, limit);
    expect(features.map(({ id }) => id)).toEqual(Array.from({ length: read }, (_, at) => at));
    expect(paths).toHaveLength(calls);
  },
);

it('what is taken away between two pages does not hold up the reading', async () => {
  let calls = 0;
  vi.stubGlobal('fetch', () => {
    const features = calls++ ? [] : [{ id: 1 }];
    return Promise.resolve(Response.json({ features, numberMatched: 2 }));
  });
  expect((await readItems('Tree', asked, 10)).features).toHaveLength(1);
});

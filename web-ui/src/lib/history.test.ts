import { describe, expect, it } from 'vitest';
import type { Json, NormalizedEntity } from '../api/ngsi';
import {
  columnsOf,
  commonGaps,
  drawnEnd,
  gapsOf,
  type Point,
  pointAt,
  pointsOf,
  seriesOf,
} from './history';

const hour = 3_600_000;
const start = Date.parse('2026-01-01T00:00:00Z');
const at = (hours: number): string => new Date(start + hours * hour).toISOString();
const points = (...pairs: [hours: number, value: Json][]): Point[] =>
  pairs.map(([hours, value]) => ({ time: start + hours * hour, value }));

function answer(attribute: Json): NormalizedEntity {
  return { id: 'urn:x', type: 'X', speed: attribute };
}

describe('pointsOf', () => {
  it('is in the order of time, whatever the order of the answer', () => {
    const values = [
      [3, at(3)],
      [1, at(1)],
      [2, at(2)],
    ];
    const read = pointsOf(answer({ type: 'Property', values }), 'speed');
    expect(read.map(({ value }) => value)).toEqual([1, 2, 3]);
  });

  it('takes the data set that was asked for', () => {
    const read = pointsOf(
      answer([
        { type: 'Property', values: [[1, at(1)]] },
        { type: 'Property', datasetId: 'urn:a', values: [[2, at(1)]] },
      ]),
      'speed',
      'urn:a',
    );
    expect(read.map(({ value }) => value)).toEqual([2]);
  });

  it('reads vocabularies, and nothing from nothing', () => {
    expect(pointsOf(answer({ type: 'VocabProperty', vocabs: [['open', at(0)]] }), 'speed')).toEqual(
      points([0, 'open']),
    );
    expect(pointsOf({ id: 'urn:x', type: 'X' }, 'speed')).toEqual([]);
  });
});

describe('seriesOf', () => {
  it('tells numbers from states from nothing', () => {
    expect(seriesOf([]).kind).toBe('empty');
    expect(seriesOf(points([0, 4], [1, -2], [2, null]))).toMatchObject({ min: -2, max: 4 });
    expect(seriesOf(points([0, 'on'], [1, 'off'], [2, 'on']))).toMatchObject({
      kind: 'states',
      states: ['on', 'off'],
    });
  });
});

describe('columnsOf', () => {
  it('breaks the line of numbers where nothing came for long', () => {
    const [times, values] = columnsOf(
      seriesOf(points([0, 1], [1, 2], [2, 3], [12, 4], [13, 5], [14, 6])),
    );
    expect(values).toEqual([1, 2, 3, null, 4, 5, 6]);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('does not break the line of an irregular source within four usual steps', () => {
    const [, values] = columnsOf(seriesOf(points([0, 1], [1, 2], [4, 3], [5, 4])));
    expect(values).not.toContain(null);
  });

  it('draws states as their places on the axis', () => {
    const [, values] = columnsOf(seriesOf(points([0, true], [1, false], [20, true])));
    expect(values).toEqual([0, 1, 0]);
  });
});

describe('gapsOf', () => {
  const spans = (gaps: ReturnType<typeof gapsOf>) =>
    gaps.map(({ from, to }) => [(from - start) / hour, (to - start) / hour]);
  const read = points([0, 1], [1, 2], [2, 3], [12, 4], [13, 5]);

  it('finds the silence between values, before the first and after the last', () => {
    expect(spans(gapsOf(read))).toEqual([[2, 12]]);
    expect(spans(gapsOf(read, start - 9 * hour, start + 20 * hour))).toEqual([
      [-9, 0],
      [2, 12],
      [13, 20],
    ]);
  });

  it('finds none within four usual steps, nor where no step is usual', () => {
    expect(gapsOf(read, start - 4 * hour, start + 17 * hour)).toHaveLength(1);
    expect(gapsOf(points([0, 1]), start - 99 * hour)).toEqual([]);
    expect(gapsOf([])).toEqual([]);
  });

  it('is not misled by values that came twice', () => {
    expect(spans(gapsOf(points([0, 1], [0, 1], [0, 1], [1, 1], [1, 1], [2, 2])))).toEqual([]);
  });

  it('is common where every series is silent', () => {
    const other = gapsOf(points([0, 1], [1, 2], [2, 3], [3, 2], [8, 4], [9, 1]));
    expect(spans(commonGaps([gapsOf(read), other]))).toEqual([[3, 8]]);
    expect(commonGaps([])).toEqual([]);
  });
});

describe('pointAt', () => {
  it('is what held at a time', () => {
    const read = points([1, 'a'], [3, 'b']);
    const value = (hours: number) => pointAt(read, start + hours * hour)?.value;
    expect([value(0), value(1), value(2), value(3), value(9)]).toEqual([
      undefined,
      'a',
      'a',
      'b',
      'b',
    ]);
  });
});

describe('drawnEnd', () => {
  const read = points([0, 1], [1, 2], [2, 3]);
  const silentUntil = (hours: number) => [
    { points: read, gaps: gapsOf(read, undefined, start + hours * hour) },
  ];

  it('draws a silence up to its end', () => {
    expect(drawnEnd(silentUntil(8))).toEqual({ to: start + 8 * hour, cut: false });
    expect(drawnEnd([{ points: read, gaps: [] }])).toEqual({ to: start + 2 * hour, cut: false });
  });

  it('leaves the values a quarter of the chart, and says that it does', () => {
    expect(drawnEnd(silentUntil(1_000))).toEqual({ to: start + 8 * hour, cut: true });
  });
});

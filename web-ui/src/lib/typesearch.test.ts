import { describe, expect, it } from 'vitest';
import { rankTypes } from './typesearch';

const types = [
  ['Unlicensed street vendor', '无照经营游商'],
  ['Treetop walk', '树冠步道'],
  ['Street light', '路灯'],
  ['Street tree', '行道树'],
];
const found = (letters: string): (string | undefined)[] =>
  rankTypes(types, (names) => names, letters).map(([english]) => english);

describe('a type by its letters', () => {
  it('is a word, then the beginning of one, then letters inside of one', () => {
    expect(found('tree')).toEqual([
      'Street tree',
      'Treetop walk',
      'Unlicensed street vendor',
      'Street light',
    ]);
  });

  it('keeps the order of the city among what fits alike', () => {
    expect(found('street')).toEqual(['Unlicensed street vendor', 'Street light', 'Street tree']);
  });

  it('is found in either language, by several words, in any case', () => {
    expect(found('路灯')).toEqual(['Street light']);
    expect(found('树')).toEqual(['Treetop walk', 'Street tree']);
    expect(found(' STREET T')).toEqual(['Street tree']);
  });

  it('is none where nothing was typed or nothing fits', () => {
    expect(found(' ')).toEqual([]);
    expect(found('zebra')).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import type { NormalizedEntity } from '../api/ngsi';
import { changedKeys, chartable, instancesOf, locationOf, rowsOf } from './entity';

const lamp: NormalizedEntity = {
  id: 'urn:ngsi-ld:Streetlight:1',
  type: 'Streetlight',
  createdAt: '2026-01-01T00:00:00Z',
  modifiedAt: '2026-01-02T00:00:00Z',
  scope: ['/north'],
  '@context': 'https://example.org/context.jsonld',
  location: { type: 'GeoProperty', value: { type: 'Point', coordinates: [1, 2] } },
  powerState: { type: 'Property', value: 'on', observedAt: '2026-01-02T00:00:00Z' },
  height: {
    type: 'Property',
    value: 8.5,
    unitCode: 'MTR',
    accuracy: { type: 'Property', value: 1 },
  },
  speed: [
    { type: 'Property', value: 1, datasetId: 'urn:a', observedAt: '2026-01-02T00:00:00Z' },
    { type: 'Property', value: 2, datasetId: 'urn:b' },
  ],
  refDistrict: { type: 'Relationship', object: ['urn:d:1', 'urn:d:2'] },
  route: { type: 'ListRelationship', objectList: [{ object: 'urn:r:1' }, { object: 'urn:r:2' }] },
  title: { type: 'LanguageProperty', languageMap: { en: 'Lamp', zh: '灯' } },
  state: { type: 'VocabProperty', vocab: 'open' },
  since: { type: 'Property', value: { '@type': 'DateTime', '@value': '2024-05-04T10:00:00Z' } },
  raw: { type: 'JsonProperty', json: { a: [1, null] } },
  parts: { type: 'ListProperty', valueList: ['x', 'y'] },
};

const byName = (name: string) => rowsOf(lamp).filter((row) => row.name === name);

describe('rowsOf', () => {
  it('leaves out what is not an attribute', () => {
    const names = rowsOf(lamp).map(({ name }) => name);
    for (const name of ['id', 'type', 'createdAt', 'modifiedAt', 'scope', '@context']) {
      expect(names).not.toContain(name);
    }
  });

  it('reads every attribute kind', () => {
    const shown = Object.fromEntries(rowsOf(lamp).map(({ name, shown }) => [name, shown]));
    expect(shown).toMatchObject({
      powerState: { kind: 'text', value: 'on' },
      height: { kind: 'number', value: 8.5 },
      refDistrict: { kind: 'links', value: ['urn:d:1', 'urn:d:2'] },
      route: { kind: 'links', value: ['urn:r:1', 'urn:r:2'] },
      title: { kind: 'language', value: { en: 'Lamp', zh: '灯' } },
      state: { kind: 'text', value: 'open' },
      since: { kind: 'time', value: '2024-05-04T10:00:00Z' },
      parts: { kind: 'text', value: 'x, y' },
      raw: { kind: 'json' },
      location: { kind: 'geometry' },
    });
  });

  it('keeps one row for each data set, each with a key of its own', () => {
    const rows = byName('speed');
    expect(rows.map(({ datasetId }) => datasetId)).toEqual(['urn:a', 'urn:b']);
    expect(new Set(rows.map(({ key }) => key)).size).toBe(2);
  });

  it('keeps sub-attributes apart from the members of the attribute itself', () => {
    expect(byName('height')[0]?.rows.map(({ name }) => name)).toEqual(['accuracy']);
    expect(byName('powerState')[0]?.rows).toEqual([]);
  });

  it('survives documents that break the rules', () => {
    const odd = { id: 'urn:x', type: 'X', a: 3, b: null, c: [], d: { type: 'Relationship' } };
    expect(rowsOf(odd as NormalizedEntity).map(({ name, shown }) => [name, shown.kind])).toEqual([
      ['d', 'links'],
    ]);
  });
});

describe('changedKeys', () => {
  it('names new values and new observations, not a new time of writing', () => {
    const before = rowsOf(lamp);
    const after = rowsOf({
      ...lamp,
      powerState: {
        type: 'Property',
        value: 'on',
        observedAt: '2026-01-02T00:00:00Z',
        modifiedAt: '2027-01-01T00:00:00Z',
      },
      height: { type: 'Property', value: 9, unitCode: 'MTR' },
      fresh: { type: 'Property', value: true },
    });
    expect([...changedKeys(before, after)].sort()).toEqual(['fresh ', 'height ']);
  });
});

describe('chartable', () => {
  it('puts observed numbers first, and knows states only when they were observed', () => {
    expect(chartable(rowsOf(lamp)).map(({ key }) => key)).toEqual([
      'speed urn:a',
      'height ',
      'speed urn:b',
      'powerState ',
    ]);
  });
});

describe('locationOf', () => {
  it('is the location, or nothing', () => {
    expect(locationOf(rowsOf(lamp))).toEqual({ type: 'Point', coordinates: [1, 2] });
    expect(locationOf(rowsOf({ id: 'urn:x', type: 'X' }))).toBeNull();
  });
});

describe('instances of the past', () => {
  it('are found by their ids, the earliest first', () => {
    const instance = (id: string, value: number, observedAt: string) => ({
      type: 'Property',
      value,
      unitCode: 'LUX',
      observedAt,
      instanceId: id,
    });
    const past = {
      id: 'urn:ngsi-ld:Streetlight:1',
      type: 'Streetlight',
      illuminanceLevel: [
        instance('urn:c', 0.02, '2026-11-30T20:30:00Z'),
        instance('urn:b', 0.01, '2026-11-30T20:15:00Z'),
        instance('urn:a', 0.03, '2026-11-30T20:00:00Z'),
      ],
      power: instance('urn:d', 1, '2026-11-30T20:00:00Z'),
    };
    const found = instancesOf(past, ['urn:a', 'urn:c']);
    expect(found.map(({ name, shown }) => [name, shown])).toEqual([
      ['illuminanceLevel', { kind: 'number', value: 0.03 }],
      ['illuminanceLevel', { kind: 'number', value: 0.02 }],
    ]);
    expect(found[0]?.unitCode).toBe('LUX');
  });
});

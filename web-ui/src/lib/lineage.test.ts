import { expect, it } from 'vitest';
import { originsOf } from './lineage';

const document = {
  entity: {
    'urn:x': { 'prov:type': 'ngsi-ld:Entity' },
    'cityloom:instance:1': { 'ngsi-ld:name': 'height' },
    'cityloom:instance:2': { 'ngsi-ld:name': 'lampType' },
    'cityloom:instance:3': { 'ngsi-ld:name': 'powerState' },
    'cityloom:file:abc': { 'prov:label': 'lighting/lights.csv.gz' },
  },
  activity: {
    'urn:run:1': { 'prov:type': 'cityloom:run', 'cityloom:source': 'lights' },
    'cityloom:activity:r': { 'prov:type': 'cityloom:request' },
  },
  used: { '_:1': { 'prov:activity': 'urn:run:1', 'prov:entity': 'cityloom:file:abc' } },
  wasGeneratedBy: {
    '_:1': generation('1', 'urn:run:1', '2026-01-01T00:00:00Z'),
    '_:2': generation('2', 'urn:run:1', '2026-01-01T00:00:01Z'),
    '_:3': generation('3', 'cityloom:activity:r', '2026-01-02T00:00:00Z'),
  },
};

function generation(instance: string, activity: string, time: string): Record<string, unknown> {
  return {
    'prov:entity': `cityloom:instance:${instance}`,
    'prov:activity': activity,
    'prov:time': time,
  };
}

it('gathers what each writing wrote, the newest first, with its file', () => {
  expect(originsOf(document)).toEqual([
    {
      activity: 'cityloom:activity:r',
      kind: 'request',
      source: '',
      files: [],
      time: '2026-01-02T00:00:00Z',
      attributes: ['powerState'],
    },
    {
      activity: 'urn:run:1',
      kind: 'run',
      source: 'lights',
      files: ['lighting/lights.csv.gz'],
      time: '2026-01-01T00:00:01Z',
      attributes: ['height', 'lampType'],
    },
  ]);
});

it('is empty where nothing is told', () => {
  expect(originsOf({})).toEqual([]);
});

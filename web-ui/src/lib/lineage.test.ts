import { expect, it } from 'vitest';
import { filePath, graphOf, originsOf } from './lineage';

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

it('makes a graph of the value that was written last, with its own file alone', () => {
  const document = {
    entity: {
      'cityloom:instance:1': { 'prov:value': 1, 'cityloom:seq': 7 },
      'cityloom:instance:2': {
        'prov:value': 2,
        'cityloom:seq': 8,
        'ngsi-ld:observedAt': '2026-01-01T00:00:00Z',
      },
      'cityloom:file:a': { 'prov:label': 'air/a.csv', 'cityloom:sha256': 'aaaa' },
      'cityloom:file:b': { 'prov:label': 'air/b.csv', 'cityloom:sha256': 'bbbb' },
    },
    activity: { 'urn:run:1': { 'prov:type': 'cityloom:run', 'cityloom:source': 'air' } },
    agent: { 'urn:party': { 'prov:label': 'The office' } },
    used: {
      '_:1': { 'prov:activity': 'urn:run:1', 'prov:entity': 'cityloom:file:a' },
      '_:2': { 'prov:activity': 'urn:run:1', 'prov:entity': 'cityloom:file:b' },
    },
    wasAssociatedWith: { '_:1': { 'prov:activity': 'urn:run:1', 'prov:agent': 'urn:party' } },
    wasDerivedFrom: {
      '_:1': {
        'prov:generatedEntity': 'cityloom:instance:2',
        'prov:usedEntity': 'cityloom:file:b',
        'cityloom:row': 4685,
      },
    },
    wasGeneratedBy: {
      '_:1': generation('1', 'urn:run:1', '2026-01-01T00:00:00Z'),
      '_:2': generation('2', 'urn:run:1', '2026-01-01T00:00:01Z'),
    },
  };
  const { nodes, edges } = graphOf(document);
  expect(nodes).toEqual([
    { id: 'cityloom:file:b', kind: 'file', label: 'air/b.csv', sha256: 'bbbb', row: 4685 },
    { id: 'urn:party', kind: 'agent', label: 'The office' },
    {
      id: 'urn:run:1',
      kind: 'activity',
      cause: 'run',
      source: 'air',
      time: '2026-01-01T00:00:01Z',
    },
    {
      id: 'cityloom:instance:2',
      kind: 'value',
      value: 2,
      observedAt: '2026-01-01T00:00:00Z',
    },
  ]);
  expect(edges).toEqual([
    { from: 'cityloom:file:b', to: 'urn:run:1' },
    { from: 'urn:party', to: 'urn:run:1' },
    { from: 'urn:run:1', to: 'cityloom:instance:2' },
  ]);
  expect(graphOf({})).toEqual({ nodes: [], edges: [] });
});

it('tells a file from its folders', () => {
  expect(filePath('air/2026/a.csv')).toEqual({ folder: 'air/2026/', name: 'a.csv' });
  expect(filePath('a.csv')).toEqual({ folder: '', name: 'a.csv' });
});

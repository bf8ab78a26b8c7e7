import { expect, test } from 'vitest';
import { language } from './i18n';
import { cellText, columnsOf, directionOf, fileName, nextSort, shownColumns } from './table';

const queryables = {
  id: { type: 'string', format: 'uri' },
  modifiedAt: { type: 'string', format: 'date-time' },
  name: { type: 'string' },
  location: { format: 'geometry-point' },
  lampType: { type: 'string' },
  'no2.observedAt': { type: 'string', format: 'date-time' },
  no2: { type: 'number', 'x-ogc-unit': 'GQ' },
  refRoad: { type: 'string', format: 'uri', 'x-ogc-role': 'reference' },
  mixed: { type: ['number', 'string'] },
  'https://example.org/a.b': { type: 'integer' },
};

test('columns are what can stand in one: no places, no name, what lies below and members last', () => {
  const names = columnsOf(queryables).map(({ name }) => name);
  expect(new Set(names.slice(0, 5))).toEqual(
    new Set(['lampType', 'no2', 'refRoad', 'mixed', 'https://example.org/a.b']),
  );
  expect(names.slice(5)).toEqual(['no2.observedAt', 'id', 'modifiedAt']);
});

test('a choice keeps its order and loses what no longer exists; without one, what is measured comes first', () => {
  const all = columnsOf(queryables);
  expect(shownColumns(all, ['refRoad', 'gone', 'no2']).map(({ name }) => name)).toEqual([
    'refRoad',
    'no2',
  ]);
  const usual = shownColumns(all, []).map(({ name }) => name);
  expect(usual).toEqual(shownColumns(all, ['gone']).map(({ name }) => name));
  expect(new Set(usual.slice(0, 2))).toEqual(new Set(['no2', 'https://example.org/a.b']));
  expect(usual).not.toContain('modifiedAt');
});

test('a head pressed thrice is back where it was', () => {
  const once = nextSort('', 'no2');
  const twice = nextSort(once, 'no2');
  expect([once, twice, nextSort(twice, 'no2')]).toEqual(['no2', '-no2', '']);
  expect(nextSort('-no2', 'o3')).toBe('o3');
  expect(directionOf('-no2', 'no2')).toBe('descending');
  expect(directionOf('-no2', 'o3')).toBeNull();
});

test('cells tell every kind of value, and nothing where there is none', () => {
  const of = (name: string) => columnsOf(queryables).find((each) => each.name === name)!;
  expect(of('no2').unit).toBe('µg/m³');
  expect(cellText(1234.5678, of('no2'))).toBe('1,234.5678');
  expect(cellText(0, of('no2'))).toBe('0');
  expect(cellText(null, of('no2'))).toBe('');
  expect(cellText('many', of('no2'))).toBe('many');
  expect(cellText('urn:ngsi-ld:Road:1', of('refRoad'))).toBe('Road:1');
  expect(cellText(['a', 'b'], of('mixed'))).toBe('a, b');
  expect(cellText({ a: [1] }, of('mixed'))).toBe('{"a":[1]}');
  expect(cellText('<b>x</b>', of('lampType'))).toBe('<b>x</b>');
});

test('a file can be called so everywhere', () => {
  expect(fileName(['织港 (示例)', 'https://example.org/Type', '2026-01-02'], 'csv')).toBe(
    '织港-示例-https-example-org-type-2026-01-02.csv',
  );
  expect(fileName(['../..', ''], 'parquet')).toBe('table.parquet');
});

test('unasked stands what people ask first, the same in every language, without what stands as the name', () => {
  const report = {
    service_request_id: { type: 'number' },
    service_code: { type: 'string' },
    service_name: { type: 'string' },
    channel: { type: 'string' },
    requested_datetime: { type: 'string', format: 'date-time' },
    status: { type: 'string' },
  };
  const shown = (): string[] => shownColumns(columnsOf(report), [], false).map(({ name }) => name);
  language.value = 'zh';
  const zh = shown();
  language.value = 'en';
  expect(shown()).toEqual(zh);
  expect(zh.slice(0, 3)).toEqual(['status', 'requested_datetime', 'channel']);
  expect(zh).not.toContain('service_name');
});

import { describe, expect, it } from 'vitest';
import { firstView, readAddress, type View, writeAddress } from './address';
import { rowsOf } from './entity';
import { type Unused, unfit, unfitChart, unfitColumns, unreadable, weightiest } from './unused';

const lamps = { type: 'Lamp', geometry: 'Point' as const, attributes: ['power', 'name'] };
const wards = { type: 'Ward', geometry: 'Polygon' as const, attributes: ['name'] };
const city = [lamps, wards];

const told = (search: string): string[] =>
  unfit(readAddress(search), city).map(({ name, value, why }) => `${name}=${value} ${why.kind}`);

describe('what of an address cannot be read', () => {
  it('is named with its value', () => {
    const odd =
      '?page=x&areas=A:B:median&time=2025-13-99&at=now&speed=-1&row=two&status=done&light=blue&reportedSince=today&reportedUntil=tomorrow&period=2026&by=moon&lang=fr&layers=Lamp';
    const found = unreadable(odd, '#map=here');
    expect(found.map(({ name, value }) => `${name}=${value}`)).toEqual([
      'page=x',
      'areas=A:B:median',
      'time=2025-13-99',
      'at=now',
      'speed=-1',
      'row=two',
      'status=done',
      'light=blue',
      'reportedSince=today',
      'reportedUntil=tomorrow',
      'period=2026',
      'by=moon',
      'lang=fr',
      'map=here',
    ]);
    expect(found.every(({ name, why }) => why.kind === name)).toBe(true);
    expect(unreadable('', '#map=11/91/0').map(({ name }) => name)).toEqual(['map']);
  });

  it('is nothing of an address that the page wrote, nor of what others put there', () => {
    const full: View = {
      ...firstView,
      page: 'table',
      areas: { areas: 'Ward', of: 'Lamp', aggregate: 'avg', attribute: 'power', steps: 'equal' },
      time: { mode: 'day', day: '2025-06-29' },
      at: '2025-06-29T10:00:00Z',
      speed: 3600,
      table: { ...firstView.table, offset: 200 },
      cases: { ...firstView.cases, number: '2026-000001', status: 'all', light: 'red' },
    };
    expect(unreadable(writeAddress(full, { lang: 'zh' }), '#map=11.2/30.2/123.4')).toEqual([]);
    expect(unreadable('?time=live&row=0&speed=600&utm_source=post', '')).toEqual([]);
  });
});

describe('what is told first', () => {
  it('is what empties the map', () => {
    const parts = unreadable('?page=x&time=never&speed=-1&lang=fr&row=two', '');
    const filter = { name: 'filter.Lamp', value: 'power >', why: { kind: 'filter', detail: '' } };
    const layer = { name: 'layers', value: 'Nope', why: { kind: 'layer', type: 'Nope' } };
    const all = weightiest([...parts, layer, filter] as Unused[]);
    expect(all.map(({ name }) => name)).toEqual([
      'filter.Lamp',
      'layers',
      'page',
      'time',
      'speed',
      'row',
      'lang',
    ]);
  });
});

describe('what of an address this city does not have', () => {
  it('is a layer, wherever it is named', () => {
    expect(told('?layers=Lamp,Nope&filter.Nope=a>1&colour.Nope=a&areas=Ward:Nope:count')).toEqual([
      'layers=Nope layer',
      'filter.Nope=a>1 layer',
      'colour.Nope=a layer',
      'areas=Ward:Nope:count layer',
    ]);
  });

  it('is an attribute, or surfaces where there are none', () => {
    expect(told('?colour.Lamp=equal:nope')).toEqual(['colour.Lamp=equal:nope attribute']);
    expect(told('?areas=Ward:Lamp:avg:nope')).toEqual(['areas=Ward:Lamp:avg:nope attribute']);
    expect(told('?areas=Lamp:Ward:count')).toEqual(['areas=Lamp:Ward:count surfaces']);
  });

  it('is nothing where everything is there', () => {
    expect(
      told('?layers=Lamp&filter.Lamp=power>1&colour.Lamp=power&areas=Ward:Lamp:avg:power'),
    ).toEqual([]);
  });

  it('is a column of a table, or what the table is sorted by', () => {
    const { table } = readAddress('?columns=power,nope&sort=-neither');
    expect(unfitColumns(table, 'Lamp', ['power']).map(({ name, value }) => [name, value])).toEqual([
      ['columns', 'nope'],
      ['sort', '-neither'],
    ]);
    expect(unfitColumns({ ...table, columns: [], sort: '-name' }, 'Lamp', [])).toEqual([]);
  });

  it('is a line of a chart, named as the page writes it', () => {
    const power = { type: 'Property', value: 5 };
    const rows = rowsOf({
      id: 'urn:l:1',
      type: 'Lamp',
      power: [power, { ...power, datasetId: 'urn:d:2' }],
    });
    expect(unfitChart(['power', 'power urn:d:2'], 'Lamp', rows)).toEqual([]);
    expect(unfitChart(['power', 'nope'], 'Lamp', rows).map(({ value }) => value)).toEqual(['nope']);
  });
});

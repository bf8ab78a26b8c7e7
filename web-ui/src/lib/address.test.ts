import { describe, expect, it } from 'vitest';
import { firstView, readAddress, type View, writeAddress } from './address';

const full: View = {
  page: 'table',
  id: 'urn:ngsi-ld:Streetlight:a,b:1',
  shown: ['Streetlight', 'https://example.org/terms,old#Lamp'],
  filters: { Streetlight: "powerRating > 70 AND lampType = 'led'", 'https://x.org/a#B': 'a = 1' },
  colours: { AirQualityObserved: 'no2' },
  areas: {
    areas: 'District',
    of: 'Open311ServiceRequest',
    aggregate: 'avg',
    attribute: 'a:b',
    steps: 'quantile',
  },
  time: { mode: 'range', from: '2025-06-29T00:00:00Z', to: '2025-06-30T00:00:00+08:00' },
  at: '2025-06-29T10:00:00.5Z',
  speed: 3600,
  table: {
    type: 'Streetlight',
    columns: ['name', 'powerRating'],
    sort: '-powerRating',
    only: 'location IS NULL',
    offset: 200,
  },
  chart: ['powerRating', 'urn:a urn:b'],
  cases: {
    number: '2026-000123',
    as: 'department:lighting',
    mine: '1',
    status: 'closed',
    light: 'amber',
    department: 'roads',
    step: 'handle',
    type: 'street-light',
    area: 'urn:ngsi-ld:District:north',
    reportedSince: '2026-07-06T01:00:00Z',
    reportedUntil: '2026-07-06T04:00:00Z',
  },
  evaluation: {
    period: '2026-07-01/2026-07-31',
    by: 'area',
    group: 'urn:ngsi-ld:District:1',
    figure: 'UM-FILE-ONTIME',
    part: 'rest',
    order: '-UM-CLOSE',
  },
  rules: { version: 'who comes@2027-01', row: 'lamps, north', replay: 'abc' },
};

describe('the address', () => {
  it('is plain for the first view', () => {
    expect(writeAddress(firstView)).toBe('');
    expect(readAddress('')).toEqual(firstView);
  });

  it('brings the whole view back', () => {
    expect(readAddress(writeAddress(full))).toEqual(full);
    expect(
      readAddress(writeAddress({ ...full, time: { mode: 'day', day: '2025-06-29' } })).time,
    ).toEqual({ mode: 'day', day: '2025-06-29' });
    expect(readAddress(writeAddress({ ...firstView, shown: [] })).shown).toEqual([]);
  });

  it('keeps what belongs to others', () => {
    expect(writeAddress(firstView, { lang: 'zh' })).toBe('?lang=zh');
  });

  it('takes nonsense for the first view', () => {
    const odd =
      '?page=x&time=2025-13-99&areas=A:B:median&speed=-1&at=now&layers=%25E0%25&time=a/b&status=done&light=blue&reportedSince=today&by=moon&period=2026-02-01/2026-02-30';
    expect(readAddress(odd)).toEqual({ ...firstView, shown: ['%E0%'] });
    expect(readAddress('?period=2026-03-02/2026-03-01').evaluation.period).toBe('');
    expect(readAddress('?time=2025-06-30T00:00:00Z/2025-06-29T00:00:00Z').time.mode).toBe('live');
    expect(readAddress('?areas=District:Streetlight:avg:').areas).toBeNull();
    expect(readAddress('?areas=District:Streetlight:count::halves').areas).toBeNull();
    expect(readAddress('?areas=District:Streetlight:count:').areas?.steps).toBe('equal');
  });
});

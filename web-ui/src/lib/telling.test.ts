import { expect, it } from 'vitest';
import { idEnd } from './names';
import { calledIn, tellingAttribute } from './telling';

it('is the name, or else the attribute that tells most', () => {
  expect(tellingAttribute(['status', 'address', 'https://example.org/terms#service_name'])).toBe(
    'https://example.org/terms#service_name',
  );
  expect(tellingAttribute(['title', 'name'])).toBe('');
  expect(tellingAttribute(['status'])).toBe('');
  expect(calledIn({ name: 'Nine', title: 'Ten' })).toBe('Nine');
  expect(calledIn({ name: '', address: 'Elm St 3', 'https://e.org/subject': 'Pothole' })).toBe(
    'Pothole',
  );
  expect(calledIn({ title: 7, subject: ' ', description: 'word '.repeat(100) })).toMatch(
    /^word.*…$/,
  );
  expect(calledIn({ address: { street: 'Elm St' } })).toBe('');
});

it('is the end of the id where nothing tells, never its beginning alone', () => {
  expect(idEnd('urn:ngsi-ld:Open311ServiceRequest:loomhaven:SR-000123')).toBe('SR-000123');
  expect(idEnd('urn:ngsi-ld:Ward:0')).toBe('Ward:0');
  expect(idEnd('https://example.org/lamps/4711')).toBe('4711');
  expect(idEnd('urn:x')).toBe('urn:x');
});

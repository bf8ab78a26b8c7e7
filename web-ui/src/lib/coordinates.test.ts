import { expect, test } from 'vitest';
import { placeText } from './format';
import { language } from './i18n';
import { readCoordinates } from './coordinates';

test.each([
  ['42.36, -71.06', [-71.06, 42.36]],
  [' 42.36 -71.06 ', [-71.06, 42.36]],
  ['42.36，-71.06', [-71.06, 42.36]],
  ['42.36° N, 71.06° W', [-71.06, 42.36]],
  ['71.06W 42.36N', [-71.06, 42.36]],
  ['S33.9 E151.2', [151.2, -33.9]],
  ['−33.9; 151.2', [151.2, -33.9]],
  ['0, 180', [180, 0]],
  ['北纬 30.2°，东经 123.4°', [123.4, 30.2]],
  ['南纬33.9°, 西经 71.2°', [-71.2, -33.9]],
])('%s is a place', (text, place) => {
  expect(readCoordinates(text)).toEqual(place);
});

test.each([
  ['42.36'],
  ['91, 0'],
  ['0, 181'],
  ['12N 13S'],
  ['12E 13W'],
  ['N12N, 5'],
  ['B1 2'],
  ['L-12, 3, 4'],
  ['4236'],
  [''],
])('"%s" is none', (text) => {
  expect(readCoordinates(text)).toBeNull();
});

test.each(['en', 'zh'] as const)('a place that the page writes is found again (%s)', (code) => {
  language.value = code;
  for (const [lon, lat] of [
    [123.380622, 30.199686],
    [-71.06, -42.36],
    [0, 0],
  ] as const) {
    expect(readCoordinates(placeText(lon, lat, 6))).toEqual([lon, lat]);
  }
});

import { expect, it } from 'vitest';
import { csvText } from './csv';
import { type Laned, lanesOf } from './lanes';

const one = (kind: Laned['kind'], unitCode?: string): Laned => ({ kind, unitCode });

it('puts what shares a unit into one lane and keeps the others apart', () => {
  const [no2, power, o3] = [one('numbers', 'GQ'), one('numbers', 'WTT'), one('bands', 'GQ')];
  const [on, open, none] = [one('states'), one('states'), one('empty')];
  expect(lanesOf([no2, power, o3, on, open, none])).toEqual([[no2, o3], [power], [on], [open]]);
});

it('writes CSV whose fields end where they end', () => {
  expect(
    csvText(
      ['a', 'b'],
      [
        ['x, "y"', 1.5],
        ['two\nlines', null],
      ],
    ),
  ).toBe('a,b\r\n"x, ""y""",1.5\r\n"two\nlines",\r\n');
});

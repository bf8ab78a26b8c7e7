import { expect, it } from 'vitest';
import { beginningOf } from './cut';

it('cuts long texts alone, and no character in two', () => {
  expect(beginningOf('a'.repeat(80), 80)).toBeNull();
  expect(beginningOf('a'.repeat(81), 80)).toBe(`${'a'.repeat(70)}…`);
  expect(beginningOf('🏙'.repeat(81), 80)).toBe(`${'🏙'.repeat(70)}…`);
});

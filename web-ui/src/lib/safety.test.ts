import { expect, it } from 'vitest';

const files = import.meta.glob<string>('../**/*.{ts,tsx}', {
  query: '?raw',
  import: 'default',
  eager: true,
});

// Names and texts in the data come from anywhere: they are written as text, never read as markup or code.
it('hands no text to the browser as markup or code', () => {
  const doors =
    /dangerouslySetInnerHTML|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/;
  const own = Object.entries(files).filter(([path]) => !path.endsWith('.test.ts'));
  expect(own.length).toBeGreaterThan(20);
  for (const [path, text] of own) expect([path, doors.exec(text)]).toEqual([path, null]);
});

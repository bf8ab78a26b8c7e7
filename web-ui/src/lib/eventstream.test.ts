import { describe, expect, it } from 'vitest';
import { EventReader, type StreamEvent } from './eventstream';

const text =
  'retry: 2000\n\n: a comment\n\nid: 7\nevent: change\ndata: {"a":\ndata: "b: c"}\n\n' +
  'event: reset\r\nid:8\r\ndata:\r\n\r\nevent: none\n\ndata: plain\n\nid: 9\ndata: not whole';
const events: StreamEvent[] = [
  { event: 'change', id: '7', data: '{"a":\n"b: c"}' },
  { event: 'reset', id: '8', data: '' },
  { event: 'message', id: '', data: 'plain' },
];

describe('a stream of events', () => {
  it('is the same in whatever pieces it comes', () => {
    for (let size = 1; size <= text.length; size++) {
      const found: StreamEvent[] = [];
      const reader = new EventReader((event) => found.push(event));
      for (let at = 0; at < text.length; at += size) reader.take(text.slice(at, at + size));
      expect(found).toEqual(events);
    }
  });
});

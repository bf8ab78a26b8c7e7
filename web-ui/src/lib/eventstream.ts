/** Server-sent events out of a text that comes in pieces (HTML Standard, clause 9.2.6). Pure. */

export interface StreamEvent {
  event: string;
  /** "" where the event names none. */
  id: string;
  data: string;
}

export class EventReader {
  private rest = '';
  private event = '';
  private id = '';
  private data: string[] = [];

  constructor(private readonly told: (event: StreamEvent) => void) {}

  /** The next piece; it may end anywhere, also between the two signs of a line's end. */
  take(piece: string): void {
    this.rest += piece;
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(this.rest);
      if (!end) return;
      const line = this.rest.slice(0, end.index);
      this.rest = this.rest.slice(end.index + end[0].length);
      this.line(line);
    }
  }

  private line(line: string): void {
    if (!line) {
      if (this.data.length) {
        this.told({ event: this.event || 'message', id: this.id, data: this.data.join('\n') });
      }
      this.event = this.id = '';
      this.data = [];
      return;
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.data.push(value);
    else if (name === 'event') this.event = value;
    else if (name === 'id') this.id = value;
  }
}

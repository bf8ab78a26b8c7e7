/**
 * The past, played: what was so at an instant, then every change at its time.
 *
 * A replay hands on changes exactly as a live stream does; who draws them need not know which it is. It asks
 * for windows ahead of the clock, so that playing does not stop for the network, and stands still where they
 * are late rather than leave out what happened. Pure: it is handed what reads, draws and waits.
 */
import type { Change } from '../api/live';

export interface Window {
  changes: Change[];
  /** The instant up to which the window is whole, as the node writes it. */
  until: string;
  more: boolean;
}

export interface ReplayPorts {
  state(at: string, stop: AbortSignal): Promise<Change[]>;
  changes(after: string, until: string, stop: AbortSignal): Promise<Window>;
  /** `initial` belongs to what was so already: nothing happened at this moment. */
  apply(change: Change, initial: boolean): void;
  tell(phase: ReplayPhase, error?: unknown): void;
  /** Whether it may come right by itself. */
  passing(error: unknown): boolean;
}

export type ReplayPhase = 'loading' | 'ready' | 'away' | 'refused';

/** So many seconds of playing are asked for at once, and asked for again when half of them are left. */
const aheadSeconds = 12;
const shortestWindow = 60_000;
const firstPause = 1_000;
const longestPause = 30_000;

/** When a change of the past was observed, in milliseconds. */
export const timeOf = ({ at }: Change): number => Date.parse(at);

export class Replay {
  private waiting: Change[] = [];
  /** How far the changes are known. */
  private known = '';
  private at = 0;
  private stopper = new AbortController();
  private reading = false;
  private broken = false;

  /**
   * @param end where the replay ends, in milliseconds
   * @param speed seconds of the past in one second, to begin with: how far ahead to read
   */
  constructor(
    private readonly ports: ReplayPorts,
    private readonly end: number,
    private speed: number,
  ) {}

  /** Shows what was so at an instant; whatever was under way is given up. */
  async seek(at: number): Promise<void> {
    this.stop();
    const { signal } = (this.stopper = new AbortController());
    this.at = at;
    this.waiting = [];
    this.known = '';
    this.broken = false;
    this.ports.tell('loading');
    const from = new Date(at).toISOString();
    const found = await this.patiently(() => this.ports.state(from, signal), signal);
    if (!found) return;
    for (const change of found) this.ports.apply(change, true);
    this.known = from;
    this.ports.tell('ready');
    // Who plays next shall not have to wait.
    void this.readAhead();
  }

  /**
   * Moves the clock on and hands over what happened until then.
   *
   * @param to milliseconds since 1970
   * @param speed as above
   * @returns how far it came: not so far while changes are still on their way
   */
  advance(to: number, speed: number): number {
    if (!this.known) return this.at;
    this.speed = speed;
    const reached = Math.max(this.at, Math.min(to, Date.parse(this.known), this.end));
    let count = 0;
    while (count < this.waiting.length && timeOf(this.waiting[count] as Change) <= reached) count++;
    for (const change of this.waiting.splice(0, count)) this.ports.apply(change, false);
    this.at = reached;
    void this.readAhead();
    return reached;
  }

  /** Gives up what is under way. */
  stop(): void {
    this.stopper.abort();
    this.reading = false;
  }

  private async readAhead(): Promise<void> {
    const { signal } = this.stopper;
    if (this.reading || this.broken || signal.aborted) return;
    const ahead = Math.max(shortestWindow, this.speed * aheadSeconds * 1000);
    const known = Date.parse(this.known);
    if (known >= this.end || known - this.at > ahead / 2) return;
    this.reading = true;
    const until = new Date(Math.min(this.end, this.at + ahead)).toISOString();
    const found = await this.patiently(() => this.ports.changes(this.known, until, signal), signal);
    if (signal.aborted) return;
    this.reading = false;
    if (!found) return;
    this.waiting.push(...found.changes);
    this.known = found.more ? found.until : until;
    if (found.more) void this.readAhead();
  }

  /** Reads until it succeeds, with growing pauses; undefined where it was given up. */
  private async patiently<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    let pause = firstPause;
    let missed = false;
    while (!signal.aborted) {
      try {
        const found = await read();
        if (signal.aborted) return undefined;
        if (missed) this.ports.tell('ready');
        return found;
      } catch (error) {
        if (signal.aborted) return undefined;
        if (!this.ports.passing(error)) {
          this.broken = true;
          this.ports.tell('refused', error);
          return undefined;
        }
        missed = true;
        this.ports.tell('away', error);
        await new Promise((resolve) => setTimeout(resolve, pause));
        pause = Math.min(pause * 2, longestPause);
      }
    }
    return undefined;
  }
}

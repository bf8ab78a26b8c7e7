import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Change } from '../api/live';
import { Replay, type ReplayPhase, type ReplayPorts, timeOf } from './replay';

const start = Date.parse('2026-06-29T00:00:00Z');
const end = start + 3_600_000;
const iso = (at: number): string => new Date(at).toISOString();

function change(second: number): Change {
  const observedAt = iso(start + second * 1000);
  return {
    at: observedAt,
    kind: 'entityUpdated',
    entityId: `urn:lamp:${second % 7}`,
    type: ['Lamp'],
    changes: [{ name: 'level', value: second, observedAt }],
  };
}

/** A node with one change every 10 seconds, which answers no more than 50 of them at once. */
class Past {
  applied: [second: number, initial: boolean][] = [];
  phases: ReplayPhase[] = [];
  away = 0;
  asked: [string, string][] = [];

  ports(): ReplayPorts {
    const answer = async <T>(make: () => T): Promise<T> => {
      await Promise.resolve();
      if (this.away > 0) {
        this.away--;
        throw new Error('away');
      }
      return make();
    };
    const all = Array.from({ length: 361 }, (_, index) => change(index * 10));
    return {
      state: (at) => answer(() => all.filter((each) => timeOf(each) <= Date.parse(at)).slice(-7)),
      changes: (after, until) => {
        this.asked.push([after, until]);
        return answer(() => {
          const found = all.filter(
            (each) => timeOf(each) > Date.parse(after) && timeOf(each) <= Date.parse(until),
          );
          const changes = found.slice(0, 50);
          const more = found.length > 50;
          return { changes, until: more ? iso(timeOf(changes[49] as Change)) : until, more };
        });
      },
      apply: (each, initial) => this.applied.push([each.changes[0]?.value as number, initial]),
      tell: (phase) => this.phases.push(phase),
      passing: (error) => (error as Error).message === 'away',
    };
  }

  happened(): number[] {
    return this.applied.filter(([, initial]) => !initial).map(([second]) => second);
  }
}

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a replay', () => {
  it('begins with what was so, then tells every change once, in order', async () => {
    const past = new Past();
    const replay = new Replay(past.ports(), end, 60);
    await replay.seek(start + 600_000);
    expect(past.applied.map(([second]) => second)).toEqual([540, 550, 560, 570, 580, 590, 600]);
    expect(past.phases).toEqual(['loading', 'ready']);
    let at = start + 600_000;
    // A quarter of a second, six hundred times as fast, until the end.
    for (let step = 0; step < 200 && at < end; step++) {
      at = replay.advance(at + 150_000, 600);
      await settle();
    }
    expect(at).toBe(end);
    expect(past.happened()).toEqual(Array.from({ length: 300 }, (_, index) => 610 + index * 10));
    // No window was asked for twice.
    expect(new Set(past.asked.map(([after]) => after)).size).toBe(past.asked.length);
  });

  it('stands still where changes are late, and leaves none out', async () => {
    const past = new Past();
    const replay = new Replay(past.ports(), end, 60);
    await replay.seek(start);
    expect(replay.advance(start + 120_000, 60)).toBe(start);
    expect(past.happened()).toEqual([]);
    await settle();
    expect(replay.advance(start + 120_000, 60)).toBe(start + 120_000);
    expect(past.happened().at(-1)).toBe(120);
  });

  it('begins anew where the reader goes, and forgets what it had asked for', async () => {
    const past = new Past();
    const replay = new Replay(past.ports(), end, 60);
    await replay.seek(start + 1_800_000);
    replay.advance(start + 1_800_000, 60);
    void replay.seek(start + 1_000_000);
    await replay.seek(start + 60_000);
    past.applied = [];
    await settle();
    replay.advance(start + 60_000, 60);
    await settle();
    replay.advance(start + 90_000, 60);
    expect(past.happened()).toEqual([70, 80, 90]);
  });

  it('tries again when the node is away, and says so', async () => {
    const past = new Past();
    const replay = new Replay(past.ports(), end, 60);
    past.away = 2;
    void replay.seek(start);
    await settle();
    expect(past.phases).toEqual(['loading', 'away']);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(past.phases.at(-1)).toBe('away');
    await vi.advanceTimersByTimeAsync(2_000);
    expect(past.phases.at(-1)).toBe('ready');
    // It is away again when the clock has come near the end of what is known.
    await settle();
    replay.advance(start + 10_000, 60);
    past.away = 1;
    replay.advance(start + 700_000, 60);
    await settle();
    expect(past.phases.at(-1)).toBe('away');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(past.phases.at(-1)).toBe('ready');
    replay.advance(start + 730_000, 60);
    expect(past.happened()).toEqual(Array.from({ length: 73 }, (_, index) => 10 + index * 10));
  });

  it('does not ask again for what was refused', async () => {
    const past = new Past();
    const ports = past.ports();
    const refused = { ...ports, state: () => Promise.reject(new Error('no such type')) };
    const replay = new Replay(refused, end, 60);
    await replay.seek(start);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(past.phases).toEqual(['loading', 'refused']);
    expect(replay.advance(start + 10_000, 60)).toBe(start);
  });

  it('says nothing more once it was stopped', async () => {
    const past = new Past();
    const replay = new Replay(past.ports(), end, 60);
    const seeking = replay.seek(start);
    replay.stop();
    await seeking;
    expect(past.applied).toEqual([]);
    expect(past.phases).toEqual(['loading']);
  });
});

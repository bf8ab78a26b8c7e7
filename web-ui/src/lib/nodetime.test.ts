import { describe, expect, it } from 'vitest';
import { clockError, hearTime, nodeNow } from './nodetime';

const told = (time: number, more: Record<string, string> = {}): Headers =>
  new Headers({ Date: new Date(time).toUTCString(), ...more });

describe("the node's time", () => {
  it('is heard from its answers, and a wrong clock of the device with it', () => {
    const now = Date.now();
    hearTime(told(now), now - 20, now + 20);
    expect(clockError.value).toBe(0);
    expect(Math.abs(nodeNow() - now)).toBeLessThan(2_000);

    hearTime(told(now - 3_600_000), now - 20, now + 20);
    expect(Math.round(clockError.value / 60_000)).toBe(60);
    expect(Math.abs(nodeNow() - (now - 3_600_000))).toBeLessThan(2_000);

    // Put right again: the next answer is believed.
    hearTime(told(now), now - 20, now + 20);
    expect(clockError.value).toBe(0);
  });

  it('is not taken from an answer that was kept, came late or tells none', () => {
    const now = Date.now();
    hearTime(told(now), now, now);
    hearTime(told(now - 900_000, { 'Cache-Control': 'max-age=3600' }), now, now);
    hearTime(told(now - 900_000, { Age: '900' }), now, now);
    hearTime(told(now - 900_000), now - 30_000, now);
    hearTime(new Headers(), now, now);
    expect(clockError.value).toBe(0);
  });
});

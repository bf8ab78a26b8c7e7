import { describe, expect, it } from 'vitest';
import { clockError, hearTime, nodeNow, playedSpeed } from './nodetime';

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

  it('is that of the played day, at its speed, where a node plays one', () => {
    const now = Date.now();
    const day = Date.parse('2011-08-28T11:48:00Z');
    const headers = (speed: number): Headers =>
      told(now, { 'Cityloom-Time': `2011-08-28T11:48:00.5Z; speed=${speed}` });
    expect(playedSpeed.value).toBeNull();

    hearTime(headers(600), now - 10_000, now - 10_000);
    expect(playedSpeed.value).toBe(600);
    expect(clockError.value).toBe(0);
    expect(nodeNow() - day).toBeGreaterThanOrEqual(6_000_500);

    // It stands: so does its time here.
    hearTime(headers(0), now - 10_000, now - 10_000);
    expect(nodeNow()).toBe(day + 500);
  });
});

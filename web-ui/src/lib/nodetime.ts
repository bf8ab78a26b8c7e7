/**
 * The node's time. What is recent and how old something is goes by the clock of the node that recorded it: a
 * reader's own clock may be wrong, and says nothing about the city.
 */
import { computed, signal } from '@preact/signals';

/** Beyond this the reader is told. */
const tolerance = 60_000;
/** A smaller difference is the road's, not the clock's. */
const coarseness = 2_000;
const slowest = 10_000;

/** How far the node's clock is ahead of this device's, in milliseconds; null until an answer told. */
const ahead = signal<number | null>(null);

/** The clock of a node that plays recorded time: where it stood, when that was heard, and its speed. */
const played = signal<{ at: number; heard: number; speed: number } | null>(null);

/** How many seconds of the node's time pass in one, 0 while it stands; null where it is the world's time. */
export const playedSpeed = computed(() => played.value?.speed ?? null);

/** What time it is at the node, in milliseconds since 1970. */
export function nodeNow(): number {
  const now = Date.now();
  const told = played.value;
  return told ? told.at + (now - told.heard) * told.speed : now + (ahead.value ?? 0);
}

/** How wrong this device's clock is: positive when it is fast, 0 while it is right enough. */
export const clockError = computed(() =>
  !played.value && Math.abs(ahead.value ?? 0) > tolerance ? -(ahead.value ?? 0) : 0,
);

/**
 * Takes the node's time from an answer.
 *
 * @param headers of an answer; one that a browser may have kept tells an old time and is passed over
 * @param sent when the request was made, by this device's clock
 * @param received when its answer came, by the same
 */
export function hearTime(headers: Headers, sent: number, received: number): void {
  const simulated = /^(\S+); speed=([\d.e+]+)$/.exec(headers.get('Cityloom-Time') ?? '');
  if (simulated) {
    const [, time = '', speed = '0'] = simulated;
    played.value = { at: Date.parse(time), heard: (sent + received) / 2, speed: Number(speed) };
    return;
  }
  const told = Date.parse(headers.get('Date') ?? '');
  const kept = /max-age=[1-9]/.test(headers.get('Cache-Control') ?? '');
  if (Number.isNaN(told) || kept || headers.has('Age') || received - sent > slowest) return;
  // The header has whole seconds: on the average it is half a second late.
  const found = told + 500 - (sent + received) / 2;
  if (ahead.value === null || Math.abs(found - ahead.value) > coarseness) ahead.value = found;
}

/**
 * The time that is shown. Live and past are one path: either way changes come to `applyChange`, from the
 * node's stream or from its history.
 */
import { computed, effect, signal, untracked } from '@preact/signals';
import { ApiError } from '../api/http';
import { type Asked, readChanges, readState } from '../api/past';
import type { TimeView, View } from '../lib/address';
import { readChoice } from '../lib/colouring';
import { askedTogether } from '../lib/reading';
import { Replay, type ReplayPhase } from '../lib/replay';
import { instant } from './instant';
import { applyChange } from './changes';
import { iso, keyOf, newest, settleLastDay, type Span, span, timeKey } from './span';
import { layers } from './store';
import { go, view } from './view';

/**
 * `empty`: nothing was observed in the whole time; `still`: nothing that a replay shows (a place, or what
 * colours), but other readings; `future`: it has not begun.
 */
export type PastPhase = ReplayPhase | 'empty' | 'still' | 'future';

export const playing = signal(false);
/** Where the past's clock stands, in milliseconds; it runs more finely than the address. */
export const shownAt = signal(0);
/** The clock waits for changes that are still on their way. */
export const waiting = signal(false);
export const pastPhase = signal<PastPhase>('loading');
export const pastError = signal<ApiError | null>(null);

/** Chooses which time is shown; its clock begins at the beginning. */
export function chooseTime(time: TimeView): void {
  playing.value = false;
  if (time.mode === 'last24h') settleLastDay();
  // A field may tell twice what was typed into it: that is no step to come back to.
  go({ time, at: '' }, keyOf(time) !== timeKey.value);
}

/** The time as it shall be sent to others: "the last 24 hours" would be others tomorrow. */
export function lastingTime(): Partial<View> {
  const { mode } = view.value.time;
  const now = span.value;
  if (mode !== 'last24h' || !now) return {};
  return { time: { mode: 'range', from: iso(now.from), to: iso(now.to) } };
}

/** Moves the past's clock, within its time. */
export function seek(at: number): void {
  const within = span.value;
  if (!within) return;
  show(Math.min(within.to, Math.max(within.from, at)));
  void replay?.seek(shownAt.value);
}

export function play(on = !playing.value): void {
  const within = span.value;
  if (!within) {
    if (!on) return;
    chooseTime({ mode: 'last24h' });
  } else if (on && shownAt.value >= within.to) {
    seek(within.from);
  }
  playing.value = on;
  if (on) tick();
  else if (span.value) show(exact);
}

export const chooseSpeed = (speed: number): void => go({ speed }, false);

let replay: Replay | null = null;
let probing: AbortController | null = null;
let asked: Asked = { types: [], attributes: [] };

let followed: string[] = [];

/** The shown layers that have been read, and of each the attributes that can be seen. */
const wanted = computed<Asked>(() => {
  const shown = layers.value.flatMap(({ visible, phase, layer: { type, geometry } }) =>
    visible && geometry
      ? [{ type, ready: phase === 'ready', settled: phase === 'ready' || phase === 'error' }]
      : [],
  );
  const types = (followed = askedTogether(shown, followed));
  const { colours } = view.value;
  const coloured = types.flatMap((type) =>
    colours[type] ? [readChoice(colours[type]).attribute] : [],
  );
  return { types, attributes: [...new Set(['location', 'stale', 'name', ...coloured])] };
});

export interface Live {
  /** Stops following live changes. */
  hold(): void;
  /** Reads what is so now, and follows the changes from there. */
  resume(): void;
}

/** Shows the time that the view names, now and whenever it names another. */
export function followTime(live: Live): void {
  if (view.value.time.mode === 'last24h') settleLastDay();
  let key = 'live';
  effect(() => {
    const within = span.value;
    const { at } = view.value;
    const { types, attributes } = wanted.value;
    untracked(() => {
      if (!within) {
        if (key === 'live') return;
        key = 'live';
        leave();
        live.resume();
        return;
      }
      const beginning = key !== timeKey.value;
      if (key === 'live') live.hold();
      key = timeKey.value;
      const place = placeIn(within, at);
      const fresh =
        types.some((type) => !asked.types.includes(type)) ||
        attributes.some((name) => !asked.attributes.includes(name));
      const gone = types.length < asked.types.length;
      asked = { types, attributes };
      if (beginning) enter(within, place);
      // The address was changed by someone else than the clock: Back, or a link.
      else if (Math.abs(place - written) > 1_000) seek(place);
      else if (fresh) void replay?.seek(shownAt.value);
      if (beginning || fresh || gone) void lookForAny(within);
    });
  });
}

function placeIn({ from, to }: Span, at: string): number {
  return at ? Math.min(to, Math.max(from, Date.parse(at))) : from;
}

function enter(within: Span, place: number): void {
  replay?.stop();
  replay = new Replay(
    {
      state: (at, stop) => (asked.types.length ? readState(asked, at, stop) : Promise.resolve([])),
      changes: (after, until, stop) =>
        asked.types.length
          ? readChanges(asked, { after, until }, stop)
          : Promise.resolve({ changes: [], until, more: false }),
      apply: (change, initial) => applyChange(change, initial),
      tell: (phase, error) => {
        pastPhase.value = phase === 'ready' ? content : phase;
        pastError.value = error instanceof ApiError ? error : null;
      },
      passing: (error) => error instanceof ApiError && (error.status === 0 || error.status >= 500),
    },
    within.to,
    view.value.speed,
  );
  content = 'ready';
  show(place);
  if (within.from >= newest()) {
    replay = null;
    pastPhase.value = 'future';
    return;
  }
  void replay.seek(place);
}

function leave(): void {
  replay?.stop();
  probing?.abort();
  replay = null;
  asked = { types: [], attributes: [] };
  playing.value = false;
  waiting.value = false;
  instant.value = '';
}

/** What the whole time has to show; asked apart, so that it can be said before playing. */
let content: 'ready' | 'empty' | 'still' = 'ready';

async function lookForAny(within: Span): Promise<void> {
  probing?.abort();
  const { signal: stop } = (probing = new AbortController());
  if (!asked.types.length || pastPhase.value === 'future') return;
  try {
    if (await isAny(asked, within, stop)) content = 'ready';
    else content = (await isAny({ ...asked, attributes: [] }, within, stop)) ? 'still' : 'empty';
  } catch {
    // The replay itself says that the node is away.
    return;
  }
  if (['ready', 'empty', 'still'].includes(pastPhase.value)) pastPhase.value = content;
}

/** Whether anything was observed within a time. */
async function isAny(of: Asked, { from, to }: Span, stop: AbortSignal): Promise<boolean> {
  let after = iso(from);
  // A node tells of a long and busy time in pieces.
  for (;;) {
    const found = await readChanges(of, { after, until: iso(to), limit: 1 }, stop);
    if (found.changes.length || (found.more && found.until === after)) return true;
    if (!found.more) return false;
    after = found.until;
  }
}

/** The place of the clock that stands in the address. */
let written = 0;
let writtenWhen = 0;

/** Puts the clock somewhere, in the address too. */
function show(at: number): void {
  exact = at;
  shownAt.value = at;
  written = Math.floor(at / 1000) * 1000;
  writtenWhen = performance.now();
  instant.value = iso(at);
  if (view.value.at !== iso(at)) go({ at: iso(at) }, false);
}

const addressEvery = 1_000;
/** A wait that is shorter than this is none, to a reader. */
const patience = 400;
let waitingSince = 0;
const shownEvery = 100;
let shownWhen = 0;
let last = 0;
/** Where the clock is now; what is shown follows ten times a second. */
let exact = 0;

function tick(): void {
  last = performance.now();
  waitingSince = last;
  requestAnimationFrame(step);
}

/** One frame of the clock: it goes as far as the changes are known. */
function step(now: number): void {
  const within = span.value;
  if (!playing.value || !within || !replay) return;
  // A page that was hidden gets no frames: it goes on where it stood.
  const passed = Math.min(1_000, Math.max(0, now - last)) * view.value.speed;
  last = now;
  const goal = Math.min(within.to, exact + passed);
  const reached = replay.advance(goal, view.value.speed);
  if (reached >= goal) waitingSince = now;
  waiting.value = now - waitingSince > patience;
  exact = Math.max(exact, reached);
  if (exact >= within.to) {
    play(false);
    return;
  }
  if (now - writtenWhen >= addressEvery) show(exact);
  else if (now - shownWhen >= shownEvery) {
    shownAt.value = exact;
    shownWhen = now;
    // The chosen object is told of the same time as the clock; it is read no oftener than that is worth.
    instant.value = iso(exact);
  }
  requestAnimationFrame(step);
}

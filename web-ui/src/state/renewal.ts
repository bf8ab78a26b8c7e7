/** Classes are made anew when values leave them, and when another time is shown. */
import { effect, signal, untracked } from '@preact/signals';
import { withRoom } from '../lib/colouring';
import { areOld, classesAre, classesKey, readClasses } from './classes';
import { askedOf, drawLayer } from './layers';
import { isPast } from './span';
import { layerState, layers, patchLayer } from './store';

/** Values seldom leave their classes alone; and colours that change all the time could not be read. */
const pause = 5_000;

const due = new Set<string>();
/** What came to each layer while its classes were on their way. */
const reading = new Map<string, unknown[]>();
const retries = signal(0);

/** A value came to a coloured layer: the legend has room for it at once, classes of their own follow. */
export function valueCame(type: string, value: unknown): void {
  reading.get(type)?.push(value);
  const colouring = layerState(type)?.colouring ?? null;
  const wider = colouring && withRoom(colouring, value);
  if (wider !== colouring) patchLayer(type, { colouring: wider });
  // How many have each value is told too.
  else if (colouring?.kind === 'numbers') return;
  if (!isPast.value) renewLater(type);
}

function renewLater(type: string): void {
  if (due.has(type)) return;
  due.add(type);
  setTimeout(() => {
    due.delete(type);
    if (!isPast.value) void renew(type);
  }, pause);
}

/** Reads the classes of a layer once more, but not its objects. */
async function renew(type: string): Promise<void> {
  const key = classesKey(type);
  if (reading.has(type) || !key) return;
  const came: unknown[] = [];
  reading.set(type, came);
  try {
    let colouring = await readClasses(type, askedOf(type));
    if (key !== classesKey(type)) return;
    for (const value of came) colouring &&= withRoom(colouring, value);
    patchLayer(type, { colouring });
    classesAre(type, key);
    drawLayer(type);
  } catch {
    // The live state tells that the node is away, the legend that the classes are old.
    await new Promise((done) => setTimeout(done, pause));
  } finally {
    reading.delete(type);
    if (areOld(type)) retries.value++;
  }
}

/** Follows the time that is shown: what was read for another one is read anew. */
export function followClasses(): void {
  effect(() => {
    void retries.value;
    for (const { layer, phase } of layers.value) {
      if (phase !== 'ready' || !areOld(layer.type)) continue;
      untracked(() => void renew(layer.type));
    }
  });
}

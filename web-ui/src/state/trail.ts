/** The way that led to the chosen object. */
import { effect, signal, untracked } from '@preact/signals';
import { nameOf } from '../lib/entity';
import { type Step, walked } from '../lib/trail';
import { entity } from './store';

export const trail = signal<Step[]>([]);

export function followTrail(): void {
  effect(() => {
    const now = entity.value;
    const steps = untracked(() => trail.value);
    if (!now) trail.value = [];
    // A step has its name once it has been read; until then the one before it is the last.
    else if (now.phase !== 'loading') {
      trail.value = walked(steps, { id: now.id, types: now.types, name: nameOf(now.rows) });
    }
  });
}

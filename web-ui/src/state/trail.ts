/** The objects that were walked through, one after the other: the way back. */
import { effect, signal, untracked } from '@preact/signals';
import type { Name } from '../api/city';
import { nameOf } from '../lib/entity';
import { entity } from './store';

export interface Step {
  id: string;
  types: string[];
  name: Name | undefined;
}

export const trail = signal<Step[]>([]);
const longest = 12;

/** An object that was there already is where the way goes on: Back must not make it longer. */
export function walked(steps: readonly Step[], step: Step): Step[] {
  const at = steps.findIndex(({ id }) => id === step.id);
  return [...(at < 0 ? steps : steps.slice(0, at)), step].slice(-longest);
}

export function followTrail(): () => void {
  return effect(() => {
    const now = entity.value;
    const steps = untracked(() => trail.value);
    if (!now) trail.value = [];
    // A step has its name once it has been read; until then the one before it is the last.
    else if (now.phase !== 'loading') {
      trail.value = walked(steps, { id: now.id, types: now.types, name: nameOf(now.rows) });
    }
  });
}

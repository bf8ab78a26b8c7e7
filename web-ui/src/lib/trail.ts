/** The objects that were walked through, one after the other. Pure. */
import type { Name } from '../api/city';

export interface Step {
  id: string;
  types: string[];
  name: Name | undefined;
}

const longest = 12;

/** An object that was there already is where the way goes on: going back must not make it longer. */
export function walked(steps: readonly Step[], step: Step): Step[] {
  const at = steps.findIndex(({ id }) => id === step.id);
  return [...(at < 0 ? steps : steps.slice(0, at)), step].slice(-longest);
}

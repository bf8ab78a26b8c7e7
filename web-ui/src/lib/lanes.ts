/** Several series in one picture: what shares a unit shares an axis, the others lie below each other. */

export interface Laned {
  kind: 'empty' | 'numbers' | 'bands' | 'states';
  unitCode: string | undefined;
}

/** Series by the lane they are drawn in, in the order of their first; each of states has a lane of its own. */
export function lanesOf<S extends Laned>(series: readonly S[]): S[][] {
  const lanes: S[][] = [];
  const byUnit = new Map<string, S[]>();
  for (const one of series) {
    if (one.kind === 'empty') continue;
    const shared = one.kind === 'states' ? undefined : byUnit.get(one.unitCode ?? '');
    if (shared) {
      shared.push(one);
      continue;
    }
    const lane = [one];
    lanes.push(lane);
    if (one.kind !== 'states') byUnit.set(one.unitCode ?? '', lane);
  }
  return lanes;
}

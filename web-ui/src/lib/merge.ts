/** Two changes of one object as one, for who draws only what it came to. Pure. */
import type { Change } from '../api/live';

/** @param later happened after `earlier`; what it says of an attribute stands, the rest of both is kept */
export function merged(earlier: Change | undefined, later: Change): Change {
  if (!earlier) return later;
  const { location: before, ...rest } = earlier;
  const { location: after, ...own } = later;
  // A place that was taken away is not the place of before.
  const lost = later.changes.some(
    ({ name, datasetId, deleted }) => name === 'location' && !datasetId && deleted,
  );
  const location = after ?? (lost ? undefined : before);
  const made = earlier.kind === 'entityCreated' && later.kind === 'entityUpdated';
  return {
    ...rest,
    ...own,
    kind: made ? 'entityCreated' : later.kind,
    // The newest first: whoever looks for an attribute finds its last value.
    changes: [...later.changes, ...earlier.changes],
    ...(location ? { location } : {}),
  };
}

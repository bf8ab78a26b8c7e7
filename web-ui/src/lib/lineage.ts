/**
 * What a PROV document says about an object, as a short list: who or what wrote its values.
 *
 * Source: PROV-JSON (W3C member submission, 2013).
 */

type Records = Record<string, Record<string, unknown>>;
export interface ProvDocument {
  entity?: Records;
  activity?: Records;
  agent?: Records;
  used?: Records;
  wasGeneratedBy?: Records;
  wasDerivedFrom?: Records;
  wasAssociatedWith?: Records;
}

/** One writing: a run of a source, a request, the node itself. */
export interface Origin {
  activity: string;
  /** "run", "feed", "request", "system" …: the kind of cause that the node names. */
  kind: string;
  /** The source's id; "" for what no source brought. */
  source: string;
  files: string[];
  /** When its newest value was written. */
  time: string;
  /** The attributes whose present values it wrote. */
  attributes: string[];
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const localPart = (name: string): string => name.slice(name.indexOf(':') + 1);

/** The writings behind an object's values, the newest first. */
export function originsOf(document: ProvDocument): Origin[] {
  const origins = new Map<string, Origin>();
  for (const generation of Object.values(document.wasGeneratedBy ?? {})) {
    const activity = text(generation['prov:activity']);
    const told = document.activity?.[activity] ?? {};
    const origin = origins.get(activity) ?? {
      activity,
      kind: localPart(text(told['prov:type'])),
      source: text(told['cityloom:source']),
      files: [],
      time: '',
      attributes: [],
    };
    origins.set(activity, origin);
    const time = text(generation['prov:time']);
    if (time > origin.time) origin.time = time;
    const value = document.entity?.[text(generation['prov:entity'])];
    const name = text(value?.['ngsi-ld:name']);
    if (name && !origin.attributes.includes(name)) origin.attributes.push(name);
  }
  for (const use of Object.values(document.used ?? {})) {
    const origin = origins.get(text(use['prov:activity']));
    const file = text(use['prov:entity']);
    const label = text(document.entity?.[file]?.['prov:label']) || file;
    if (origin && !origin.files.includes(label)) origin.files.push(label);
  }
  return [...origins.values()].sort((a, b) => b.time.localeCompare(a.time));
}

/** What led to one value: who and which file, which run or request, the value. */
export type ProvNode =
  | { id: string; kind: 'file'; label: string; sha256: string; row: number | null }
  | { id: string; kind: 'agent'; label: string }
  | { id: string; kind: 'activity'; cause: string; source: string; time: string }
  | { id: string; kind: 'value'; value: unknown; observedAt: string };

export interface ProvGraph {
  nodes: ProvNode[];
  /** Ids of nodes; from what was there before to what was made of it. */
  edges: { from: string; to: string }[];
}

/**
 * The graph behind the newest value that a document tells of.
 *
 * A document may hold several, of one time that a source repeated: the one that was written last counts.
 */
export function graphOf(document: ProvDocument): ProvGraph {
  const generations = Object.values(document.wasGeneratedBy ?? {});
  const seq = (generation: Record<string, unknown>): number =>
    Number(document.entity?.[text(generation['prov:entity'])]?.['cityloom:seq'] ?? 0);
  const generation = generations.reduce<Record<string, unknown> | undefined>(
    (last, each) => (last && seq(last) >= seq(each) ? last : each),
    undefined,
  );
  if (!generation) return { nodes: [], edges: [] };
  const value = text(generation['prov:entity']);
  const activity = text(generation['prov:activity']);
  const nodes: ProvNode[] = [];
  const edges: ProvGraph['edges'] = [];
  const derived = Object.values(document.wasDerivedFrom ?? {}).find(
    (each) => each['prov:generatedEntity'] === value,
  );
  for (const use of Object.values(document.used ?? {})) {
    const id = text(use['prov:entity']);
    // A run reads many files; the value is of one of them.
    if (use['prov:activity'] !== activity || (derived && derived['prov:usedEntity'] !== id))
      continue;
    const told = document.entity?.[id];
    const row = derived?.['cityloom:row'];
    nodes.push({
      id,
      kind: 'file',
      label: text(told?.['prov:label']) || id,
      sha256: text(told?.['cityloom:sha256']),
      row: typeof row === 'number' ? row : null,
    });
    edges.push({ from: id, to: activity });
  }
  for (const association of Object.values(document.wasAssociatedWith ?? {})) {
    const id = text(association['prov:agent']);
    if (association['prov:activity'] !== activity) continue;
    nodes.push({ id, kind: 'agent', label: text(document.agent?.[id]?.['prov:label']) || id });
    edges.push({ from: id, to: activity });
  }
  const told = document.activity?.[activity] ?? {};
  nodes.push({
    id: activity,
    kind: 'activity',
    cause: localPart(text(told['prov:type'])),
    source: text(told['cityloom:source']),
    time: text(generation['prov:time']),
  });
  const made = document.entity?.[value] ?? {};
  nodes.push({
    id: value,
    kind: 'value',
    value: made['prov:value'] ?? null,
    observedAt: text(made['ngsi-ld:observedAt']),
  });
  edges.push({ from: activity, to: value });
  return { nodes, edges };
}

/** The last part of a file's path, and the folders before it. */
export function filePath(path: string): { folder: string; name: string } {
  const at = path.lastIndexOf('/') + 1;
  return { folder: path.slice(0, at), name: path.slice(at) };
}

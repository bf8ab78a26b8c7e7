/**
 * What a PROV document says about an object, as a short list: who or what wrote its values.
 *
 * Source: PROV-JSON (W3C member submission, 2013).
 */

type Records = Record<string, Record<string, unknown>>;
export interface ProvDocument {
  entity?: Records;
  activity?: Records;
  used?: Records;
  wasGeneratedBy?: Records;
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

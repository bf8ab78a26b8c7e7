/** What was searched for and found: the node is asked a little after the last letter, about the newest text alone. */
import { computed, effect, signal } from '@preact/signals';
import { ApiError } from '../api/http';
import { type Found, search } from '../api/table';
import { readCoordinates } from '../lib/coordinates';
import { compareTexts, language } from '../lib/i18n';
import { typeLabel, typeNames } from '../lib/names';
import { layers } from './store';
import { listed } from './walk';

export type Option =
  | { kind: 'place'; lon: number; lat: number }
  | { kind: 'type'; type: string }
  | { kind: 'object'; id: string; types: string[]; name: string; placed: boolean }
  /** What is an id but was not found may be there all the same. */
  | { kind: 'id'; id: string };

interface Answered {
  text: string;
  results: Found[];
  more: boolean;
  error: ApiError | null;
}

const pause = 200;
const mostResults = 30;
const mostTypes = 5;
/** The node takes no longer text. */
export const longestText = 200;

export const text = signal('');
const answered = signal<Answered>({ text: '', results: [], more: false, error: null });

const typed = computed(() => text.value.trim());

export const searching = computed(() => typed.value !== '' && answered.value.text !== typed.value);
export const failed = computed(() => (searching.value ? null : answered.value.error));
export const more = computed(() => !searching.value && answered.value.more);

/** What can be chosen: places and types at once, objects when the node has answered. */
export const options = computed((): Option[] => {
  if (!typed.value) return [];
  const found: Option[] = [];
  const place = readCoordinates(typed.value);
  if (place) found.push({ kind: 'place', lon: place[0], lat: place[1] });
  for (const type of typesLike(typed.value)) found.push({ kind: 'type', type });
  // What was found before stays until there is something newer: the list does not blink at every letter.
  for (const { id, type, name, location } of answered.value.results) {
    found.push({ kind: 'object', id, types: type, name: name ?? '', placed: location !== null });
  }
  const isId = /^[a-z][a-z0-9+.-]*:\S+$/i.test(typed.value);
  if (isId && !searching.value && !found.length) found.push({ kind: 'id', id: typed.value });
  return found;
});

/** Types that are called so in either language; a name that begins with the text comes first. */
function typesLike(wanted: string): string[] {
  const lower = wanted.toLowerCase();
  const ranked = layers.value.flatMap(({ layer: { type, count } }) => {
    const at = typeNames(type)
      .map((name) => name.toLowerCase().indexOf(lower))
      .filter((place) => place >= 0);
    return count > 0 && at.length ? [{ type, at: Math.min(...at, 1) }] : [];
  });
  ranked.sort((a, b) => a.at - b.at || compareTexts(typeLabel(a.type), typeLabel(b.type)));
  return ranked.slice(0, mostTypes).map(({ type }) => type);
}

export function clearSearch(): void {
  text.value = '';
}

export const searchAgain = (): void => void ask(typed.value, language.value);

let running: AbortController | null = null;

async function ask(wanted: string, lang: string): Promise<void> {
  running?.abort();
  running = new AbortController();
  const { signal: stop } = running;
  try {
    const { body } = await search(wanted, mostResults, lang, stop);
    if (!stop.aborted) answered.value = { text: wanted, ...body, error: null };
  } catch (thrown) {
    if (stop.aborted) return;
    const error = thrown instanceof ApiError ? thrown : new ApiError(0, String(thrown), '');
    answered.value = { text: wanted, results: [], more: false, error };
  }
}

effect(() => {
  const [wanted, lang] = [typed.value, language.value];
  if (!wanted) {
    running?.abort();
    answered.value = { text: '', results: [], more: false, error: null };
    return;
  }
  // Names come in the reader's language: another one is another question.
  const timer = setTimeout(() => void ask(wanted, lang), pause);
  return () => clearTimeout(timer);
});

effect(() => {
  listed.value = options.value.flatMap((each) => (each.kind === 'object' ? [each.id] : []));
});

/** Words in the reader's language. No text stands in the code: it stands in `messages/`. */
import { computed, signal } from '@preact/signals';
import en from '../messages/en';
import zh from '../messages/zh';

export type MessageKey = keyof typeof en;
export type Language = 'en' | 'zh';
export type Parameters = Record<string, string | number>;

type PluralStem<Key> = Key extends `${infer Stem}_other` ? Stem : never;
export type PluralKey = PluralStem<MessageKey>;

/** `brief` stands where there is no room for the name. */
export const languages: { code: Language; name: string; brief: string; tag: string }[] = [
  { code: 'en', name: 'English', brief: 'EN', tag: 'en' },
  { code: 'zh', name: '中文', brief: '中', tag: 'zh-Hans' },
];

const messages: Record<Language, Record<string, string>> = { en, zh };
const memory = 'cityloom.language';

export const language = signal<Language>('en');

/** The tags that the reader's browser wishes for, the best first (`navigator.languages`). */
export const wishes = signal<readonly string[]>([]);

/** How numbers, times and orders are written, for every Intl call: the chosen language as the reader's region has it. */
export const locale = computed(() => regionalTag(language.value, wishes.value));

/** The first wished tag of a language with a region, in the script of the page's words; else the language itself. */
export function regionalTag(code: Language, wished: readonly string[]): string {
  const script = languages.find((each) => each.code === code)?.tag.split('-')[1];
  for (const tag of wished) {
    try {
      const found = new Intl.Locale(tag);
      if (found.language !== code || !found.region) continue;
      return new Intl.Locale(tag, script ? { script } : {}).toString();
    } catch {
      // Not every text that a browser was given is a tag.
    }
  }
  return code;
}

/** Orders texts as the reader's language does. */
export const compareTexts = (a: string, b: string): number =>
  new Intl.Collator(locale.value, { numeric: true }).compare(a, b);

function isLanguage(text: string | null | undefined): text is Language {
  return languages.some(({ code }) => code === text);
}

/** The language to begin with: the address, else the reader's last choice, else the browser's. */
export function firstLanguage(search: string, wished: readonly string[]): Language {
  const named = new URLSearchParams(search).get('lang');
  if (isLanguage(named)) return named;
  const kept = recall();
  if (isLanguage(kept)) return kept;
  for (const tag of wished) {
    const primary = tag.toLowerCase().split('-')[0];
    if (isLanguage(primary)) return primary;
  }
  return 'en';
}

export function chooseLanguage(code: Language): void {
  language.value = code;
  try {
    localStorage.setItem(memory, code);
  } catch {
    // A browser may forbid storage; the choice then lasts as long as the page.
  }
}

function recall(): string | null {
  try {
    return localStorage.getItem(memory);
  } catch {
    return null;
  }
}

export function t(key: MessageKey, parameters: Parameters = {}): string {
  return fill(messages[language.value][key] ?? en[key], parameters);
}

/** The message for a count, by the language's own plural rule; `{count}` is written in its digits. */
export function plural(stem: PluralKey, count: number, parameters: Parameters = {}): string {
  const rule = new Intl.PluralRules(locale.value).select(count);
  const own = messages[language.value];
  const text = own[`${stem}_${rule}`] ?? own[`${stem}_other`] ?? stem;
  return fill(text, { count: new Intl.NumberFormat(locale.value).format(count), ...parameters });
}

/** "a, b and c", as the language writes it. */
export const listText = (items: readonly string[]): string =>
  new Intl.ListFormat(locale.value).format(items);

/** A message whose key is made from data (a type's or an attribute's name), when there is one. */
export function known(key: string, wished: Language = language.value): string | undefined {
  return messages[wished][key];
}

export function fill(text: string, parameters: Parameters): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(parameters[name] ?? whole));
}

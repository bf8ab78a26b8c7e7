/** Which types changed lately, told at most once in a while: for what is read anew as a whole when they do. */
import { signal } from '@preact/signals';
import type { Change } from '../api/live';

/** How often each type changed; "" stands for every type. */
export const news = signal<Record<string, number>>({});

/** Changes of this long are told together. */
const pause = 1_000;
const waiting = new Set<string>();
let timer: ReturnType<typeof setTimeout> | undefined;

export const typesChanged = ({ type }: Pick<Change, 'type'>): void => tell(type);

/** Nobody knows what changed. */
export const allChanged = (): void => tell(['']);

function tell(types: readonly string[]): void {
  for (const type of types) waiting.add(type);
  timer ??= setTimeout(() => {
    timer = undefined;
    const told = { ...news.value };
    for (const type of waiting) told[type] = (told[type] ?? 0) + 1;
    waiting.clear();
    news.value = told;
  }, pause);
}

/** A number that grows whenever objects of a type changed. */
export const newsOf = (type: string): number => (news.value[type] ?? 0) + (news.value[''] ?? 0);

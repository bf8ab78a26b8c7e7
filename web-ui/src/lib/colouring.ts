/**
 * Colour by attribute: what a summary of an attribute becomes as classes with colours. Pure.
 *
 * Numbers get viridis in classes that can be told in words; texts the palette of Okabe and Ito. What has
 * no value is grey, and that is told too.
 */
import { palette } from './symbols';

export type Steps = 'quantile' | 'equal';

/** An attribute that colours, and how its numbers are cut into classes. */
export interface ColourChoice {
  attribute: string;
  steps: Steps;
}

const equalSign = 'equal:';

/** As the view holds it: the attribute, with "equal:" before it where steps are equal. */
export function readChoice(text: string): ColourChoice {
  return text.startsWith(equalSign)
    ? { attribute: text.slice(equalSign.length), steps: 'equal' }
    : { attribute: text, steps: 'quantile' };
}

export const writeChoice = ({ attribute, steps }: ColourChoice): string =>
  steps === 'equal' ? `${equalSign}${attribute}` : attribute;

/** What the node tells of an attribute's values. */
export interface Summary {
  /** How many objects have the attribute, and how many do not. */
  count: number;
  missing: number;
  /** `quantiles` are those of the ranks 0, 0.1, 0.25, 0.5, 0.75, 0.9 and 1. */
  numbers?: { count: number; min: number; max: number; quantiles: number[]; whole: boolean };
  /** The most frequent values that are no numbers; `others` have another one. */
  values?: { value: unknown; count: number }[];
  others?: number;
  unitCode?: string;
}

export interface NumberClasses {
  kind: 'numbers';
  attribute: string;
  min: number;
  max: number;
  /** Where one class ends and the next begins, rising: a class more than breaks. A break is in the upper one. */
  breaks: number[];
  /** None of the numbers has a fraction. */
  whole: boolean;
  missing: number;
  unitCode?: string;
}

export interface ValueClasses {
  kind: 'values';
  attribute: string;
  values: { value: string; count: number }[];
  /** How many have a value that got no colour of its own. */
  others: number;
  missing: number;
}

export type Colouring = NumberClasses | ValueClasses;

const classes = 5;

/** The classes of a summary; null where nothing has a value. */
export function colouringOf(choice: ColourChoice, summary: Summary): Colouring | null {
  const { attribute, steps } = choice;
  const { numbers, values, missing, unitCode } = summary;
  if (numbers && numbers.count * 2 >= summary.count) {
    const { min, max, whole } = numbers;
    const breaks = breaksOf(numbers, steps);
    return {
      kind: 'numbers',
      attribute,
      min,
      max,
      breaks,
      whole,
      missing,
      ...(unitCode ? { unitCode } : {}),
    };
  }
  if (!values?.length) return null;
  const named = [...values].sort((a, b) => b.count - a.count).slice(0, palette.length);
  const inNamed = named.reduce((sum, { count }) => sum + count, 0);
  return {
    kind: 'values',
    attribute,
    values: named.map(({ value, count }) => ({ value: String(value), count })),
    others: Math.max(0, summary.count - inNamed),
    missing,
  };
}

/**
 * Up to four breaks, rising, none twice and none at an end: each class can hold something.
 *
 * Each is a number as it can be written in the legend, so that what stands there is what is drawn.
 */
export function breaksOf(
  numbers: Pick<NonNullable<Summary['numbers']>, 'min' | 'max' | 'quantiles' | 'whole'>,
  steps: Steps,
): number[] {
  const { min, max, quantiles, whole } = numbers;
  const digits = digitsOf(numbers);
  const breaks = new Set<number>();
  for (let step = 1; step < classes; step++) {
    const at = step / classes;
    const exact = steps === 'equal' ? min + (max - min) * at : quantileAt(quantiles, at);
    const value = whole ? Math.ceil(exact) : Number(exact.toFixed(digits));
    if (value > min && value <= max) breaks.add(value);
  }
  return [...breaks].sort((a, b) => a - b);
}

/** As many digits after the point as tell the classes apart. */
export function digitsOf({
  min,
  max,
  whole,
}: Pick<NumberClasses, 'min' | 'max' | 'whole'>): number {
  if (whole) return 0;
  const spread = max - min;
  return spread > 0 ? Math.min(12, Math.max(0, 2 - Math.floor(Math.log10(spread)))) : 3;
}

const ranks = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1];

/** The value below which a share of them lies, between the two ranks that are known. */
export function quantileAt(quantiles: readonly number[], share: number): number {
  const high = Math.max(
    1,
    ranks.findIndex((rank) => rank >= share),
  );
  const [from = 0, to = 1] = ranks.slice(high - 1);
  const [low = NaN, up = low] = quantiles.slice(high - 1);
  return low + (up - low) * ((share - from) / (to - from));
}

/** The classes with room for a value that came after they were made; the same ones where it has its place. */
export function withRoom(colouring: Colouring, value: unknown): Colouring {
  const none = value === '' || value === null || value === undefined;
  if (colouring.kind === 'numbers' && typeof value === 'number') {
    const { min, max, whole } = colouring;
    const fits = value >= min && value <= max && (!whole || Number.isInteger(value));
    if (fits) return colouring;
    return {
      ...colouring,
      min: Math.min(min, value),
      max: Math.max(max, value),
      whole: whole && Number.isInteger(value),
    };
  }
  if (colouring.kind === 'numbers' || none) {
    return colouring.missing ? colouring : { ...colouring, missing: 1 };
  }
  const fits = colouring.others > 0 || classOf(colouring, value) !== null;
  return fits ? colouring : { ...colouring, others: 1 };
}

/** In which class a value falls: its number from 0; null where it has no class. */
export function classOf(colouring: Colouring, value: unknown): number | null {
  if (colouring.kind === 'numbers') {
    if (typeof value !== 'number') return null;
    return colouring.breaks.filter((end) => value >= end).length;
  }
  const at = colouring.values.findIndex((each) => each.value === String(value));
  return at < 0 ? null : at;
}

/** Viridis at nine even places (Smith and van der Walt, matplotlib; released under CC0). */
const viridis = [
  [0x44, 0x01, 0x54],
  [0x47, 0x2d, 0x7b],
  [0x3b, 0x52, 0x8b],
  [0x2c, 0x72, 0x8e],
  [0x21, 0x91, 0x8c],
  [0x28, 0xae, 0x80],
  [0x5e, 0xc9, 0x62],
  [0xad, 0xdc, 0x30],
  [0xfd, 0xe7, 0x25],
] as const;

/** So many colours of viridis, evenly; on a dark ground without its darkest part, which nobody would see there. */
export function viridisColours(count: number, dark: boolean): string[] {
  const first = dark ? 0.25 : 0;
  return Array.from({ length: count }, (_, index) => {
    const share = count > 1 ? first + (1 - first) * (index / (count - 1)) : 0.5;
    const place = share * (viridis.length - 1);
    const low = viridis[Math.floor(place)] ?? viridis[0];
    const high = viridis[Math.ceil(place)] ?? low;
    const part = place - Math.floor(place);
    const mixed = low.map((from, at) => Math.round(from + ((high[at] ?? from) - from) * part));
    return `#${mixed.map((each) => each.toString(16).padStart(2, '0')).join('')}`;
  });
}

export const missingColour = '#9b9b9b';
export const otherColour = '#5f6b75';

/** The colours of the classes, in their order. */
export function coloursOf(colouring: Colouring, dark: boolean): string[] {
  if (colouring.kind === 'numbers') return viridisColours(colouring.breaks.length + 1, dark);
  return colouring.values.map((_, index) => palette[index % palette.length] ?? otherColour);
}

/** Areas coloured by what lies within them: their classes, their texts, and how strongly they are drawn. */
import type { Box } from '../api/city';
import { breaksOf, type Steps } from './colouring';
import { numberText } from './format';

/** The map and its legend draw them alike: the ground shows through, and a swatch must be no stronger. */
export const areaOpacity = 0.8;
/** Of an area without a value. */
export const emptyOpacity = 0.25;

export interface AreaClasses {
  breaks: number[];
  min: number;
  max: number;
  whole: boolean;
}

const ranks = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1];

/** The classes of the areas that have a value; null where none has. */
export function areaClasses(values: readonly (number | null)[], steps: Steps): AreaClasses | null {
  const numbers = values.filter((value) => value !== null).sort((a, b) => a - b);
  const [min, max] = [numbers[0], numbers.at(-1)];
  if (min === undefined || max === undefined) return null;
  const whole = numbers.every(Number.isInteger);
  const quantiles = ranks.map((rank) => between(numbers, rank * (numbers.length - 1)));
  return { breaks: breaksOf({ min, max, quantiles, whole }, steps), min, max, whole };
}

/** The value at a place among rising ones; between two places it is between their values. */
function between(rising: readonly number[], place: number): number {
  const low = rising[Math.floor(place)] ?? NaN;
  const high = rising[Math.ceil(place)] ?? low;
  return low + (high - low) * (place - Math.floor(place));
}

/** Room for a name and a number, and for the number alone, in pixels. */
const textWidth = 84;
const numberWidth = 26;
/** Beyond every zoom. */
const never = 99;

/** What is written in an area, and between which zooms. */
export interface AreaText {
  text: string;
  from: number;
  until: number;
}

/**
 * The number first, where there is room for it; from further in the name too.
 *
 * @param box the area's, whose width makes the room
 */
export function areaTexts(name: string, value: number | null, [west, , east]: Box): AreaText[] {
  // The world is 512 pixels wide at zoom 0.
  const zoomFor = (pixels: number): number =>
    Math.log2((pixels * 360) / (512 * Math.max(1e-9, east - west)));
  const near = zoomFor(textWidth);
  if (value === null) return name ? [{ text: name, from: near, until: never }] : [];
  const number = numberText(value, 1);
  return [
    { text: number, from: zoomFor(numberWidth), until: near },
    { text: [name, number].filter(Boolean).join('\n'), from: near, until: never },
  ];
}

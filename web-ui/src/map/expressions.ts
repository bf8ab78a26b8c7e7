/**
 * What the drawing asks of an object. Its state on the page (what came since it was read) goes before what
 * was read with it, so that features and tiles are asked alike.
 */
import type { ExpressionSpecification } from 'maplibre-gl';
import { type Colouring, coloursOf, missingColour, otherColour } from '../lib/colouring';

/** The state of an object whose attribute was taken away: no value at all would let the old one through. */
export const noValue = '';

export const isStale: ExpressionSpecification = [
  '==',
  ['coalesce', ['feature-state', 'stale'], ['get', 'stale']],
  true,
];

/** So much where an object is to be seen; nothing where it moved away, or is no more. */
export function seen(opacity: number | ExpressionSpecification): ExpressionSpecification {
  return ['case', ['to-boolean', ['feature-state', 'hidden']], 0, opacity];
}

export function valueOf(attribute: string): ExpressionSpecification {
  return ['coalesce', ['feature-state', 'value'], ['get', attribute]];
}

/** The colour of an object: the layer's own, or that of the class of its value. */
export function colourOf(
  colouring: Colouring | null,
  plain: string,
  dark: boolean,
): string | ExpressionSpecification {
  if (!colouring) return plain;
  const colours = coloursOf(colouring, dark);
  const value = valueOf(colouring.attribute);
  if (colouring.kind === 'numbers') {
    const classes = stepsOf(['to-number', value], colouring.breaks, colours);
    return ['case', ['==', ['typeof', value], 'number'], classes, missingColour];
  }
  const pairs = colouring.values.flatMap((each, at) => [each.value, colours[at] ?? otherColour]);
  const rest: ExpressionSpecification = [
    'case',
    ['==', ['to-string', value], ''],
    missingColour,
    otherColour,
  ];
  return ['match', ['to-string', value], ...pairs, rest] as unknown as ExpressionSpecification;
}

/** A colour a class, from the least to the largest. */
export function stepsOf(
  value: ExpressionSpecification,
  breaks: readonly number[],
  colours: readonly string[],
): string | ExpressionSpecification {
  const [first = missingColour, ...others] = colours;
  if (!breaks.length) return first;
  const steps = breaks.flatMap((end, at) => [end, others[at] ?? first]);
  return ['step', value, first, ...steps] as unknown as ExpressionSpecification;
}

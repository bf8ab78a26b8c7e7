/** What the marks and colours of the map mean, line by line, for a picture and for paper. */
import { classTexts } from '../../lib/classes';
import {
  type Colouring,
  coloursOf,
  missingColour,
  otherColour,
  viridisColours,
} from '../../lib/colouring';
import { t } from '../../lib/i18n';
import { typeLabel } from '../../lib/names';
import { areaState } from '../../state/areas';
import { instant } from '../../state/instant';
import { darkScheme, type LayerState, layers } from '../../state/store';
import { areaTitle, attributeText, valueText } from '../map/Legend';

/** A layer's mark or a plain colour, and its words; with neither it is a heading of its group. */
export interface Entry {
  text: string;
  mark?: LayerState;
  colour?: string;
}

/** What stays together: a layer, or a heading with its classes. */
export type Group = Entry[];

export function legendGroups(): Group[] {
  const shown = layers.value.filter(
    ({ visible, layer }) => visible && layer.geometry && layer.count,
  );
  const plain = shown.filter(({ colouring }) => !colouring);
  return [
    ...plain.map((mark): Group => [{ text: typeLabel(mark.layer.type), mark }]),
    ...shown.flatMap((state) => (state.colouring ? [coloured(state, state.colouring)] : [])),
    ...areas(),
  ];
}

function coloured(state: LayerState, colouring: Colouring): Group {
  const marked = (text: string, colour: string): Entry =>
    state.role === 'object'
      ? { text, mark: { ...state, mark: { ...state.mark, colour } } }
      : { text, colour };
  const colours = coloursOf(colouring, darkScheme.value);
  const texts =
    colouring.kind === 'numbers'
      ? classTexts(colouring)
      : colouring.values.map(({ value }) => valueText(value));
  return [
    { text: `${typeLabel(state.layer.type)}: ${attributeText(colouring)}` },
    ...texts.map((text, at) => marked(text, colours[at] ?? otherColour)),
    ...(colouring.kind === 'values' && colouring.others
      ? [marked(t('legend.other'), otherColour)]
      : []),
    ...(colouring.missing ? [marked(t('legend.missing'), missingColour)] : []),
  ];
}

function areas(): Group[] {
  const now = areaState.value;
  if (!now?.classes) return [];
  const { classes, query, values } = now;
  const colours = viridisColours(classes.breaks.length + 1, darkScheme.value);
  const empty = [...values.values()].some(({ value }) => value === null);
  return [
    [
      { text: areaTitle() },
      { text: typeLabel(query.areas) },
      ...(instant.value ? [{ text: t('areas.ofNow') }] : []),
      ...classTexts(classes).map((text, at): Entry => ({
        text,
        colour: colours[at] ?? missingColour,
      })),
      ...(empty ? [{ text: t('legend.missing'), colour: missingColour }] : []),
    ],
  ];
}

/** How what a chart shows is called and written, in the chart and in its tables. */
import type { Period } from '../../lib/bands';
import { numberText, quantity } from '../../lib/format';
import { type Point, stateText } from '../../lib/history';
import { attributeLabel, shortId } from '../../lib/names';
import { unitSign } from '../../lib/units';
import type { Past } from '../../state/histories';
import { wordOf } from '../parts/Value';

export function titleOf({ name, datasetId }: Past): string {
  const label = attributeLabel(name);
  return datasetId ? `${label} (${shortId(datasetId)})` : label;
}

/** A period's mean, with its lowest and highest value. */
export function periodText({ mean, min, max }: Period, unitCode?: string): string {
  const sign = unitCode ? ` ${unitSign(unitCode)}` : '';
  return `${numberText(mean)} (${numberText(min)} – ${numberText(max)})${sign}`;
}

export function valueText({ value }: Pick<Point, 'value'>, unitCode?: string): string {
  return typeof value === 'number' ? quantity(value, unitCode) : wordOf(stateText(value));
}

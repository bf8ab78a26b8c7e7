/** What of a layer can be asked for: how it is called in a list, and the condition that one begins with. */
import { type Condition, operatorsOf, valueCount } from '../../lib/cql';
import { unitSign } from '../../lib/units';
import type { Askable } from '../../state/queryables';

export function optionText({ label, unit }: Askable): string {
  const sign = unit ? unitSign(unit) : '';
  return sign ? `${label} (${sign})` : label;
}

export function freshCondition({ name, kind }: Askable): Condition {
  const operator = operatorsOf[kind][0] ?? '=';
  const values = kind === 'boolean' ? ['true'] : Array<string>(valueCount(operator)).fill('');
  return { attribute: name, kind, operator, values };
}

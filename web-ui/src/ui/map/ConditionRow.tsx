/** One condition of a filter: attribute, operator, values. */
import { useId } from 'preact/hooks';
import { type Condition, type Operator, operatorsOf, valueCount } from '../../lib/cql';
import { timeZone } from '../../lib/format';
import { t } from '../../lib/i18n';
import { unitSign } from '../../lib/units';
import { instantOf, localTime } from '../../lib/zone';
import type { Askable } from '../../state/queryables';
import { wordOf } from '../parts/Value';
import { freshCondition, optionText } from './askable';

interface Props {
  condition: Condition;
  askables: Askable[];
  change: (condition: Condition) => void;
  remove: () => void;
}

export function ConditionRow({ condition, askables, change, remove }: Props) {
  const askable = askables.find(({ name }) => name === condition.attribute);
  const operators = operatorsOf[askable?.kind ?? condition.kind];
  // An operator that is not usual for the attribute still stands where an address brought it.
  const offered = operators.includes(condition.operator)
    ? operators
    : [...operators, condition.operator];
  const setOperator = (operator: Operator): void => {
    const count = valueCount(operator);
    const needed = count === Infinity ? Math.max(1, condition.values.length) : count;
    const values = Array.from({ length: needed }, (_, at) => condition.values[at] ?? '');
    change({ ...condition, kind: askable?.kind ?? condition.kind, operator, values });
  };
  return (
    <div class="condition" role="group" aria-label={t('filter.condition')}>
      <select
        class="select"
        aria-label={t('filter.attribute')}
        value={condition.attribute}
        onChange={(event) => {
          const chosen = askables.find(({ name }) => name === event.currentTarget.value);
          if (chosen) change(freshCondition(chosen));
        }}
      >
        {!askable && <option value={condition.attribute}>{condition.attribute}</option>}
        {askables.map((each) => (
          <option key={each.name} value={each.name}>
            {optionText(each)}
          </option>
        ))}
      </select>
      <select
        class="select narrow"
        aria-label={t('filter.operator')}
        value={condition.operator}
        onChange={(event) => setOperator(event.currentTarget.value as Operator)}
      >
        {offered.map((each) => (
          <option key={each} value={each}>
            {t(`filter.op.${each}`)}
          </option>
        ))}
      </select>
      <button type="button" class="remove" aria-label={t('filter.remove')} onClick={remove}>
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <path d="M6 6l12 12M18 6L6 18" />
        </svg>
      </button>
      <div class="condition-values">
        <Values condition={condition} askable={askable} change={change} />
      </div>
    </div>
  );
}

function Values({
  condition,
  askable,
  change,
}: Pick<Props, 'condition' | 'change'> & { askable: Askable | undefined }) {
  if (condition.operator === 'in') {
    return <Several condition={condition} askable={askable} change={change} />;
  }
  return condition.values.map((value, at) => (
    <One
      key={at}
      value={value}
      kind={condition.kind}
      askable={askable}
      label={t(condition.values.length < 2 ? 'filter.value' : at ? 'filter.to' : 'filter.from')}
      change={(now) => change({ ...condition, values: condition.values.with(at, now) })}
    />
  ));
}

interface OneProps {
  value: string;
  kind: Condition['kind'];
  askable: Askable | undefined;
  label: string;
  change: (value: string) => void;
}

function One({ value, kind, askable, label, change }: OneProps) {
  const id = useId();
  if (kind === 'boolean') {
    return (
      <select
        class="select"
        aria-label={label}
        value={value}
        onChange={(event) => change(event.currentTarget.value)}
      >
        <option value="true">{t('panel.yes')}</option>
        <option value="false">{t('panel.no')}</option>
      </select>
    );
  }
  if (kind === 'text' && askable?.closed) {
    return (
      <select
        class="select"
        aria-label={label}
        value={value}
        onChange={(event) => change(event.currentTarget.value)}
      >
        {!askable.values.includes(value) && <option value={value}>{value}</option>}
        {askable.values.map((each) => (
          <option key={each} value={each}>
            {wordOf(each)}
          </option>
        ))}
      </select>
    );
  }
  const unit = askable?.unit ? unitSign(askable.unit) : '';
  const types = { number: 'number', time: 'datetime-local', date: 'date', text: 'text' } as const;
  // The page tells every time in the city's zone; so it is typed.
  const zone = timeZone.value;
  const at = kind === 'time' ? Date.parse(value) : NaN;
  return (
    <span class="value-field">
      <input
        class="search"
        type={types[kind]}
        step="any"
        dir="auto"
        aria-label={unit ? `${label} (${unit})` : label}
        list={kind === 'text' && askable?.values.length ? id : undefined}
        value={kind === 'time' ? (Number.isNaN(at) ? '' : localTime(at, zone)) : value}
        onInput={(event) => {
          const typed = event.currentTarget.value;
          const instant = kind === 'time' && typed ? instantOf(typed, zone) : NaN;
          if (kind !== 'time') change(typed);
          else change(Number.isNaN(instant) ? '' : new Date(instant).toISOString());
        }}
      />
      {unit && (
        <span class="quiet" aria-hidden="true">
          {unit}
        </span>
      )}
      {kind === 'text' && askable && (
        <datalist id={id}>
          {askable.values.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
    </span>
  );
}

/** Some of the known values, or any, one a line. */
function Several({
  condition,
  askable,
  change,
}: Pick<Props, 'condition' | 'change'> & { askable: Askable | undefined }) {
  const { values } = condition;
  if (!askable?.values.length) {
    return (
      <textarea
        rows={3}
        dir="auto"
        aria-label={t('filter.values')}
        value={values.join('\n')}
        onInput={(event) => change({ ...condition, values: event.currentTarget.value.split('\n') })}
      />
    );
  }
  const toggle = (value: string, on: boolean): void => {
    const rest = values.filter((each) => each !== value && each !== '');
    change({ ...condition, values: on ? [...rest, value] : rest });
  };
  return (
    <div class="several" role="group" aria-label={t('filter.values')}>
      {askable.values.map((each) => (
        <label key={each}>
          <input
            type="checkbox"
            checked={values.includes(each)}
            onChange={(event) => toggle(each, event.currentTarget.checked)}
          />
          <bdi>{wordOf(each)}</bdi>
        </label>
      ))}
    </div>
  );
}

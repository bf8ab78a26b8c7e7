import { useEffect, useRef } from 'preact/hooks';
import { type CaseMove, type CaseWhole } from '../../api/cases';
import { timeText } from '../../lib/format';
import { compareTexts, known, t } from '../../lib/i18n';
import { nameText } from '../../lib/names';
import { departmentTitle, typeTitle, words } from '../../state/cases';
import { view } from '../../state/view';
import { Photo } from './Photo';
import { SuggestedField } from './SuggestedField';

const texts = ['reason', 'finding', 'closingCondition'];
const lists = ['departments', 'evidence'];
const suggested: Readonly<Record<string, 'type' | 'department'>> = {
  type: 'type',
  department: 'department',
  departments: 'department',
};
const units = ['wd', 'wh', 'd', 'h'] as const;

interface Given {
  name: string;
  required: boolean;
  /** The first of a form gets the focus. */
  first: boolean;
  move: CaseMove;
  whole: CaseWhole;
  /** What was chosen in the form so far, by the name of the field. */
  chosen: Readonly<Record<string, string>>;
  /** What stands in a text to begin with. */
  text: string;
}

/** What a move needs, or may take, as a field of its form. */
export function Field({ name, required, first, move, whole, chosen, text }: Given) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (first) place.current?.querySelector<HTMLElement>('input, select, textarea')?.focus();
  }, []);
  // Of a city whose areas have no grades, there is none to choose.
  if (name === 'grade' && !words.value?.types.grades.length) return null;
  const label = known(`cases.field.${name}`) ?? name;
  const title = required ? label : t('cases.optional', { name: label });
  const offered = suggested[name];
  const take = (code: string): void => {
    const box = [
      ...(place.current?.querySelectorAll<HTMLInputElement>(':scope fieldset input') ?? []),
    ];
    // Of several departments each suggestion is ticked, or taken back, by itself.
    box.find(({ value }) => value === code)?.click();
    const list = place.current?.querySelector('select');
    if (!list) return;
    list.value = code;
    list.dispatchEvent(new Event('change', { bubbles: true }));
    focusAfter(list);
  };
  return (
    <div class="case-field" ref={place}>
      {offered && (
        <SuggestedField
          name={offered}
          whole={whole}
          chosen={(chosen[name] ?? '').split(' ')}
          take={take}
        />
      )}
      {lists.includes(name) ? (
        <fieldset>
          <legend>{title}</legend>
          {name === 'evidence' ? (
            <Photos whole={whole} label={label} required={required} />
          ) : (
            <Departments />
          )}
        </fieldset>
      ) : (
        <label>
          <span>{title}</span>
          <Input {...{ name, required, move, whole, chosen, text }} />
        </label>
      )}
    </div>
  );
}

/** On to what is to be filled in next, or to the button that makes the move. */
function focusAfter(list: HTMLSelectElement): void {
  const parts = [
    ...(list.form?.querySelectorAll<HTMLElement>('input, select, textarea, [type=submit]') ?? []),
  ];
  parts[parts.indexOf(list) + 1]?.focus();
}

function Input({ name, required, move, whole, chosen, text }: Omit<Given, 'first'>) {
  if (texts.includes(name)) {
    return (
      <textarea
        class="search"
        name={name}
        required={required}
        rows={text ? 4 : 2}
        maxLength={4000}
        defaultValue={text}
      />
    );
  }
  if (name === 'extension') {
    return (
      <span class="case-pair">
        <input
          class="search"
          name="extension"
          type="number"
          min={1}
          max={999}
          required={required}
        />
        <select class="select" name="extensionUnit" aria-label={t('cases.unit')}>
          {units.map((unit) => (
            <option key={unit} value={unit}>
              {t(`cases.unit.${unit}`)}
            </option>
          ))}
        </select>
      </span>
    );
  }
  const options = optionsOf(name, move, whole, chosen);
  if (!options) {
    const given = { name, required, defaultValue: text };
    return <input class="search" maxLength={200} {...given} />;
  }
  const { type = '', department = '', condition = '' } = whole.case;
  // Of a type that is chosen here too, there may be none.
  const none = name === 'condition' && (!options.length || (asksType(move) && !chosen.type));
  const usual: Record<string, string> = { type, department };
  const isSet = Boolean({ ...usual, condition }[name]);
  return (
    <select class="select" name={name} required={required && !none}>
      <option value="">
        {t(required ? 'cases.choose' : isSet ? 'cases.asIs' : 'cases.notSet')}
      </option>
      {options.map(([code, text]) => (
        // Not the value of the select: what the reader chose would be undone with every drawing.
        <option key={code} value={code} selected={code === usual[name]}>
          {text}
        </option>
      ))}
    </select>
  );
}

const asksType = ({ needs, takes }: CaseMove): boolean => [...needs, ...takes].includes('type');

function optionsOf(
  name: string,
  move: CaseMove,
  whole: CaseWhole,
  chosen: Given['chosen'],
): [string, string][] | null {
  const types = words.value?.types;
  const sorted = (list: [string, string][]): [string, string][] =>
    list.sort((a, b) => compareTexts(a[1], b[1]));
  switch (name) {
    case 'type':
      return sorted((types?.types ?? []).map(({ code }) => [code, typeTitle(code)]));
    case 'department':
      return sorted((types?.departments ?? []).map(({ code }) => [code, departmentTitle(code)]));
    case 'grade':
      return (types?.grades ?? []).map((grade) => [grade, grade]);
    case 'condition': {
      const asked = asksType(move) ? chosen.type : whole.case.type;
      const open = new Set(move.conditions ?? []);
      const ofType = (types?.types ?? []).filter(({ code }) => !asked || code === asked);
      return ofType
        .flatMap(({ conditions }) => conditions)
        .filter(({ code }) => open.has(code) || asksType(move))
        .map(({ code, title }) => [code, nameText(title) || code]);
    }
    case 'part':
      return whole.parts.map((part) => [part.case, departmentTitle(part.department)]);
    default:
      return null;
  }
}

function Departments() {
  return (
    <>
      {words.value?.types.departments.map(({ code }) => (
        <label key={code} class="case-check">
          <input type="checkbox" name="departments" value={code} /> {departmentTitle(code)}
        </label>
      ))}
    </>
  );
}

/** Photos of the case to point at, and new ones. */
function Photos({
  whole,
  label,
  required,
}: {
  whole: CaseWhole;
  label: string;
  required: boolean;
}) {
  const { number } = view.value.cases;
  const { evidence } = whole;
  return (
    <>
      {evidence.map(({ id, addedAt }) => (
        <label key={id} class="case-check">
          <input type="checkbox" name="evidence" value={id} />
          <Photo number={number} id={id} alt="" />
          {t('cases.photoOf', { time: timeText(addedAt, 'short') })}
        </label>
      ))}
      <input
        type="file"
        name="photos"
        accept="image/jpeg,image/png,image/webp"
        multiple
        aria-label={label}
        required={required && !evidence.length}
      />
    </>
  );
}

/** What was filled in, in the words of a move; photos apart, since they are sent first. */
export function valuesOf(
  move: CaseMove,
  form: HTMLFormElement | null,
): { photos: File[]; values: Record<string, unknown> } {
  const values: Record<string, unknown> = {};
  if (!form) return { photos: [], values };
  const given = new FormData(form);
  for (const name of [...move.needs, ...move.takes]) {
    if (lists.includes(name)) {
      const chosen = given.getAll(name).map(String);
      if (chosen.length) values[name] = chosen;
      continue;
    }
    const value = String(given.get(name) ?? '').trim();
    if (value) values[name] = name === 'extension' ? limitOf(value, given) : value;
  }
  const photos = given.getAll('photos').filter((each) => each instanceof File && each.size > 0);
  return { photos: photos as File[], values };
}

/** A limit as the node reads it: work time as it is, continuous time with a U before it. */
function limitOf(count: string, given: FormData): string {
  const unit = String(given.get('extensionUnit'));
  return unit.startsWith('w') ? `${count}${unit}` : `U${count}${unit}`;
}

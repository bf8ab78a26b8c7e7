import { type CasesView, caseStatuses, firstView, lights } from '../../lib/address';
import { workOf } from '../../lib/cases';
import { numberText } from '../../lib/format';
import { compareTexts, listText, t } from '../../lib/i18n';
import {
  departmentTitle,
  goCases,
  stateTitle,
  stepTitle,
  typeTitle,
  words,
} from '../../state/cases';
import { view } from '../../state/view';
import { Folded } from '../parts/Folded';
import { FindCase } from './FindCase';

const filterNames = ['status', 'light', 'department', 'step', 'type'] as const;

/** How many of the lists are set to other than what a reader begins with, by the reader. */
const setCount = (cases: CasesView): number =>
  filterNames.filter(
    (name) => cases[name] !== firstView.cases[name] && !(cases.mine && name === 'status'),
  ).length;

/** What narrows the queue down: a case's number, what is the reader's to do, and lists of choices. */
export function QueueTools() {
  const count = setCount(view.value.cases);
  return (
    <div class="case-tools">
      <FindCase />
      <Mine />
      <Folded
        everywhere
        text={count ? t('cases.filter.set', { count: numberText(count) }) : t('cases.filter')}
      >
        <Filters />
      </Folded>
    </div>
  );
}

/** What the reader is to do: of a department its cases, of another role what it may move on, whose ever it is. */
function Mine() {
  const { cases } = view.value;
  const [role = '', department = ''] = cases.as.split(':');
  const workflow = words.value?.workflow;
  if (!role || !workflow) return null;
  if (department) {
    const isOn = cases.department === department;
    return (
      <button
        type="button"
        class="button"
        data-mine
        aria-pressed={isOn}
        onClick={() => goCases({ department: isOn ? '' : department, mine: '', number: '' })}
      >
        {t('cases.mine')}
      </button>
    );
  }
  const { states, status } = workOf(workflow, role);
  if (!states.length || workflow.roles[role]?.holder) return null;
  const isOn = cases.mine === '1';
  return (
    <button
      type="button"
      class="button"
      data-mine
      aria-pressed={isOn}
      title={t('cases.forMe.hint', { states: listText(states.map(stateTitle)) })}
      onClick={() =>
        goCases({
          mine: isOn ? '' : '1',
          status: isOn ? 'open' : status,
          department: '',
          step: '',
          number: '',
        })
      }
    >
      {t('cases.forMe')}
    </button>
  );
}

function Filters() {
  const known = words.value;
  const byTitle = (codes: string[], title: (code: string) => string): [string, string][] =>
    codes
      .map((code): [string, string] => [code, title(code)])
      .sort((a, b) => compareTexts(a[1], b[1]));
  return (
    <fieldset class="case-filters">
      <legend class="unseen">{t('cases.filters')}</legend>
      <Choice
        name="status"
        options={caseStatuses.map((each) => [each, t(`cases.status.${each}`)])}
      />
      <Choice
        name="light"
        all={t('cases.allLights')}
        options={lights.map((each) => [each, t(`cases.light.${each}`)])}
      />
      <Choice
        name="department"
        all={t('cases.allDepartments')}
        options={byTitle(known?.types.departments.map(({ code }) => code) ?? [], departmentTitle)}
      />
      <Choice
        name="step"
        all={t('cases.allSteps')}
        options={Object.keys(known?.workflow.steps ?? {}).map((each) => [each, stepTitle(each)])}
      />
      <Choice
        name="type"
        all={t('cases.allTypes')}
        options={byTitle(known?.types.types.map(({ code }) => code) ?? [], typeTitle)}
      />
    </fieldset>
  );
}

function Choice(props: {
  name: (typeof filterNames)[number];
  all?: string;
  options: [string, string][];
}) {
  const { name, all, options } = props;
  const now = view.value.cases[name];
  const isKnown = !now || options.some(([code]) => code === now);
  return (
    <select
      class="select"
      name={name}
      aria-label={t(`cases.by.${name}`)}
      value={now}
      onChange={(event) =>
        goCases({ [name]: event.currentTarget.value } as Partial<CasesView>, false)
      }
    >
      {all && <option value="">{all}</option>}
      {!isKnown && <option value={now}>{now}</option>}
      {options.map(([code, title]) => (
        <option key={code} value={code}>
          {title}
        </option>
      ))}
    </select>
  );
}

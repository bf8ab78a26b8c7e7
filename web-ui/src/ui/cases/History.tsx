import { type CaseTransition, numberOf } from '../../api/cases';
import { limitText } from '../../lib/cases';
import { timeText } from '../../lib/format';
import { known, t } from '../../lib/i18n';
import {
  conditionTitle,
  departmentTitle,
  moveTitle,
  roleTitle,
  typeTitle,
} from '../../state/cases';
import { actedText } from './parts';

/** Every move that was made, the newest first: when, who, in which role, why. */
export function History({ transitions }: { transitions: readonly CaseTransition[] }) {
  return (
    <section aria-labelledby="case-history">
      <h3 id="case-history">{t('cases.history')}</h3>
      <ol class="case-history" reversed>
        {[...transitions].reverse().map((each) => (
          <li key={each.id} data-move={each.move}>
            <span class="strong">{moveTitle(each.move)}</span>
            <span class="small quiet">
              {timeText(each.at, 'short')} ·{' '}
              {actedText(
                [roleTitle(each.role), each.actingFor ? departmentTitle(each.actingFor) : ''],
                each.actor,
              )}
            </span>
            {each.reason && <span>{t('cases.because', { reason: each.reason })}</span>}
            {each.finding && <span>{t('cases.found', { finding: foundText(each) })}</span>}
            {Object.entries(each.given ?? {}).map(([name, value]) => (
              <span class="small" key={name}>
                {t('cases.given', {
                  name: known(`cases.field.${name}`) ?? name,
                  value: valueText(name, value),
                })}
              </span>
            ))}
          </li>
        ))}
      </ol>
    </section>
  );
}

/** A rule finds a condition, a person what she saw. */
const foundText = ({ role, finding = '' }: CaseTransition): string =>
  role === 'city' ? conditionTitle(finding) : finding;

function valueText(name: string, value: string | string[]): string {
  const title: Record<string, (code: string) => string> = {
    department: departmentTitle,
    departments: departmentTitle,
    type: typeTitle,
    condition: conditionTitle,
    extension: limitText,
    into: numberOf,
    part: numberOf,
  };
  return [value]
    .flat()
    .map(title[name] ?? String)
    .join(', ');
}

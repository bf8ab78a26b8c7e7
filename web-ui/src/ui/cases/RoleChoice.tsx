import { t } from '../../lib/i18n';
import { departmentTitle, goCases, isOfPeople, roleTitle, words } from '../../state/cases';
import { view } from '../../state/view';

/** In which role the reader acts; the address keeps it. */
export function RoleChoice() {
  const known = words.value;
  const { as: now, mine } = view.value.cases;
  const roles = Object.entries(known?.workflow.roles ?? {}).filter(([role]) => isOfPeople(role));
  const options = roles.flatMap(([role, { holder }]): [string, string][] =>
    holder
      ? (known?.types.departments ?? []).map(({ code }) => [
          `${role}:${code}`,
          t('cases.roleOf', { role: roleTitle(role), department: departmentTitle(code) }),
        ])
      : [[role, roleTitle(role)]],
  );
  return (
    <label class="case-role">
      <span class="small">{t('cases.as')}</span>
      <select
        class="select"
        name="as"
        value={now}
        onChange={(event) => {
          const as = event.currentTarget.value;
          // What was one role's to do is not another's.
          goCases(mine ? { as, mine: '', status: 'open' } : { as }, false);
        }}
      >
        <option value="">{t('cases.anyRole')}</option>
        {now && !options.some(([code]) => code === now) && <option value={now}>{now}</option>}
        {options.map(([code, title]) => (
          <option key={code} value={code}>
            {title}
          </option>
        ))}
      </select>
    </label>
  );
}

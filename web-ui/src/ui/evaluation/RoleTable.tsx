import type { Evaluation } from '../../api/evaluation';
import { figureOf, groupTitle } from '../../lib/evaluation';
import { numberText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { nameText } from '../../lib/names';
import { roleTitle } from '../../state/cases';
import { view } from '../../state/view';
import { FigureCell } from './FigureCell';
import { apartText, noScoreText } from './Shares';

/** Every figure of the chosen group, by the role whose work it tells of, each with its score. */
export function RoleTable({ found }: { found: Evaluation }) {
  const { group } = view.value.evaluation;
  const chosen = found.groups.find((each) => each.group === group) ?? found.groups[0];
  const roles = [...new Set(found.indicators.map(({ role }) => role))];
  if (!chosen) return null;
  const label = t('evaluation.table.role', { name: groupTitle(chosen) });
  return (
    <div class="table-box" role="region" tabIndex={0} aria-label={label}>
      <table class="table evaluation-table roles">
        <caption>{label}</caption>
        <thead>
          <tr>
            <th scope="col">{t('evaluation.figure')}</th>
            <th scope="col">{t('evaluation.count')}</th>
            <th scope="col">{t('evaluation.apart')}</th>
          </tr>
        </thead>
        {roles.map((role) => {
          const score = chosen.scores.find((each) => each.score === role);
          return (
            <tbody key={role} data-role={role}>
              <tr class="role-head">
                <th scope="rowgroup">
                  <span class="strong">{roleTitle(role)}</span>
                </th>
                <td colSpan={2}>
                  {score &&
                    (score.value === null ? (
                      <span class="quiet">{noScoreText(found, score)}</span>
                    ) : (
                      <span>
                        {t('evaluation.score.of')}:{' '}
                        <span class="strong number">{numberText(score.value, 1)}</span>
                      </span>
                    ))}
                </td>
              </tr>
              {found.indicators
                .filter((each) => each.role === role)
                .map((indicator) => {
                  const counts = figureOf(chosen, indicator.id);
                  return (
                    <tr key={indicator.id}>
                      <th scope="row">
                        <span class="row-title">{nameText(indicator.title)}</span>
                      </th>
                      <FigureCell indicator={indicator} group={chosen} counts={counts} />
                      <td>
                        {Object.entries(counts.apart)
                          .map(([why, count]) => apartText(why, count))
                          .join(', ')}
                      </td>
                    </tr>
                  );
                })}
            </tbody>
          );
        })}
      </table>
    </div>
  );
}

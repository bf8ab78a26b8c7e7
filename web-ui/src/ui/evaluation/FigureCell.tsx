import type { Counts, Group, Indicator } from '../../api/evaluation';
import { groupTitle, rateText } from '../../lib/evaluation';
import { numberText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { nameText } from '../../lib/names';
import { openFigure } from '../../state/evaluation';
import { view } from '../../state/view';
import { apartText, Bar, noValueText } from './Shares';

/** A figure in a table: its value, of how many, and what it is made of. It opens by a press. */
export function FigureCell(props: { indicator: Indicator; group: Group; counts: Counts }) {
  const { indicator, group, counts } = props;
  const { value, numerator, denominator, apart } = counts;
  const { figure, group: chosen } = view.value.evaluation;
  const told = value === null ? noValueText(counts) : rateText(counts);
  const count = t('evaluation.ofCount', {
    numerator: numberText(numerator),
    denominator: numberText(denominator),
  });
  const aside = Object.entries(apart).map(([why, count]) => apartText(why, count));
  return (
    <td class="figure-cell">
      <button
        type="button"
        data-figure={indicator.id}
        aria-pressed={figure === indicator.id && chosen === group.group}
        title={[...(denominator ? [count] : []), ...aside].join('\n')}
        onClick={() => openFigure(indicator.id, group.group)}
      >
        <span class="unseen">
          {t('evaluation.open', {
            indicator: nameText(indicator.title),
            name: groupTitle(group),
          })}{' '}
        </span>
        <span class="number">{value === null && counts.why !== 'notReported' ? '–' : told}</span>
        {denominator > 0 && (
          <span class="small quiet number">
            {numberText(numerator)}/{numberText(denominator)}
          </span>
        )}
        {aside.length > 0 && <span class="unseen">, {aside.join(', ')}</span>}
        <Bar counts={counts} better={indicator.better} />
      </button>
    </td>
  );
}

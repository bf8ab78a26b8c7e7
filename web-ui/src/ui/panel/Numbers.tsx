import { lengthText, numberText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { unitSign } from '../../lib/units';
import type { Past } from '../../state/histories';
import { titleOf, valueText } from './words';

/** The statistics of what is drawn: a column an attribute. */
export function Numbers({ pasts }: { pasts: Past[] }) {
  const numeric = pasts.filter(({ kind }) => kind !== 'states');
  const rows: [label: string, told: (past: Past) => string][] = [
    [
      t('stats.count'),
      ({ statistics, points, kind }) =>
        numberText(kind === 'states' ? points.length : (statistics?.count ?? 0)),
    ],
    ...(numeric.length
      ? ([
          [t('stats.min'), (past) => number(past, past.statistics?.min)],
          [t('stats.mean'), (past) => number(past, past.statistics?.mean)],
          [t('stats.max'), (past) => number(past, past.statistics?.max)],
          [t('stats.deviation'), (past) => number(past, past.statistics?.deviation)],
        ] as [string, (past: Past) => string][])
      : []),
    [t('stats.latest'), ({ points }) => valueText(points.at(-1) ?? { value: null })],
    [
      t('stats.gaps'),
      ({ statistics, written }) =>
        written || !statistics
          ? '–'
          : statistics.gaps
            ? `${numberText(statistics.gaps)} (${lengthText(statistics.silent / 1000)})`
            : numberText(0),
    ],
    [
      t('stats.missing'),
      ({ statistics, written }) => (written ? '–' : countOr(statistics?.missing)),
    ],
    [t('stats.repeats'), ({ statistics }) => countOr(statistics?.repeats)],
  ];
  const byNode = pasts.filter((past) => past.byNode);
  const words =
    byNode.length === 0
      ? 'stats.ofPage'
      : byNode.length === pasts.length
        ? 'stats.ofNode'
        : 'stats.ofBoth';
  return (
    <details class="sub stats" open>
      <summary>{t('stats.title')}</summary>
      <div class="scrolled" tabIndex={0} role="region" aria-label={t('stats.title')}>
        <table>
          <thead>
            <tr>
              <td />
              {pasts.map((past) => (
                <th key={past.key} scope="col">
                  <bdi>{titleOf(past)}</bdi>
                  {signOf(past) && <span class="quiet small"> {signOf(past)}</span>}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(([label, told]) => (
              <tr key={label}>
                <th scope="row">{label}</th>
                {pasts.map((past) => (
                  <td key={past.key} class="number">
                    {told(past)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="quiet small">
        {t(words)} {t('stats.words')}
      </p>
    </details>
  );
}

function number({ kind }: Past, value: number | null | undefined): string {
  return kind === 'states' || value === null || value === undefined ? '–' : numberText(value, 2);
}

const signOf = ({ unitCode }: Past): string => (unitCode ? unitSign(unitCode) : '');

const countOr = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : numberText(value);

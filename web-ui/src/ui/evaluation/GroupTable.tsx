import type { Evaluation, Group } from '../../api/evaluation';
import { figureOf, groupTitle, headlineOf, orderGroups } from '../../lib/evaluation';
import { numberText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { nameText } from '../../lib/names';
import { directionOf, nextSort } from '../../lib/table';
import { goEvaluation } from '../../state/evaluation';
import { view } from '../../state/view';
import { SortSign } from '../table/Rows';
import { FigureCell } from './FigureCell';
import { noScoreText } from './Shares';

/** The figures that are told first, by department, area or type; everything stands at the foot. */
export function GroupTable({ found }: { found: Evaluation }) {
  const { by, order } = view.value.evaluation;
  const shown = headlineOf(found);
  const scored = found.scores.find(({ id }) => id === by);
  const groups = orderGroups(
    found.groups.filter(({ group }) => group),
    order,
    by,
  );
  const whole = found.groups.find(({ group }) => !group);
  const label = t(`evaluation.table.${by}`, { name: '' });
  const row = (group: Group) => (
    <>
      <th scope="row">
        <button
          type="button"
          class="row-name"
          aria-label={t('evaluation.choose', { name: groupTitle(group) })}
          onClick={() => goEvaluation({ group: group.group })}
        >
          <bdi>{groupTitle(group)}</bdi>
        </button>
      </th>
      {scored && <ScoreCell found={found} group={group} by={by} />}
      {shown.map((indicator) => (
        <FigureCell
          key={indicator.id}
          indicator={indicator}
          group={group}
          counts={figureOf(group, indicator.id)}
        />
      ))}
    </>
  );
  return (
    <div class="table-box" role="region" tabIndex={0} aria-label={label}>
      <table class="table evaluation-table">
        <caption>{label}</caption>
        <thead>
          <tr>
            <Head name="name" label={t('evaluation.group')} />
            {scored && <Head name="score" label={t('evaluation.score')} number />}
            {shown.map(({ id, title }) => (
              <Head key={id} name={id} label={nameText(title)} />
            ))}
          </tr>
        </thead>
        <tbody>
          {groups.map((group) => (
            <tr
              key={group.group}
              data-group={group.group}
              class={view.value.evaluation.group === group.group ? 'chosen' : undefined}
            >
              {row(group)}
            </tr>
          ))}
        </tbody>
        {whole && (
          <tfoot>
            <tr data-group="">{row(whole)}</tr>
          </tfoot>
        )}
      </table>
    </div>
  );
}

function Head({ name, label, number }: { name: string; label: string; number?: boolean }) {
  const { order } = view.value.evaluation;
  const direction = directionOf(order || 'name', name);
  return (
    <th
      scope="col"
      data-column={name}
      class={number ? 'of-numbers' : undefined}
      aria-sort={direction ?? 'none'}
    >
      <button
        type="button"
        title={t('evaluation.sort', { column: label })}
        onClick={() => goEvaluation({ order: nextSort(order || 'name', name) }, false)}
      >
        <span>{label}</span>
        <SortSign direction={direction} />
      </button>
    </th>
  );
}

/** A score is no figure of its own: what it weighs can be opened beside it. */
function ScoreCell({ found, group, by }: { found: Evaluation; group: Group; by: string }) {
  const score = group.scores.find((each) => each.score === by);
  const value = score?.value ?? null;
  const why = value === null && score ? noScoreText(found, score) : t('evaluation.score.of');
  return (
    <td class="of-numbers" data-score={by} title={why}>
      {value === null ? '–' : numberText(value, 1)}
    </td>
  );
}

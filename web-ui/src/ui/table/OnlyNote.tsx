import { nowhereCql } from '../../lib/cql';
import { t } from '../../lib/i18n';
import { setTable } from '../../state/table';
import { view } from '../../state/view';

/** The rows are fewer than what the map has, by a condition of the table alone; and the way to all of them. */
export function OnlyNote() {
  const { only } = view.value.table;
  if (!only) return null;
  return (
    <p class="note" data-only>
      {only === nowhereCql ? t('table.only.nowhere') : t('table.only', { condition: only })}{' '}
      <button type="button" class="button" onClick={() => setTable({ only: '' }, true)}>
        {t('table.only.all')}
      </button>
    </p>
  );
}

import { timeText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { instant } from '../../state/instant';

/** The rows of now beside a map of the past: said, so that nobody takes the one for the other. */
export function PastNote() {
  if (!instant.value) return null;
  return <p class="note">{t('table.past', { time: timeText(instant.value) })}</p>;
}

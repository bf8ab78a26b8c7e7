import { t } from '../../lib/i18n';
import { live } from '../../state/store';

/** That the map shows the present; while the node does not answer it is the present no more. */
export function LiveWord() {
  return <>{t(live.value === 'reconnecting' ? 'live.offline' : 'time.live')}</>;
}

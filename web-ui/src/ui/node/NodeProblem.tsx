import type { ApiError } from '../../api/http';
import { t } from '../../lib/i18n';
import { NoRight } from '../parts/Key';
import { Problem } from '../parts/Problem';

/** What could not be read: for want of a right, which no trying again mends, or for another reason. */
export function NodeProblem(props: { title: string; error: ApiError; retry: () => void }) {
  if (props.error.status === 401 || props.error.status === 403) {
    return <NoRight text={t('node.noRight')} />;
  }
  return <Problem {...props} />;
}

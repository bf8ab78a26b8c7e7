import { ApiError } from '../../api/http';
import { key } from '../../api/key';
import { t } from '../../lib/i18n';
import { Problem } from '../parts/Problem';
import { NoRight } from '../parts/Key';

/** What an act came to, where it did not come to what was wanted. */
export type Refusal = ApiError | null;

export const refused = (thrown: unknown): ApiError =>
  thrown instanceof ApiError ? thrown : new ApiError(0, String(thrown), '');

const isRight = ({ status }: ApiError): boolean => status === 401 || status === 403;

/** Why something could not be read: for want of a right, or for another reason. */
export function Unread(props: { title: string; error: ApiError; retry: () => void }) {
  if (!isRight(props.error)) return <Problem {...props} />;
  return <NoRight text={t(key.value ? 'rules.mayNotRead' : 'rules.keyToRead')} />;
}

/** Why something was not done, and that nothing is lost. `right` is the role that it needs. */
export function Refused({ title, error, right }: { title: string; error: Refusal; right: string }) {
  if (!error) return null;
  if (isRight(error)) {
    const which = error.status === 401 ? 'rules.keyNeeded' : 'rules.rightNeeded';
    return <NoRight text={`${title} ${t(which, { role: right })}`} />;
  }
  const why = error.status === 0 ? t('error.unreachable') : error.message;
  return (
    <p class="note warn" role="alert">
      <span class="strong">{title}</span> {why}
    </p>
  );
}

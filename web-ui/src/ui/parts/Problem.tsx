import type { ApiError } from '../../api/http';
import { t } from '../../lib/i18n';

export function Problem(props: { title: string; error: ApiError | null; retry: () => void }) {
  const { title, error, retry } = props;
  return (
    <div class="problem" role="alert">
      <p class="strong">{title}</p>
      {error && <p class="quiet">{reasonOf(error)}</p>}
      <button type="button" class="button" onClick={retry}>
        {t('error.retry')}
      </button>
    </div>
  );
}

function reasonOf(error: ApiError): string {
  if (error.status === 0) return t('error.unreachable');
  return t('error.refused', { status: error.status, detail: error.message });
}

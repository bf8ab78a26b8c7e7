import { t } from '../../lib/i18n';

export function NodePage() {
  return (
    <main class="sheet-page" id="main" tabIndex={-1} aria-labelledby="page-title">
      <h2 id="page-title">{t('page.node')}</h2>
    </main>
  );
}

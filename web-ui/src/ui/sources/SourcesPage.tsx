import { t } from '../../lib/i18n';

export function SourcesPage() {
  return (
    <main class="sheet-page" id="main" tabIndex={-1} aria-labelledby="page-title">
      <h2 id="page-title">{t('page.sources')}</h2>
    </main>
  );
}

import { readKinds, readVersions } from '../../api/rules';
import { t } from '../../lib/i18n';
import { dayOf } from '../../lib/ruledays';
import { readWords } from '../../state/cases';
import { rulesNews } from '../../state/rules';
import { view } from '../../state/view';
import { useRead } from '../parts/useRead';
import { RuleList } from './RuleList';
import './rules.css';
import { Unread } from './said';
import { VersionPage } from './VersionPage';

/** The city's decision tables: all of them, or one version whole. */
export function RulesPage() {
  const { version } = view.value.rules;
  const { body, error, retry } = useRead(
    'rules',
    async (stop) => {
      const [versions, kinds] = await Promise.all([
        readVersions(stop),
        readKinds(stop),
        readWords(),
      ]);
      return { versions: versions.body, kinds: kinds.body };
    },
    rulesNews.value,
  );
  return (
    <main class="sheet-page rules" id="main" tabIndex={-1} aria-labelledby="page-title">
      {!version && <h2 id="page-title">{t('rules.title')}</h2>}
      {error && <Unread title={t('rules.unread')} error={error} retry={retry} />}
      {!body && !error && <p role="status">{t('loading.rows')}</p>}
      {body &&
        (version ? (
          <VersionPage key={version} name={version} {...body} />
        ) : (
          <RuleList {...body} today={dayOf()} />
        ))}
    </main>
  );
}

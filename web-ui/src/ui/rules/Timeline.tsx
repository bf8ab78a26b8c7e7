import { t } from '../../lib/i18n';
import { barOf, keyOf, type Line } from '../../lib/ruledays';
import { openVersion } from '../../state/rules';
import { dayText, daysText, titleOf } from './words';

/** Which version decides when, as a bar; the same stands in words below it. */
export function Timeline({ line, today }: { line: Line; today: string }) {
  const bar = barOf(line, today);
  return (
    <div class="rule-bar" aria-hidden="true">
      <div class="rule-spans">
        {bar.spans.map(({ version, left, width, when }, index) => (
          <div
            key={index}
            class="rule-span"
            data-when={when}
            data-state={version?.state ?? 'none'}
            style={{ left: `${left}%`, width: `${width}%` }}
            title={version ? `${titleOf(version)} ${version.version}: ${daysText(version)}` : ''}
            onClick={() => version && openVersion(keyOf(version))}
          >
            <span>{version?.version ?? t('rules.nothing')}</span>
          </div>
        ))}
        <div class="rule-today" style={{ left: `${bar.today}%` }}>
          <span data-side={bar.today > 80 ? 'left' : 'right'}>{t('rules.today')}</span>
        </div>
      </div>
      <div class="rule-ends small quiet">
        <span>{dayText(bar.first)}</span>
        <span>{dayText(bar.last)}</span>
      </div>
    </div>
  );
}

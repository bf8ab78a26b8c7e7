import type { WholeVersion } from '../../api/rules';
import { listText, plural, t } from '../../lib/i18n';
import { cellText, type Column, type TableDiff } from '../../lib/rules';
import { Open, titleOf } from './words';

interface Properties {
  diff: TableDiff;
  base: WholeVersion;
  columns: Column[];
}

/** What a draft changes against what is in force; the rows themselves carry marks. */
export function Changes({ diff, base, columns }: Properties) {
  const { changed, added, moved, gone, head } = diff;
  const told = [
    changed > 0 && plural('rules.changed', changed),
    added > 0 && plural('rules.added', added),
    gone.length > 0 && plural('rules.gone', gone.length),
    moved > 0 && plural('rules.moved', moved),
    head && t('rules.headChanged'),
  ].filter((each): each is string => Boolean(each));
  return (
    <section class="rule-changes small" data-changes={told.length}>
      <p>
        {t('rules.against')}{' '}
        <Open version={base}>
          {titleOf(base)} {base.version}
        </Open>
        : {told.length ? listText(told) : t('rules.noChange')}
      </p>
      {gone.length > 0 && (
        <details>
          <summary>{t('rules.goneTold')}</summary>
          <ul>
            {gone.map((row, index) => (
              <li key={index}>
                {columns
                  .map((column) => cellText(row, column))
                  .filter(Boolean)
                  .join(' · ')}
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

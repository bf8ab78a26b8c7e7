import { useEffect, useState } from 'preact/hooks';
import { checkTable, type Finding, type RuleTable } from '../../api/rules';
import { plural, t } from '../../lib/i18n';
import { rowName } from '../../lib/rules';
import type { Place } from './Grid';
import { type Refusal, refused } from './said';
import { faultText } from './words';

export interface Found {
  findings: Finding[];
  /** Why the node could not look at the table at all. */
  error: Refusal;
  looking: boolean;
}

const pause = 400;
const nothing: Finding[] = [];

/** What is wrong with a table, asked again soon after each change; what was told stays until then. */
export function useFindings(table: RuleTable | null): Found {
  const [found, setFound] = useState<Found>({ findings: nothing, error: null, looking: true });
  useEffect(() => {
    if (!table) return;
    let wanted = true;
    setFound((now) => ({ ...now, looking: true }));
    const timer = setTimeout(() => {
      checkTable(table).then(
        (findings) => wanted && setFound({ findings, error: null, looking: false }),
        (thrown: unknown) =>
          wanted && setFound({ findings: nothing, error: refused(thrown), looking: false }),
      );
    }, pause);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [table]);
  return found;
}

interface Properties {
  found: Found;
  table: RuleTable;
  show: (place: Place) => void;
}

/** All that is wrong, each a way to its cell, and what no row speaks of. */
export function Faults({ found: { findings, error, looking }, table, show }: Properties) {
  const wrong = findings.filter(({ level }) => level === 'error');
  const gaps = findings.filter(({ level }) => level === 'warning');
  const told = error
    ? t('rules.unchecked')
    : wrong.length
      ? plural('rules.faults', wrong.length)
      : looking
        ? t('rules.checking')
        : t('rules.whole');
  return (
    <section class="rule-faults" data-faults={error ? 'unknown' : wrong.length}>
      <p role="status" class={wrong.length || error ? 'strong warn' : 'strong'}>
        {told}
        {gaps.length > 0 && <span class="quiet"> · {plural('rules.gaps', gaps.length)}</span>}
      </p>
      {error && <p class="small warn">{error.message || t('error.unreachable')}</p>}
      {wrong.length > 0 && (
        <ul class="small">
          {wrong.map((one, index) => {
            const row = table.rows[one.number - 1];
            return (
              <li key={index}>
                {row ? (
                  <button
                    type="button"
                    class="rule-link"
                    onClick={() =>
                      show({ row: one.number - 1, column: one.column, nth: Date.now() })
                    }
                  >
                    {t('rules.atRow', { row: rowName(row, one.number - 1) })}
                  </button>
                ) : (
                  <span class="strong">{t('rules.atTable')}</span>
                )}{' '}
                {faultText(one)} <span class="quiet">({one.says})</span>
              </li>
            );
          })}
        </ul>
      )}
      {gaps.length > 0 && (
        <details class="small">
          <summary>{t('rules.gapsTold')}</summary>
          <ul>
            {gaps.map((one, index) => (
              <li key={index}>{faultText(one)}</li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

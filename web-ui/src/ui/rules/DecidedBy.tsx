import type { CaseClock } from '../../api/cases';
import { readVersion, readVersions, type RuleRow } from '../../api/rules';
import { known, t } from '../../lib/i18n';
import { keyOf, versionOf } from '../../lib/ruledays';
import { rowName } from '../../lib/rules';
import { rowWords } from '../../state/rules';
import { useRead } from '../parts/useRead';
import { Open, titleOf } from './words';

/** The rows of decision tables by which a case was opened, dispatched and escalated. */
export function DecidedBy({ ruled }: { ruled: Record<string, RuleRow> }) {
  const rows = Object.entries(ruled);
  if (!rows.length) return null;
  return (
    <section aria-labelledby="case-ruled">
      <h3 id="case-ruled">{t('rules.decidedBy')}</h3>
      <ul class="small">
        {rows.map(([kind, row]) => (
          <li key={kind} data-ruled={kind}>
            {known(`rules.did.${kind}`) ?? kind}: <RowLink row={row} name={row.row} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The row of the limits that gave a clock its limit. */
export function LimitBy({ clock: { clock, ruled } }: { clock: CaseClock }) {
  if (!ruled) return null;
  return (
    <>
      {' · '}
      <RowLink row={ruled} name={fileRow(clock, ruled.row)} />
    </>
  );
}

/** The city's files call a row by its clock, too; a case knows of what it is about. */
function fileRow(clock: string, row: string): string {
  const of: Record<string, string> = { handle: 'handling', promise: 'promise' };
  return of[clock] ? `${of[clock]} ${row}` : row;
}

/** A row by what it asks for; `name` is what the city's files call it. */
function RowLink({ row, name }: { row: RuleRow; name: string }) {
  // Every link asks the same, and a case has few: none waits for another.
  const { body } = useRead('rules', async (stop) => (await readVersions(stop)).body);
  const version = body && versionOf(body, row);
  const id = version?.state === 'file' ? name : row.row;
  const { body: whole } = useRead(
    version ? keyOf(version) : '',
    async (stop) =>
      (await readVersion(version?.decisionTable ?? '', version?.version ?? '', stop)).body,
  );
  const found = whole?.table.rows.find((each, index) => rowName(each, index) === id);
  const words = whole && found && rowWords(whole.table, found);
  if (!version) return <>{t('rules.row', { row: row.row })}</>;
  return (
    <Open version={version} row={id}>
      {titleOf(version)} {version.version}
      {t('rules.colon')}
      {words || t('rules.row', { row: row.row })}
    </Open>
  );
}

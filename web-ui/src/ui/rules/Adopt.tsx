import { useState } from 'preact/hooks';
import { adoptVersion, type KindOfTable, type RuleTable, type Version } from '../../api/rules';
import { plural, t } from '../../lib/i18n';
import { addDays, keyOf, linesOf } from '../../lib/ruledays';
import { letGo, rulesNews } from '../../state/rules';
import { Dialog } from '../parts/Dialog';
import { Refused, type Refusal, refused } from './said';
import { dayText, titleOf } from './words';

interface Properties {
  whole: Version;
  /** As it is typed. */
  table: RuleTable;
  versions: Version[];
  kind: KindOfTable;
  today: string;
  /** How many faults keep it back. */
  wrong: number;
  /** The node could not look at the table. */
  refused: boolean;
  /** Saves what is typed; false where that failed. */
  ready(): Promise<boolean>;
}

/** Lets a draft decide from a day on; said beforehand what that will do. */
export function Adopt(properties: Properties) {
  const { whole, table, versions, kind, today, wrong, ready } = properties;
  const line = linesOf(versions, kind.kind, kind.alone, today).find(
    (each) => !each.table || each.table === whole.decisionTable,
  );
  const first = line?.now && line.now.state === 'adopted' ? addDays(today, 1) : today;
  const meant = table.effective?.from ?? '';
  const [from, setFrom] = useState(meant > today ? meant : addDays(today, 1));
  const [until, setUntil] = useState(table.effective?.until ?? '');
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Refusal>(null);
  const before = [...(line?.coming ?? []), ...(line?.now ? [line.now] : [])]
    .filter((each) => !each.from || each.from < from)
    .sort((a, b) => ((a.from ?? '') > (b.from ?? '') ? -1 : 1))[0];
  const after = line?.coming.find((each) => (each.from ?? '') > from);
  const adopt = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      await adoptVersion(whole.decisionTable, whole.version, from, until);
      letGo(keyOf(whole));
      setAsking(false);
      rulesNews.value++;
    } catch (thrown) {
      setError(refused(thrown));
    }
    setBusy(false);
  };
  return (
    <section class="rule-part" aria-labelledby="rule-adopt" data-adopt="">
      <h3 id="rule-adopt">{t('rules.adopt')}</h3>
      <p class="quiet small">{t('rules.adoptHint')}</p>
      <form
        class="rule-form rule-pairs"
        onSubmit={(event) => {
          event.preventDefault();
          setError(null);
          void ready().then((saved) => saved && setAsking(true));
        }}
      >
        <label>
          <span>{t('rules.firstDay')}</span>
          <input
            class="search"
            type="date"
            name="adopt-from"
            required
            min={first}
            value={from}
            onInput={(event) => setFrom(event.currentTarget.value)}
          />
        </label>
        <label>
          <span>{t('rules.lastDay')}</span>
          <input
            class="search"
            type="date"
            name="adopt-until"
            min={from}
            value={until}
            onInput={(event) => setUntil(event.currentTarget.value)}
          />
        </label>
        <p>
          <button
            type="submit"
            class="button primary"
            data-act="adopt"
            disabled={wrong > 0 || properties.refused}
          >
            {t('rules.adoptFrom', { day: dayText(from) })}
          </button>
        </p>
      </form>
      {(wrong > 0 || properties.refused) && (
        <p class="small warn">{wrong ? plural('rules.mendFirst', wrong) : t('rules.unchecked')}</p>
      )}
      {asking && (
        <Dialog title={t('rules.adoptTitle')} close={() => setAsking(false)}>
          <ul class="rule-said">
            <li>
              {t(until ? 'rules.willUntil' : 'rules.will', {
                title: titleOf({ ...whole, title: table.title ?? {} }),
                version: whole.version,
                from: dayText(from),
                until: dayText(until),
              })}
            </li>
            {before && (
              <li>
                {t(before.state === 'file' ? 'rules.willReplaceFile' : 'rules.willEnd', {
                  title: titleOf(before),
                  version: before.version,
                  day: dayText(addDays(from, -1)),
                })}
              </li>
            )}
            {after && (
              <li>
                {t('rules.willGiveWay', {
                  title: titleOf(after),
                  version: after.version,
                  day: dayText(after.from ?? ''),
                })}
              </li>
            )}
            <li>{t(kind.kind === 'opening' ? 'rules.oldOpening' : 'rules.oldCases')}</li>
            <li>{t('rules.forGood')}</li>
          </ul>
          <Refused title={t('rules.notAdopted')} error={error} right="admin" />
          <p class="rule-buttons">
            <button
              type="button"
              class="button primary"
              data-act="confirm"
              disabled={busy}
              onClick={() => void adopt()}
            >
              {t('rules.adoptFrom', { day: dayText(from) })}
            </button>
            <button type="button" class="button" onClick={() => setAsking(false)}>
              {t('cases.cancel')}
            </button>
          </p>
        </Dialog>
      )}
    </section>
  );
}

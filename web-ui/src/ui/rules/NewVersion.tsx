import { useState } from 'preact/hooks';
import {
  createDraft,
  type KindOfTable,
  readVersion,
  type RuleTable,
  type Version,
} from '../../api/rules';
import { t } from '../../lib/i18n';
import { freeVersion, keyOf } from '../../lib/ruledays';
import { openVersion, rulesNews } from '../../state/rules';
import { Dialog } from '../parts/Dialog';
import { Refused, type Refusal, refused } from './said';
import { titleOf } from './words';

interface Properties {
  /** Whose copy it begins as; null begins an empty table. */
  from: Version | null;
  kind: KindOfTable;
  versions: Version[];
  today: string;
  close: () => void;
}

/** A draft: a copy of a version, or an empty table; kept at once, so that nothing of it is lost. */
export function NewVersion({ from, kind, versions, today, close }: Properties) {
  const [table, setTable] = useState(from?.decisionTable ?? kind.kind);
  const [name, setName] = useState(freeVersion(versions, table, today));
  const [error, setError] = useState<Refusal>(null);
  const [busy, setBusy] = useState(false);
  const make = async (): Promise<void> => {
    if (busy) return;
    setBusy(true);
    setError(null);
    try {
      const whole = from ? (await readVersion(from.decisionTable, from.version)).body.table : null;
      const { effective: _, ...told } = whole ?? emptyTable(kind);
      const made = await createDraft({
        ...told,
        decisionTable: table.trim(),
        version: name.trim(),
      });
      rulesNews.value++;
      close();
      openVersion(keyOf(made));
    } catch (thrown) {
      setError(refused(thrown));
      setBusy(false);
    }
  };
  return (
    <Dialog title={t(from ? 'rules.newVersion' : 'rules.newTable')} close={close}>
      <form
        class="rule-form"
        onSubmit={(event) => {
          event.preventDefault();
          void make();
        }}
      >
        <p class="quiet small">
          {from
            ? t('rules.copyOf', { title: titleOf(from), version: from.version })
            : t(`rules.what.${kind.kind}`)}
        </p>
        {!from && (
          <label>
            <span>{t('rules.tableName')}</span>
            <input
              class="search"
              name="table"
              required
              autofocus
              value={table}
              onInput={(event) => setTable(event.currentTarget.value)}
            />
          </label>
        )}
        <label>
          <span>{t('rules.versionName')}</span>
          <input
            class="search"
            name="version"
            required
            // Else the dialog's × has the focus, and Enter closes it.
            autofocus={from !== null}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        <Refused title={t('rules.notMade')} error={error} right="writer" />
        <button type="submit" class="button primary" disabled={busy}>
          {t(busy ? 'rules.makingDraft' : 'rules.makeDraft')}
        </button>
      </form>
    </Dialog>
  );
}

/** Everything that a table of the kind may ask for and must give, and one row to begin with. */
function emptyTable({
  kind,
  inputs,
  outputs,
  required,
  hitPolicies,
  alone,
}: KindOfTable): RuleTable {
  const part = (name: string, type: string): { name: string; type?: string } => ({
    name,
    ...(type === 'string' ? {} : { type }),
  });
  // A number is counted from the start; anything else may not be known of a case.
  const input = (name: string, type: string) => ({
    ...part(name, type),
    ...(type === 'number'
      ? { values: '>= 0' }
      : alone && name !== 'clock'
        ? { optional: true }
        : {}),
  });
  const given = alone ? required : Object.keys(outputs);
  return {
    decisionTable: kind,
    kind,
    version: '',
    hitPolicy: hitPolicies.at(-1) ?? 'FIRST',
    inputs: Object.entries(inputs).map(([name, type]) => input(name, type)),
    outputs: given.map((name) => part(name, outputs[name] ?? 'string')),
    rows: [{ id: 'else' }],
  };
}

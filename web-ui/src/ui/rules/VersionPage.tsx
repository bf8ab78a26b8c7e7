import { useEffect, useRef, useState } from 'preact/hooks';
import { deleteDraft, readVersion, type RuleTable, type WholeVersion } from '../../api/rules';
import { agoText } from '../../lib/format';
import { plural, t } from '../../lib/i18n';
import { dayOf, keyOf, linesOf } from '../../lib/ruledays';
import { columnsOf, diffTables, rowName } from '../../lib/rules';
import {
  change,
  edited,
  EditedMeanwhile,
  isUnsaved,
  letGo,
  openVersion,
  rulesNews,
  save,
  takeUp,
  undo,
} from '../../state/rules';
import { view } from '../../state/view';
import { useRead } from '../parts/useRead';
import { Adopt } from './Adopt';
import { Changes } from './Changes';
import { Faults, useFindings } from './Faults';
import { Grid, type Place } from './Grid';
import { Head } from './Head';
import { NewVersion } from './NewVersion';
import { ReplayPart } from './ReplayPart';
import type { Rules } from './RuleList';
import { Refused, type Refusal, refused, Unread } from './said';
import { TryOut } from './TryOut';
import { daysText, titleOf } from './words';

/** One version whole; a draft is edited in its place. */
export function VersionPage({ name, versions, kinds }: Rules & { name: string }) {
  const [table = '', version = ''] = name.split('@');
  const today = dayOf();
  const { body, error, retry } = useRead(
    name,
    async (stop) => (await readVersion(table, version, stop)).body,
    rulesNews.value,
  );
  const kind = kinds.find((each) => each.kind === body?.kind);
  const line = kind
    ? linesOf(versions, kind.kind, kind.alone, today).find(
        (each) => !each.table || each.table === table,
      )
    : undefined;
  const now = line?.now && keyOf(line.now) !== name ? line.now : null;
  const base = useRead(
    body?.state === 'draft' && now ? keyOf(now) : '',
    async (stop) => (await readVersion(now?.decisionTable ?? '', now?.version ?? '', stop)).body,
  );
  const heading = useRef<HTMLHeadingElement>(null);
  const isThere = body !== null;
  useEffect(() => {
    if (isThere) heading.current?.focus();
  }, [isThere]);
  useEffect(() => {
    if (body?.state === 'draft') takeUp(name, body.table, body.writtenAt ?? '');
  }, [body]);
  const draft = body?.state === 'draft' ? edited.value[name] : undefined;
  const shown = draft?.table ?? body?.table ?? null;
  return (
    <>
      <p>
        <button type="button" class="button plain rules-back" onClick={() => openVersion('')}>
          <span aria-hidden="true">←</span> {t('rules.all')}
        </button>
      </p>
      <h2 id="page-title" tabIndex={-1} ref={heading}>
        {body && shown ? titleOf({ ...body, title: shown.title ?? {} }) : table}{' '}
        <span class="rule-version">{version}</span>
      </h2>
      {error && <Unread title={t('rules.versionUnread')} error={error} retry={retry} />}
      {!body && !error && <p role="status">{t('loading.rows')}</p>}
      {body && shown && kind && (
        <Whole
          whole={body}
          table={shown}
          base={base.body}
          {...{ name, versions, kind, kinds, today }}
        />
      )}
    </>
  );
}

interface WholeProperties extends Rules {
  name: string;
  whole: WholeVersion;
  /** As it is typed. */
  table: RuleTable;
  /** What is in force. */
  base: WholeVersion | null;
  kind: Rules['kinds'][number];
  today: string;
}

function Whole({ name, whole, table, base, versions, kind, today }: WholeProperties) {
  const isDraft = whole.state === 'draft';
  const now = edited.value[name];
  const unsaved = now !== undefined && isUnsaved(now);
  const found = useFindings(isDraft ? table : null);
  const [hit, setHit] = useState(0);
  const [place, setPlace] = useState<Place | null>(null);
  const [making, setMaking] = useState(false);
  const saving = useSaving(name);
  const diff = isDraft && base ? diffTables(base.table, table) : null;
  const { row } = view.value.rules;
  const pointed = row ? table.rows.findIndex((each, at) => rowName(each, at) === row) : -1;
  const edit = isDraft ? (by: (table: RuleTable) => RuleTable) => change(name, by) : undefined;
  const ready = async (): Promise<boolean> => !unsaved || saving.save();
  return (
    <>
      <p class="rule-facts">
        <span class="rule-badge" data-state={whole.state}>
          {daysText(whole)}
        </span>{' '}
        <span class="quiet small">
          {[
            t(`rules.kind.${whole.kind}`),
            whole.decisionTable,
            plural('rules.rows', table.rows.length),
            whole.writtenAt &&
              t(whole.writtenBy ? 'rules.writtenBy' : 'rules.written', {
                when: agoText(whole.writtenAt),
                by: whole.writtenBy ?? '',
              }),
            whole.adoptedBy && t('rules.adoptedBy', { by: whole.adoptedBy }),
          ]
            .filter(Boolean)
            .join(' · ')}
        </span>
      </p>
      {!isDraft && (
        <p class="rule-buttons">
          <button type="button" class="button" onClick={() => setMaking(true)}>
            {t('rules.newVersion')}
          </button>
          <span class="quiet small">
            {t(whole.state === 'file' ? 'rules.fixed.file' : 'rules.fixed.adopted')}
          </span>
        </p>
      )}
      {making && (
        <NewVersion from={whole} {...{ kind, versions, today }} close={() => setMaking(false)} />
      )}
      {isDraft && (
        <>
          <DraftBar name={name} unsaved={unsaved} saving={saving} undone={!now?.before.length} />
          <Faults found={found} table={table} show={setPlace} />
          <Head table={table} kind={kind} edit={edit} />
        </>
      )}
      <Grid
        table={table}
        edit={edit}
        kind={kind}
        findings={found.findings}
        diff={diff}
        hit={hit}
        pointed={pointed}
        place={place}
        undo={() => undo(name)}
        save={() => void saving.save()}
      />
      {diff && base && <Changes diff={diff} base={base} columns={columnsOf(table)} />}
      {kind.alone && <TryOut table={table} tell={setHit} />}
      <ReplayPart whole={whole} ready={ready} today={today} />
      {isDraft && (
        <Adopt
          whole={whole}
          table={table}
          versions={versions}
          kind={kind}
          today={today}
          wrong={found.findings.filter(({ level }) => level === 'error').length}
          refused={found.error !== null}
          ready={ready}
        />
      )}
    </>
  );
}

interface Saving {
  busy: boolean;
  error: Refusal;
  /** Who saved the draft meanwhile; "" is nobody whose name is known, null nobody. */
  meanwhile: string | null;
  /** Whether it is saved now. */
  save(over?: boolean): Promise<boolean>;
}

function useSaving(name: string): Saving {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Refusal>(null);
  const [meanwhile, setMeanwhile] = useState<string | null>(null);
  const run = async (over = false): Promise<boolean> => {
    setBusy(true);
    setError(null);
    setMeanwhile(null);
    try {
      await save(name, over);
      return true;
    } catch (thrown) {
      if (thrown instanceof EditedMeanwhile) setMeanwhile(thrown.by);
      else setError(refused(thrown));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, error, meanwhile, save: run };
}

interface BarProperties {
  name: string;
  unsaved: boolean;
  saving: Saving;
  undone: boolean;
}

function DraftBar({ name, unsaved, saving, undone }: BarProperties) {
  const [asking, setAsking] = useState(false);
  const [error, setError] = useState<Refusal>(null);
  const [table = '', version = ''] = name.split('@');
  const away = async (): Promise<void> => {
    setError(null);
    try {
      await deleteDraft(table, version);
      letGo(name);
      rulesNews.value++;
      openVersion('');
    } catch (thrown) {
      setError(refused(thrown));
    }
  };
  const theirs = (): void => {
    letGo(name);
    rulesNews.value++;
  };
  return (
    <>
      <div class="rule-buttons">
        <button
          type="button"
          class="button primary"
          data-act="save"
          disabled={!unsaved || saving.busy}
          onClick={() => void saving.save()}
        >
          {t('rules.save')}
        </button>
        <button type="button" class="button" disabled={undone} onClick={() => undo(name)}>
          {t('rules.undo')}
        </button>
        {asking ? (
          <>
            <button type="button" class="button warn" onClick={() => void away()}>
              {t('rules.deleteReally')}
            </button>
            <button type="button" class="button plain" onClick={() => setAsking(false)}>
              {t('cases.cancel')}
            </button>
          </>
        ) : (
          <button type="button" class="button" data-act="delete" onClick={() => setAsking(true)}>
            {t('rules.delete')}
          </button>
        )}
        <span class="small quiet" role="status" data-saved={!unsaved}>
          {t(unsaved ? 'rules.unsavedNote' : 'rules.saved')}
        </span>
      </div>
      <Refused title={t('rules.notSaved')} error={saving.error} right="writer" />
      <Refused title={t('rules.notDeleted')} error={error} right="writer" />
      {saving.meanwhile !== null && (
        <div class="note warn" role="alert">
          <p>
            {saving.meanwhile
              ? t('rules.meanwhileBy', { by: saving.meanwhile })
              : t('rules.meanwhile')}
          </p>
          <p class="rule-buttons">
            <button type="button" class="button" onClick={() => void saving.save(true)}>
              {t('rules.overwrite')}
            </button>
            <button type="button" class="button" onClick={theirs}>
              {t('rules.theirs')}
            </button>
          </p>
        </div>
      )}
    </>
  );
}

import { useState } from 'preact/hooks';
import type { KindOfTable, Version } from '../../api/rules';
import { agoText } from '../../lib/format';
import { plural, t } from '../../lib/i18n';
import { keyOf, kindsInOrder, type Line, linesOf } from '../../lib/ruledays';
import { edited, isUnsaved } from '../../state/rules';
import { NewVersion } from './NewVersion';
import { Timeline } from './Timeline';
import { dayText, daysText, Open, titleOf } from './words';

export interface Rules {
  versions: Version[];
  kinds: KindOfTable[];
}

/** Every table, by what it decides: what is in force, what comes, what is being written. */
export function RuleList({ versions, kinds, today }: Rules & { today: string }) {
  const known = kindsInOrder.flatMap((kind) => kinds.find((each) => each.kind === kind) ?? []);
  return (
    <>
      <p class="quiet rules-intro">{t('rules.intro')}</p>
      {known.map((kind) => {
        const lines = linesOf(versions, kind.kind, kind.alone, today);
        return (
          <section
            class="rule-kind"
            key={kind.kind}
            data-kind={kind.kind}
            aria-labelledby={`rules-${kind.kind}`}
          >
            <header>
              <h3 id={`rules-${kind.kind}`}>{t(`rules.kind.${kind.kind}`)}</h3>
              <p class="quiet small">{t(`rules.what.${kind.kind}`)}</p>
            </header>
            {lines.map((line) => (
              <LineOf key={line.key} line={line} today={today} versions={versions} kind={kind} />
            ))}
            {(!lines.length || !kind.alone || !lines[0]?.versions.length) && (
              <Fresh
                kind={kind}
                versions={versions}
                today={today}
                first={!lines[0]?.versions.length}
              />
            )}
          </section>
        );
      })}
    </>
  );
}

interface LineProperties {
  line: Line;
  today: string;
  versions: Version[];
  kind: KindOfTable;
}

function LineOf({ line, today, versions, kind }: LineProperties) {
  const [making, setMaking] = useState(false);
  const { now, coming, drafts, past } = line;
  if (!line.versions.length) return null;
  const from = now ?? coming[0] ?? drafts[0] ?? past[0] ?? null;
  return (
    <div class="rule-line" data-line={line.key}>
      <Timeline line={line} today={today} />
      <ul class="rule-versions">
        {now ? (
          <li data-when="now">
            <span class="rule-when">{t('rules.inForce')}</span>
            <Named version={now} />
            <span class="small quiet">{daysText(now)}</span>
          </li>
        ) : (
          <li data-when="none">
            <span class="rule-when warn">{t('rules.noneInForce')}</span>
          </li>
        )}
        {coming.map((each) => (
          <li key={keyOf(each)} data-when="coming">
            <span class="rule-when">{t('rules.from', { day: dayText(each.from ?? '') })}</span>
            <Named version={each} />
            <span class="small quiet">{daysText(each)}</span>
          </li>
        ))}
        {drafts.map((each) => (
          <li key={keyOf(each)} data-when="draft">
            <span class="rule-when">{t('rules.draft')}</span>
            <Named version={each} />
            <span class="small quiet">
              {each.writtenAt ? agoText(each.writtenAt) : ''}
              {each.writtenBy ? ` · ${each.writtenBy}` : ''}
              {unsaved(each) ? ` · ${t('rules.unsaved')}` : ''}
            </span>
          </li>
        ))}
      </ul>
      {past.length > 0 && (
        <details class="small">
          <summary>{plural('rules.past', past.length)}</summary>
          <ul class="rule-versions">
            {past.map((each) => (
              <li key={keyOf(each)} data-when="past">
                <Named version={each} />
                <span class="quiet">{daysText(each)}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
      {from && (
        <button type="button" class="button" onClick={() => setMaking(true)}>
          {t('rules.newVersion')}
        </button>
      )}
      {making && (
        <NewVersion
          from={from}
          kind={kind}
          versions={versions}
          today={today}
          close={() => setMaking(false)}
        />
      )}
    </div>
  );
}

const unsaved = (version: Version): boolean => {
  const now = edited.value[keyOf(version)];
  return now !== undefined && isUnsaved(now);
};

function Named({ version }: { version: Version }) {
  return (
    <Open version={version}>
      {titleOf(version)} <span class="rule-version">{version.version}</span>
    </Open>
  );
}

function Fresh(props: Omit<LineProperties, 'line'> & { first: boolean }) {
  const { first, ...others } = props;
  const [making, setMaking] = useState(false);
  return (
    <div class="rule-line">
      {first && <p class="quiet">{t(`rules.none.${props.kind.kind}`)}</p>}
      <button type="button" class="button" onClick={() => setMaking(true)}>
        {t('rules.newTable')}
      </button>
      {making && <NewVersion from={null} {...others} close={() => setMaking(false)} />}
    </div>
  );
}

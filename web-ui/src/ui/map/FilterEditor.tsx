/** Conditions on a layer's attributes, or CQL2 text by hand; how many objects match is told while it is made. */
import { useEffect, useState } from 'preact/hooks';
import { ApiError } from '../../api/http';
import { countMatching } from '../../api/maps';
import { type Condition, type Conditions, readCql, writeCql } from '../../lib/cql';
import { numberText } from '../../lib/format';
import { t } from '../../lib/i18n';
import type { Askable } from '../../state/queryables';
import { layerState } from '../../state/store';
import { setFilter, view } from '../../state/view';
import { freshCondition } from './askable';
import { ConditionRow } from './ConditionRow';

interface Draft {
  conditions: Conditions;
  /** By hand, where the conditions cannot say it. */
  text: string | null;
}

function draftOf(filter: string): Draft {
  const conditions = readCql(filter);
  return conditions
    ? { conditions, text: null }
    : { conditions: { join: 'AND', list: [] }, text: filter };
}

export function FilterEditor({ type, askables }: { type: string; askables: Askable[] }) {
  const applied = view.value.filters[type] ?? '';
  const [draft, setDraft] = useState(() => draftOf(applied));
  const { conditions, text } = draft;
  const cql = text ?? writeCql(conditions);

  // Back, or a link: the editor shows what the map shows.
  useEffect(() => {
    if (cql !== applied) setDraft(draftOf(applied));
  }, [applied]);

  const setList = (list: Condition[]): void =>
    setDraft({ ...draft, conditions: { ...conditions, list } });
  const add = (): void => {
    const [first] = askables;
    if (first) setList([...conditions.list, freshCondition(first)]);
  };
  return (
    <form
      class="choice filter"
      aria-label={t('filter.title')}
      onSubmit={(event) => {
        event.preventDefault();
        if (cql !== null) setFilter(type, cql.trim());
      }}
    >
      <p class="choice-title">{t('filter.title')}</p>
      {text === null ? (
        <>
          {conditions.list.length > 1 && (
            <select
              class="select narrow"
              aria-label={t('filter.join')}
              value={conditions.join}
              onChange={(event) =>
                setDraft({
                  ...draft,
                  conditions: { ...conditions, join: event.currentTarget.value as 'AND' | 'OR' },
                })
              }
            >
              <option value="AND">{t('filter.all')}</option>
              <option value="OR">{t('filter.any')}</option>
            </select>
          )}
          {conditions.list.map((condition, at) => (
            <ConditionRow
              key={at}
              condition={condition}
              askables={askables}
              change={(changed) => setList(conditions.list.with(at, changed))}
              remove={() => setList(conditions.list.filter((_, other) => other !== at))}
            />
          ))}
        </>
      ) : (
        <ByHand text={text} change={(now) => setDraft({ ...draft, text: now })} />
      )}
      <div class="filter-buttons">
        {text === null && (
          <button type="button" class="button" onClick={add} disabled={!askables.length}>
            {t('filter.add')}
          </button>
        )}
        <button
          type="button"
          class="button plain"
          onClick={() => setDraft(text === null ? { ...draft, text: cql ?? '' } : draftOf(text))}
          disabled={text !== null && readCql(text) === null}
        >
          {t(text === null ? 'filter.byHand' : 'filter.byList')}
        </button>
      </div>
      <Matches type={type} cql={cql} />
      <div class="filter-buttons">
        <button
          type="submit"
          class="button strong"
          disabled={cql === null || cql.trim() === applied}
        >
          {t('filter.apply')}
        </button>
        {applied && (
          <button type="button" class="button" onClick={() => setFilter(type, '')}>
            {t('filter.clear')}
          </button>
        )}
      </div>
    </form>
  );
}

function ByHand({ text, change }: { text: string; change: (text: string) => void }) {
  return (
    <label class="by-hand">
      <span class="quiet small">{t('filter.cql')}</span>
      <textarea
        rows={3}
        dir="ltr"
        spellcheck={false}
        autocapitalize="off"
        autocomplete="off"
        value={text}
        onInput={(event) => change(event.currentTarget.value)}
      />
    </label>
  );
}

/** How many objects match what stands in the editor, or what the node says is wrong with it. */
function Matches({ type, cql }: { type: string; cql: string | null }) {
  const [told, setTold] = useState<{ text: string; wrong: boolean } | null>(null);
  useEffect(() => {
    if (!cql?.trim()) {
      setTold(null);
      return;
    }
    const stop = new AbortController();
    const timer = setTimeout(() => {
      countMatching(type, cql, stop.signal).then(
        (matched) => {
          const count = layerState(type)?.layer.count ?? 0;
          const counts = { matched: numberText(matched), count: numberText(count) };
          setTold({ text: t('filter.matches', counts), wrong: false });
        },
        (thrown: unknown) => {
          if (stop.signal.aborted) return;
          const said = thrown instanceof ApiError && thrown.status ? thrown.message : '';
          setTold({ text: said || t('error.unreachable'), wrong: true });
        },
      );
    }, 350);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [type, cql]);
  return (
    <p class={told?.wrong ? 'small warn' : 'small quiet'} role="status">
      {cql === null ? t('filter.unfinished') : (told?.text ?? '')}
    </p>
  );
}

import { useEffect, useId, useState } from 'preact/hooks';
import { exampleCql } from '../../lib/cql';
import { t } from '../../lib/i18n';
import { typeLabel } from '../../lib/names';
import { askablesOf } from '../../state/queryables';
import { setFilter, view } from '../../state/view';
import { FilterEditor } from '../map/FilterEditor';
import { Dialog } from '../parts/Dialog';

/** The layer's filter as its text: what the map shows is what the table has. */
export function Filter({ type, wrong }: { type: string; wrong: string }) {
  const applied = view.value.filters[type] ?? '';
  const [text, setText] = useState(applied);
  const problem = useId();
  const example = exampleCql(askablesOf(type).list);
  // Back, a link, or another room that filters: the text is what the rows are under.
  useEffect(() => setText(applied), [type, applied]);
  return (
    <div class="table-filter">
      <form
        class="table-filter-form"
        onSubmit={(event) => {
          event.preventDefault();
          setFilter(type, text.trim());
        }}
      >
        <label class="table-filter-label">
          <span>{t('table.filter')}</span>
          <input
            class="search"
            dir="ltr"
            spellcheck={false}
            autocapitalize="off"
            autocomplete="off"
            placeholder={example ? t('table.filter.hint', { example }) : ''}
            aria-invalid={wrong !== ''}
            aria-describedby={wrong ? problem : undefined}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="button" disabled={text.trim() === applied}>
          {t('table.filter.apply')}
        </button>
        {applied && (
          <button type="button" class="button" onClick={() => setFilter(type, '')}>
            {t('table.filter.clear')}
          </button>
        )}
      </form>
      <Conditions type={type} />
      {wrong && (
        <p class="note warn" id={problem} role="alert">
          {t('table.filter.wrong', { detail: wrong })}
        </p>
      )}
    </div>
  );
}

/** The same conditions that the map's layers offer. */
function Conditions({ type }: { type: string }) {
  const [open, setOpen] = useState(false);
  // Applied: the rows are what is wanted next.
  useEffect(() => setOpen(false), [view.value.filters[type]]);
  return (
    <>
      <button type="button" class="button" aria-haspopup="dialog" onClick={() => setOpen(true)}>
        {t('table.filter.conditions')}
      </button>
      {open && (
        <Dialog
          title={t('table.filter.of', { type: typeLabel(type) })}
          close={() => setOpen(false)}
        >
          <FilterEditor type={type} askables={askablesOf(type).list} />
        </Dialog>
      )}
    </>
  );
}

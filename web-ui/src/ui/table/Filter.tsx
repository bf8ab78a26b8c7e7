import { useEffect, useId, useState } from 'preact/hooks';
import { t } from '../../lib/i18n';
import { setTableFilter } from '../../state/table';
import { view } from '../../state/view';

/** The layer's filter as its text: what the map shows is what the table has. */
export function Filter({ type, wrong }: { type: string; wrong: string }) {
  const applied = view.value.filters[type] ?? '';
  const [text, setText] = useState(applied);
  const problem = useId();
  // Back, a link, or another room that filters: the text is what the rows are under.
  useEffect(() => setText(applied), [type, applied]);
  return (
    <form
      class="table-filter"
      onSubmit={(event) => {
        event.preventDefault();
        setTableFilter(type, text.trim());
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
          placeholder={t('table.filter.hint')}
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
        <button type="button" class="button" onClick={() => setTableFilter(type, '')}>
          {t('table.filter.clear')}
        </button>
      )}
      {wrong && (
        <p class="note warn" id={problem} role="alert">
          {t('table.filter.wrong', { detail: wrong })}
        </p>
      )}
    </form>
  );
}

import type { KindOfTable, RuleTable } from '../../api/rules';
import { languages, t } from '../../lib/i18n';
import { toggleColumn } from '../../lib/rules';
import { columnTitle } from '../../state/rules';

interface Properties {
  table: RuleTable;
  kind: KindOfTable;
  edit: ((by: (table: RuleTable) => RuleTable) => void) | undefined;
}

/** What a draft is called, what it asks for and gives, and how its rows are read. */
export function Head({ table, kind, edit }: Properties) {
  if (!edit) return null;
  const choices = (place: 'inputs' | 'outputs') => (
    <fieldset class="rule-columns">
      <legend>{t(`rules.${place}`)}</legend>
      {Object.entries(kind[place]).map(([name, type]) => {
        const part = table[place].find((each) => each.name === name);
        const only = part !== undefined && table[place].length === 1;
        const needed = place === 'outputs' && kind.required.includes(name);
        return (
          <label key={name}>
            <input
              type="checkbox"
              checked={part !== undefined}
              disabled={only || (needed && part !== undefined)}
              onChange={() => edit((now) => toggleColumn(now, place, name, type))}
            />{' '}
            {columnTitle(name, part?.title)} <span class="quiet small">{name}</span>
          </label>
        );
      })}
    </fieldset>
  );
  return (
    <details class="rule-head">
      <summary>{t('rules.head')}</summary>
      <div class="rule-form rule-pairs">
        {languages.map(({ code, name }) => (
          <label key={code}>
            <span>{t('rules.titleIn', { language: name })}</span>
            <input
              class="search"
              name={`title-${code}`}
              value={table.title?.[code] ?? ''}
              onChange={(event) => {
                const text = event.currentTarget.value.trim();
                edit(({ title = {}, ...now }) => {
                  const { [code]: _, ...others } = title;
                  return { ...now, title: text ? { ...others, [code]: text } : others };
                });
              }}
            />
          </label>
        ))}
        {kind.hitPolicies.length > 1 && (
          <label>
            <span>{t('rules.hitPolicy')}</span>
            <select
              class="select"
              name="hitPolicy"
              value={table.hitPolicy}
              onChange={(event) => {
                const hitPolicy = event.currentTarget.value;
                edit((now) => ({ ...now, hitPolicy }));
              }}
            >
              {kind.hitPolicies.map((policy) => (
                <option key={policy} value={policy}>
                  {policy === 'FIRST' ? t('rules.FIRST') : t('rules.UNIQUE')}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      {choices('inputs')}
      {choices('outputs')}
    </details>
  );
}

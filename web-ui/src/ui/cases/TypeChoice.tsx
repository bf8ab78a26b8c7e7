import { useState } from 'preact/hooks';
import type { Coded } from '../../api/cases';
import { languages, t } from '../../lib/i18n';
import { inLanguage, nameText } from '../../lib/names';
import { words } from '../../state/cases';

const most = 8;

/** A type by some letters of its name, in either language; both names stand beside each other. */
export function TypeChoice({ type, choose }: { type: string; choose: (code: string) => void }) {
  const [text, setText] = useState('');
  const types = words.value?.types.types ?? [];
  const wanted = text.trim().toLowerCase();
  const chosen = types.find(({ code }) => code === type);
  const found = types
    .filter((each) => wanted && allNames(each).some((name) => name.toLowerCase().includes(wanted)))
    .slice(0, most);
  return (
    <fieldset>
      <legend>{t('report.type')}</legend>
      {chosen ? (
        <p class="case-chosen">
          <span>{bothNames(chosen)}</span>
          <button type="button" class="button plain" onClick={() => choose('')}>
            {t('report.type.other')}
          </button>
        </p>
      ) : (
        <>
          <input
            type="search"
            class="search"
            aria-label={t('report.type.search')}
            placeholder={t('report.type.search')}
            value={text}
            // A search is no report: Enter takes the first that was found.
            onKeyDown={(event) => {
              if (event.key !== 'Enter') return;
              event.preventDefault();
              if (found[0]) choose(found[0].code);
            }}
            onInput={(event) => setText(event.currentTarget.value)}
          />
          <ul class="case-types">
            {found.map((each) => (
              <li key={each.code}>
                <button
                  type="button"
                  class="object"
                  data-type={each.code}
                  onClick={() => {
                    choose(each.code);
                    setText('');
                  }}
                >
                  {bothNames(each)}
                </button>
              </li>
            ))}
          </ul>
          <p class="small quiet" role="status">
            {wanted && !found.length ? t('report.type.none') : t('report.type.hint')}
          </p>
        </>
      )}
    </fieldset>
  );
}

const allNames = ({ title }: Coded): string[] =>
  typeof title === 'string' ? [title] : Object.values(title).flat();

/** The name in the reader's language, then in the page's others. */
function bothNames({ code, title }: Coded): string {
  const own = nameText(title) || code;
  const others =
    typeof title === 'string' ? [] : languages.map((each) => inLanguage(title, each.code));
  return [...new Set([own, ...others])].filter(Boolean).join(' · ');
}

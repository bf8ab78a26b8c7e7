import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Coded } from '../../api/cases';
import { languages, t } from '../../lib/i18n';
import { inLanguage, nameText } from '../../lib/names';
import { rankTypes } from '../../lib/typesearch';
import { words } from '../../state/cases';
import { goOnAt } from '../../state/focus';
import { Offers, useSuggestions } from './Offers';

const most = 8;

/**
 * The likeliest types for what was written, one press each; or one by some letters of its name, in either
 * language; or none, which is an answer too.
 *
 * @param text what the reader wrote so far
 */
export function TypeChoice(props: { type: string; choose: (code: string) => void; text: string }) {
  const { type, choose, text } = props;
  const [letters, setLetters] = useState('');
  const [unknown, setUnknown] = useState(false);
  const { found: suggestions, failed } = useSuggestions(text);
  const offers = suggestions?.types ?? [];
  const types = words.value?.types.types ?? [];
  const wanted = letters.trim();
  // People call things by other words than a city does: those of the suggestions come after its own.
  const byWords = useSuggestions(letters).found?.types ?? [];
  const chosen = types.find(({ code }) => code === type);
  const others = byWords.map(({ value }) => types.find(({ code }) => code === value));
  const isOpen = !unknown && !chosen;
  const wasOpen = useRef(isOpen);
  // What was pressed goes away with the choice, and what comes in its place takes the focus.
  useLayoutEffect(() => {
    if (wasOpen.current === isOpen) return;
    wasOpen.current = isOpen;
    goOnAt(isOpen ? '.case-type-search' : '.case-chosen > span');
  }, [isOpen]);
  const found = [...new Set([...rankTypes(types, allNames, letters), ...(wanted ? others : [])])]
    .filter((each) => each !== undefined)
    .slice(0, most);
  return (
    <fieldset>
      <legend>{t('report.type')}</legend>
      {unknown ? (
        <p class="case-chosen">
          <span tabIndex={-1}>{t('intake.report.left')}</span>
          <button type="button" class="button plain" onClick={() => setUnknown(false)}>
            {t('intake.report.again')}
          </button>
        </p>
      ) : chosen ? (
        <p class="case-chosen">
          <span tabIndex={-1}>{bothNames(chosen)}</span>
          <button type="button" class="button plain" onClick={() => choose('')}>
            {t('report.type.other')}
          </button>
        </p>
      ) : (
        <>
          <div role="status">
            {offers.length > 0 && (
              <>
                <p class="strong">{t('intake.report.suggested')}</p>
                <Offers
                  offers={offers}
                  label={t('intake.report.suggested')}
                  chosen={[]}
                  take={choose}
                />
                <p class="small quiet">{t('intake.report.hint')}</p>
              </>
            )}
            {suggestions?.known === false && (
              <p class="small quiet" data-unknown-words>
                {t('intake.report.noWord')}
              </p>
            )}
            {failed && <p class="small quiet">{t('intake.unread')}</p>}
          </div>
          <input
            type="search"
            class="search case-type-search"
            aria-label={t('report.type.search')}
            placeholder={t('report.type.search')}
            value={letters}
            // A search is no report: Enter takes the first that was found.
            onKeyDown={(event) => {
              if (event.key !== 'Enter') return;
              event.preventDefault();
              if (found[0]) choose(found[0].code);
            }}
            onInput={(event) => setLetters(event.currentTarget.value)}
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
                    setLetters('');
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
          <button type="button" class="button" data-unknown onClick={() => setUnknown(true)}>
            {t('intake.report.unknown')}
          </button>
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

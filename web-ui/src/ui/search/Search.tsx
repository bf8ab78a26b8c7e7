import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { plural, t } from '../../lib/i18n';
import {
  clearSearch,
  failed,
  longestText,
  more,
  type Option,
  options,
  searchAgain,
  searching,
  text,
} from '../../state/search';
import { sheet } from '../../state/store';
import { Problem } from '../parts/Problem';
import { InView } from './InView';
import { OptionText } from './OptionText';
import { pick } from './pick';
import './search.css';

const keyOf = (option: Option): string =>
  option.kind === 'place'
    ? 'place'
    : option.kind === 'type'
      ? `type ${option.type}`
      : `object ${option.id}`;

/** Search over names, ids, types and places: a combobox whose list lies open below it (WAI-ARIA 1.2). */
export function Search() {
  const field = useRef<HTMLInputElement>(null);
  const active = useSignal(-1);
  const list = options.value;
  const at = Math.min(active.value, list.length - 1);

  useEffect(() => {
    document.getElementById(`search-${at}`)?.scrollIntoView({ block: 'nearest' });
  }, [at]);

  const onKeyDown = (event: KeyboardEvent): void => {
    // Keys that choose a word while it is being written belong to the writing.
    if (event.isComposing) return;
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step && list.length) {
      event.preventDefault();
      const first = step > 0 ? 0 : list.length - 1;
      active.value = at < 0 ? first : (at + step + list.length) % list.length;
    } else if (event.key === 'Enter') {
      const option = list[Math.max(at, 0)];
      if (!option) return;
      event.preventDefault();
      pick(option);
    } else if (event.key === 'Escape' && text.value) {
      event.preventDefault();
      active.value = -1;
      clearSearch();
    }
  };

  return (
    <section class="section find" aria-labelledby="find-title">
      <h2 id="find-title" class="unseen">
        {t('search.title')}
      </h2>
      <div class="search-field">
        <svg class="search-sign" viewBox="0 0 24 24" aria-hidden="true">
          <path d="M10.5 4a6.5 6.5 0 1 0 .01 0M15.5 15.5L20 20" />
        </svg>
        <input
          id="search"
          ref={field}
          type="text"
          role="combobox"
          class="search"
          dir="auto"
          aria-label={t('search.label')}
          placeholder={t('search.hint')}
          aria-expanded={list.length > 0}
          aria-controls="search-list"
          aria-autocomplete="list"
          aria-activedescendant={at >= 0 ? `search-${at}` : undefined}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          enterkeyhint="search"
          maxLength={longestText}
          value={text.value}
          onFocus={() => {
            if (sheet.value === 'peek') sheet.value = 'half';
          }}
          onInput={(event) => {
            active.value = -1;
            text.value = event.currentTarget.value;
            // The telephone's own keyboard covers the lower half.
            sheet.value = 'full';
          }}
          onKeyDown={onKeyDown}
        />
        {text.value && (
          <button
            type="button"
            class="search-clear"
            aria-label={t('search.clear')}
            onClick={() => {
              clearSearch();
              field.current?.focus();
            }}
          >
            <svg viewBox="0 0 24 24" aria-hidden="true">
              <path d="M6 6l12 12M18 6L6 18" />
            </svg>
          </button>
        )}
      </div>
      <p class="unseen" role="status">
        {text.value.trim() && !searching.value && !failed.value
          ? plural('search.results', list.length)
          : ''}
      </p>
      <ul
        id="search-list"
        class="search-list"
        role="listbox"
        aria-label={t('search.found')}
        aria-busy={searching.value}
        hidden={!list.length}
      >
        {list.map((option, index) => (
          <li
            key={keyOf(option)}
            id={`search-${index}`}
            class="object"
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            data-object={option.kind === 'object' ? option.id : undefined}
            data-type={option.kind === 'type' ? option.type : undefined}
            // The focus stays in the field; when it comes back from a panel, it is at this row again.
            onMouseDown={(event) => event.preventDefault()}
            onFocus={() => {
              active.value = index;
              field.current?.focus();
            }}
            onClick={() => pick(option)}
          >
            <OptionText option={option} />
          </li>
        ))}
      </ul>
      <Tail nothing={!list.length} />
      {!text.value.trim() && <InView />}
    </section>
  );
}

function Tail({ nothing }: { nothing: boolean }) {
  if (!text.value.trim()) return null;
  if (failed.value) {
    return <Problem title={t('search.failed')} error={failed.value} retry={searchAgain} />;
  }
  if (searching.value) return nothing ? <p class="quiet small">{t('search.running')}</p> : null;
  if (nothing) return <p class="small">{t('search.nothing', { text: text.value.trim() })}</p>;
  return more.value ? <p class="quiet small">{t('search.more')}</p> : null;
}

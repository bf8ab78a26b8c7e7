import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { numberOf, readCase } from '../../api/cases';
import { ApiError } from '../../api/http';
import { typedNumber } from '../../lib/cases';
import { t } from '../../lib/i18n';
import { goCases } from '../../state/cases';
import { offerKeys } from '../../state/keys';
import { refusal } from './parts';

/** A case by its number, whatever the queue holds: Enter opens it; one that does not exist is said. */
export function FindCase() {
  const [said, setSaid] = useState('');
  const field = useRef<HTMLInputElement>(null);
  const asked = useRef('');
  useLayoutEffect(
    () =>
      offerKeys({ key: '/', message: 'cases.keys.find', act: () => void field.current?.focus() }),
    [],
  );
  const find = async (form: HTMLFormElement): Promise<void> => {
    const number = typedNumber(String(new FormData(form).get('number')));
    asked.current = number;
    setSaid('');
    if (!number) return;
    try {
      const { body } = await readCase(number, '', new AbortController().signal);
      if (asked.current !== number) return;
      form.reset();
      goCases({ number: numberOf(body.case.id) });
    } catch (thrown) {
      if (asked.current !== number) return;
      const isUnknown = thrown instanceof ApiError && thrown.status === 404;
      setSaid(isUnknown ? t('status.unknown', { number }) : refusal(thrown));
    }
  };
  return (
    <form
      class="case-find"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        void find(event.currentTarget);
      }}
    >
      <input
        class="search"
        ref={field}
        name="number"
        aria-label={t('cases.find')}
        placeholder={t('cases.find')}
        title={t('cases.find.hint')}
        autocomplete="off"
        spellcheck={false}
        enterkeyhint="go"
        maxLength={200}
        onInput={() => setSaid('')}
      />
      <p role="alert" class={said ? 'note warn' : ''}>
        {said}
      </p>
    </form>
  );
}

import { signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import { forgetKey, keepKey, key } from '../../api/key';
import { t } from '../../lib/i18n';
import { start } from '../../state/app';
import { phase } from '../../state/store';
import { Dialog } from './Dialog';

/** Whether the reader is asked for a key. */
export const keyOpen = signal(false);

/** The reader's API key: given, changed, forgotten. It is shown to nobody, not even to the reader. */
export function KeyDialog() {
  const [text, setText] = useState('');
  if (!keyOpen.value) return null;
  const close = (): void => {
    setText('');
    keyOpen.value = false;
  };
  const done = (): void => {
    close();
    if (phase.value === 'error') void start();
  };
  return (
    <Dialog title={t('key.title')} close={close}>
      <p>{t(key.value ? 'key.kept' : 'key.none')}</p>
      <form
        class="key-form"
        onSubmit={(event) => {
          event.preventDefault();
          keepKey(text);
          done();
        }}
      >
        <input
          class="dialog-field"
          type="password"
          name="key"
          autocomplete="off"
          spellcheck={false}
          aria-label={t('key.title')}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <p class="small quiet">{t('key.hint')}</p>
        <p class="key-buttons">
          <button type="submit" class="button primary" disabled={!text.trim()}>
            {t('key.use')}
          </button>
          {key.value && (
            <button
              type="button"
              class="button"
              onClick={() => {
                forgetKey();
                done();
              }}
            >
              {t('key.forget')}
            </button>
          )}
        </p>
      </form>
    </Dialog>
  );
}

/** What is said where a right is wanting, and the way to a key that has it. */
export function NoRight({ text }: { text: string }) {
  return (
    <div class="note warn" role="alert">
      <p>{text}</p>
      <button type="button" class="button" onClick={() => (keyOpen.value = true)}>
        {t(key.value ? 'key.other' : 'key.give')}
      </button>
    </div>
  );
}

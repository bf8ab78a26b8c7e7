import { signal } from '@preact/signals';
import { known, t } from '../../lib/i18n';
import { shortcuts } from '../../state/keys';
import { Dialog } from './Dialog';

export const helpOpen = signal(false);

/** Every key that does something on the page as it is now; a key that several rooms offer is told once. */
export function Help() {
  if (!helpOpen.value) return null;
  const told = [...new Map(shortcuts.value.map((each) => [each.message, each])).values()];
  return (
    <Dialog title={t('keys.title')} close={() => (helpOpen.value = false)}>
      <dl class="keys">
        {told.map(({ key, message }) => (
          <>
            <dt key={`${message} key`}>
              <kbd>{known(`keys.key.${key}`) ?? key.toUpperCase()}</kbd>
            </dt>
            <dd key={message}>{t(message)}</dd>
          </>
        ))}
      </dl>
      <p class="quiet small">{t('keys.map')}</p>
    </Dialog>
  );
}

import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../../lib/i18n';
import './dialog.css';
import { Icon } from './Icon';

/** What must be seen to before the page goes on. The browser keeps the focus in it and gives it back. */
export function Dialog(props: { title: string; close: () => void; children: ComponentChildren }) {
  const { title, close, children } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const name = useId();
  const pressedBeside = useRef(false);
  // With the dialog itself, not after it is painted: a key or a press that comes at once would reach what is
  // behind it while the map is drawn.
  useLayoutEffect(() => {
    const now = dialog.current;
    now?.showModal();
    return () => now?.close();
  }, []);
  return (
    <dialog
      class="dialog"
      ref={dialog}
      aria-labelledby={name}
      onClose={close}
      // Its keys are its own: none may reach the map behind it.
      onKeyDown={(event) => event.stopPropagation()}
      // A press that began in a field and ended beside the dialog was meant for the field.
      onPointerDown={(event) => {
        pressedBeside.current = event.target === event.currentTarget;
      }}
      onClick={(event) => {
        if (pressedBeside.current && event.target === event.currentTarget) close();
      }}
    >
      <div class="dialog-body">
        <header class="dialog-head">
          <h2 id={name}>{title}</h2>
          <button type="button" class="time-button" aria-label={t('dialog.close')} onClick={close}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

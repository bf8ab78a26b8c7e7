import { useRef } from 'preact/hooks';
import { t } from '../../lib/i18n';
import { map } from '../../state/store';
import { view } from '../../state/view';
import { Dialog } from './Dialog';
import { helpOpen } from './Help';
import { keyOpen } from './Key';
import { Icon, type IconName } from './Icon';
import './menu.css';
import { printMap } from './Print';
import { savePicture } from './picture';
import { canShare, share, unsaid } from './share';

/** What can be done with the view as it is: send it, keep it, print it. */
export function Menu() {
  const list = useRef<HTMLUListElement>(null);
  const hide = (): void => list.current?.hidePopover();
  const onMap = view.value.page === 'map' && map.value !== null;
  return (
    <div
      class="menu"
      onKeyDown={(event) => {
        // Escape closes this list; the browser sees to it. What lies below it stays.
        if (event.key === 'Escape' && list.current?.matches(':popover-open')) {
          event.stopPropagation();
        }
      }}
    >
      <button type="button" class="menu-button" popoverTarget="menu" aria-label={t('menu.open')}>
        <Icon name="share" />
        <span class="menu-word">{t('menu.word')}</span>
      </button>
      <ul id="menu" class="menu-list" popover="auto" ref={list} aria-label={t('menu.open')}>
        <Item
          icon={canShare() ? 'share' : 'link'}
          label={t(canShare() ? 'menu.share' : 'menu.copy')}
          act={share}
          hide={hide}
        />
        {onMap && <Item icon="picture" label={t('menu.picture')} act={savePicture} hide={hide} />}
        <Item icon="print" label={t('menu.print')} act={printMap} hide={hide} />
        <Item
          icon="key"
          label={t('key.title')}
          act={() => void (keyOpen.value = true)}
          hide={hide}
        />
        <Item
          icon="keys"
          label={t('menu.keys')}
          act={() => void (helpOpen.value = true)}
          hide={hide}
        />
      </ul>
      <Address />
    </div>
  );
}

function Item(props: { icon: IconName; label: string; act: () => void; hide: () => void }) {
  const { icon, label, act, hide } = props;
  return (
    <li>
      <button
        type="button"
        class="menu-item"
        onClick={() => {
          // First, so that the focus is back on the button that opened the list.
          hide();
          act();
        }}
      >
        <Icon name={icon} />
        {label}
      </button>
    </li>
  );
}

/** Where a browser gives no way to copy: the address, ready to be copied by hand. */
function Address() {
  if (!unsaid.value) return null;
  return (
    <Dialog title={t('menu.address')} close={() => (unsaid.value = '')}>
      <input
        class="dialog-field"
        readOnly
        aria-label={t('menu.address')}
        value={unsaid.value}
        onFocus={(event) => event.currentTarget.select()}
      />
    </Dialog>
  );
}

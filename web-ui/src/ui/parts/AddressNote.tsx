import { plural, t } from '../../lib/i18n';
import { typeLabel } from '../../lib/names';
import type { Unused } from '../../lib/unused';
import { dismissUnused, unused } from '../../state/unused';
import './addressnote.css';
import { Icon } from './Icon';

/** More than these would push away what the reader came for. */
const mostTold = 4;
const longestPart = 60;

/** What the address asked for in vain, above everything else, until it is put away. */
export function AddressNote() {
  const list = unused.value;
  const left = list.slice(mostTold);
  const close = (): void => {
    dismissUnused();
    // The button that had the focus is gone.
    document.querySelector<HTMLElement>('main')?.focus();
  };
  return (
    <section
      class="address-note"
      aria-label={t('address.label')}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        close();
      }}
    >
      <div role="status">
        {list.length > 0 && (
          <div class="note warn">
            <p>{plural('address.unused', list.length)}</p>
            <ul>{list.slice(0, mostTold).map(item)}</ul>
            {left.length > 0 && (
              <details>
                <summary>{plural('address.more', left.length)}</summary>
                <ul>{left.map(item)}</ul>
              </details>
            )}
          </div>
        )}
      </div>
      {list.length > 0 && (
        <button type="button" class="time-button" aria-label={t('address.dismiss')} onClick={close}>
          <Icon name="close" />
        </button>
      )}
    </section>
  );
}

const item = (each: Unused) => (
  <li key={`${each.name}=${each.value}`} dir="auto">
    {t('address.part', { part: partText(each), why: whyText(each) })}
  </li>
);

function partText({ name, value }: Unused): string {
  const text = `${name}=${value}`;
  const characters = [...text];
  return characters.length > longestPart
    ? `${characters.slice(0, longestPart - 1).join('')}…`
    : text;
}

function whyText({ why }: Unused): string {
  switch (why.kind) {
    case 'layer':
      return t('address.why.layer', { name: why.type });
    case 'surfaces':
      return t('address.why.surfaces', { name: typeLabel(why.type) });
    case 'attribute':
    case 'column':
      return t(`address.why.${why.kind}`, { type: typeLabel(why.type), name: why.name });
    case 'filter':
      return t('address.why.filter', { detail: why.detail });
    case 'reportedSince':
    case 'reportedUntil':
      return t('address.why.at');
    default:
      return t(`address.why.${why.kind}`);
  }
}

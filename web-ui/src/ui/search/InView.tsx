import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { numberText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { idEnd, shortId } from '../../lib/names';
import { choose } from '../../state/entity';
import { findFeature, layers, layerState, loaded, map } from '../../state/store';
import { inView } from '../../state/walk';
import { LayerSymbol } from '../parts/Symbol';

const longest = 50;
/** The list follows the map no more often than this. */
const pause = 700;

interface Item {
  id: string;
  type: string;
  name: string;
}

// Kept while a panel stands in its place: whoever closes it finds the list, and the row, as they were.
const open = signal(false);
const seen = signal<{ items: Item[]; total: number }>({ items: [], total: 0 });

/** The objects that the map shows now, to be walked by keyboard and by ear. */
export function InView() {
  const list = useRef<HTMLUListElement>(null);

  useEffect(() => {
    if (!open.value) return;
    let going = true;
    const follow = async (): Promise<void> => {
      while (going) {
        const found = objectsInView();
        const items = found.slice(0, longest).map(named);
        if (JSON.stringify(items) !== JSON.stringify(seen.peek().items)) {
          seen.value = { items, total: found.length };
        }
        await new Promise((done) => setTimeout(done, pause));
        await map.value?.whenResting();
      }
    };
    void follow();
    return () => {
      going = false;
    };
  }, [open.value]);

  const move = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (!step) return;
    const buttons = [...(list.current?.querySelectorAll('button') ?? [])];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const next = buttons[at + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
  };

  const { items, total } = seen.value;
  return (
    <details
      class="in-view"
      open={open.value}
      onToggle={(event) => (open.value = event.currentTarget.open)}
      onKeyDown={move}
    >
      <summary>{t('search.inView')}</summary>
      {open.value && items.length === 0 && <p class="quiet small">{t('search.inView.none')}</p>}
      <ul class="objects" ref={list}>
        {items.map(({ id, type, name }) => {
          const state = layerState(type);
          return (
            <li key={id}>
              <button type="button" class="object" data-object={id} onClick={() => choose(id)}>
                {state ? <LayerSymbol state={state} /> : <span class="symbol" />}
                <span class="object-name" dir="auto">
                  {name || idEnd(id)}
                </span>
                {name && <span class="object-id">{shortId(id)}</span>}
              </button>
            </li>
          );
        })}
      </ul>
      {total > items.length && (
        <p class="quiet small">
          {t('search.inView.more', { count: numberText(total - items.length) })}
        </p>
      )}
    </details>
  );
}

/** Without a map, what was read of the shown layers. */
function objectsInView(): { id: string; type: string }[] {
  if (map.value) return inView();
  return layers.value
    .filter(({ visible, role }) => visible && role === 'object')
    .flatMap(({ layer: { type } }) =>
      [...(loaded.get(type)?.features.keys() ?? [])].map((id) => ({ id, type })),
    );
}

function named({ id, type }: { id: string; type: string }): Item {
  return { id, type, name: findFeature(id)?.feature.properties.name || '' };
}

import { computed, signal, useSignalEffect } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { readEntitiesOfType } from '../../api/ngsi';
import { nameOf, rowsOf } from '../../lib/entity';
import { numberText } from '../../lib/format';
import { plural, t } from '../../lib/i18n';
import { nameText, shortId, typeLabel } from '../../lib/names';
import { choose } from '../../state/entity';
import { type LayerState, layers, loaded, revision } from '../../state/store';
import { listed } from '../../state/walk';
import { LayerSymbol } from '../parts/Symbol';

const longest = 60;
const placelessLimit = 500;

interface Item {
  id: string;
  label: string;
  state: LayerState | undefined;
}

const text = signal('');
const among = signal('');
/** Objects without a place: they are in no map layer, so the standard API is asked for them. */
const placeless = signal<{ type: string; items: Item[] } | null>(null);

const found = computed(() => {
  // Read, so that the list follows what arrives.
  void revision.value;
  const wanted = text.value.trim().toLowerCase();
  const items: Item[] = [];
  let total = 0;
  for (const item of candidates()) {
    if (
      wanted &&
      !item.label.toLowerCase().includes(wanted) &&
      !item.id.toLowerCase().includes(wanted)
    )
      continue;
    total++;
    if (items.length < longest) items.push(item);
  }
  return { items, total };
});

function* candidates(): Generator<Item> {
  if (placeless.value && placeless.value.type === among.value) {
    yield* placeless.value.items;
    return;
  }
  for (const state of layers.value) {
    const { layer, visible, role } = state;
    const asked = among.value ? among.value === layer.type : visible && role === 'object';
    if (!asked) continue;
    for (const { properties } of loaded.get(layer.type)?.features.values() ?? []) {
      yield { id: properties.id, label: properties.name, state };
    }
  }
}

export function ObjectList() {
  const list = useRef<HTMLUListElement>(null);
  useSignalEffect(() => {
    const state = layers.value.find(({ layer }) => layer.type === among.value);
    if (state && !state.layer.geometry && placeless.peek()?.type !== state.layer.type) {
      void readPlaceless(state);
    }
  });

  const move = (event: KeyboardEvent): void => {
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    const buttons = [...(list.current?.querySelectorAll('button') ?? [])];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const next = buttons[event.key === 'ArrowDown' ? at + 1 : Math.max(0, at - 1)];
    if (!next) return;
    event.preventDefault();
    next.focus();
  };

  useSignalEffect(() => {
    const narrowed = text.value.trim() !== '' || among.value !== '';
    listed.value = narrowed ? found.value.items.map(({ id }) => id) : [];
  });

  const { items, total } = found.value;
  const typed = text.value.trim();
  // An id of something that is in no shown layer can be opened all the same.
  const isId = total === 0 && /^[a-z][a-z0-9+.-]*:\S+$/i.test(typed);
  return (
    <section class="section find" aria-labelledby="find-title">
      <h2 id="find-title" class="unseen">
        {t('list.title')}
      </h2>
      <div onKeyDown={move}>
        <div class="find-row">
          <input
            type="search"
            class="search"
            aria-label={t('list.search')}
            placeholder={t('list.title')}
            value={text.value}
            onInput={(event) => (text.value = event.currentTarget.value)}
            onKeyDown={(event) => {
              const first = items[0]?.id ?? (isId ? typed : undefined);
              if (event.key === 'Enter' && first) choose(first, { fly: true });
            }}
          />
          <select
            class="select"
            aria-label={t('list.among')}
            value={among.value}
            onChange={(event) => (among.value = event.currentTarget.value)}
          >
            <option value="">{t('list.all')}</option>
            {layers.value
              .filter(({ layer }) => layer.count > 0)
              .map(({ layer }) => (
                <option key={layer.type} value={layer.type}>
                  {typeLabel(layer.type)}
                  {layer.geometry ? '' : ` (${t('layers.noPlace')})`}
                </option>
              ))}
          </select>
        </div>
        <p class="unseen" role="status">
          {plural('list.results', total)}
        </p>
        {(typed || among.value) && (
          <ul class="objects" ref={list}>
            {isId && (
              <li>
                <button type="button" class="object" onClick={() => choose(typed, { fly: true })}>
                  <span class="object-name">{t('list.open', { id: typed })}</span>
                </button>
              </li>
            )}
            {items.map((item) => (
              <ObjectItem key={item.id} item={item} />
            ))}
          </ul>
        )}
        {(typed || among.value) && <Tail total={total} shown={items.length} isId={isId} />}
      </div>
    </section>
  );
}

function ObjectItem({ item: { id, label, state } }: { item: Item }) {
  return (
    <li>
      <button
        type="button"
        class="object"
        data-object={id}
        onClick={() => choose(id, { fly: true })}
      >
        {state?.layer.geometry ? <LayerSymbol state={state} /> : <span class="symbol" />}
        <span class="object-name">{label || shortId(id)}</span>
        {label && <span class="object-id">{shortId(id)}</span>}
      </button>
    </li>
  );
}

function Tail({ total, shown, isId }: { total: number; shown: number; isId: boolean }) {
  const state = layers.value.find(({ layer }) => layer.type === among.value);
  if (total > shown) {
    return <p class="quiet small">{t('list.more', { count: numberText(total - shown) })}</p>;
  }
  if (state && !state.layer.geometry && state.layer.count > placelessLimit) {
    const counts = { count: numberText(placelessLimit), total: numberText(state.layer.count) };
    return <p class="quiet small">{t('list.limited', counts)}</p>;
  }
  if (total === 0 && !isId) {
    const none = !layers.value.some(({ visible }) => visible) && !among.value;
    return <p class="quiet small">{t(none ? 'list.nothing' : 'list.empty')}</p>;
  }
  return null;
}

async function readPlaceless(state: LayerState): Promise<void> {
  const { type, typeIri } = state.layer;
  try {
    const { body } = await readEntitiesOfType(typeIri, placelessLimit);
    const items = body.map((entity): Item => {
      return { id: entity.id, label: nameText(nameOf(rowsOf(entity))), state };
    });
    placeless.value = { type, items };
  } catch {
    placeless.value = { type: '', items: [] };
  }
}

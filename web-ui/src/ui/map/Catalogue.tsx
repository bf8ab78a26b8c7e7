/** The layer catalogue: groups, counts, marks, how fresh each layer is, and what can be done with it. */
import { computed, signal } from '@preact/signals';
import { useRef, useState } from 'preact/hooks';
import { hasStrays } from '../../lib/boxes';
import { idsCql, nowhereCql } from '../../lib/cql';
import { ageText, agoText, numberText } from '../../lib/format';
import { isOld } from '../../lib/freshness';
import { plural, t } from '../../lib/i18n';
import { nameText, typeLabel } from '../../lib/names';
import { nodeNow } from '../../lib/nodetime';
import { crowdOf } from '../../lib/symbols';
import { listInTable, showTypes } from '../../state/catalogue';
import { coveredNow } from '../../state/covered';
import { loadLayer } from '../../state/layers';
import { city, type LayerState, layers, map, sources } from '../../state/store';
import { missingThen } from '../../state/then';
import { view } from '../../state/view';
import { LayerSymbol } from '../parts/Symbol';
import './catalogue.css';
import { LayerMenu } from './LayerMenu';

/** With more layers than this, one is looked for by its name. */
const many = 12;

interface GroupOfLayers {
  id: string;
  title: string;
  list: LayerState[];
}

const wanted = signal('');

const groups = computed<GroupOfLayers[]>(() => {
  const placed = layers.value.filter(({ layer }) => layer.geometry && layer.count > 0);
  const objects = placed.filter(({ role }) => role === 'object');
  const ground = placed.filter(({ role }) => role !== 'object');
  const rest = new Set(objects);
  const made = (city.value?.groups ?? []).map(({ id, title, types }): GroupOfLayers => {
    const list = types.flatMap((type) => objects.filter(({ layer }) => layer.type === type));
    for (const state of list) rest.delete(state);
    return { id, title: nameText(title), list };
  });
  const other = made.some(({ list }) => list.length) ? t('layers.other') : t('layers.objects');
  return [
    ...made,
    { id: 'other', title: other, list: [...rest] },
    { id: 'ground', title: t('layers.base'), list: ground },
  ].filter(({ list }) => list.length);
});

export function Catalogue() {
  const text = wanted.value.trim().toLowerCase();
  const named = ({ layer }: LayerState): boolean =>
    typeLabel(layer.type).toLowerCase().includes(text) || layer.type.toLowerCase().includes(text);
  const shown = groups.value
    .map((group) => ({ ...group, list: text ? group.list.filter(named) : group.list }))
    .filter(({ list }) => list.length);
  const count = groups.value.reduce((sum, { list }) => sum + list.length, 0);
  return (
    <section class="section catalogue" aria-labelledby="layers-title">
      <h2 id="layers-title" tabIndex={-1}>
        {t('layers.title')}
      </h2>
      {count > many && (
        <input
          type="text"
          enterkeyhint="search"
          class="search"
          aria-label={t('layers.search')}
          placeholder={t('layers.search')}
          value={wanted.value}
          onInput={(event) => (wanted.value = event.currentTarget.value)}
        />
      )}
      {shown.map((group) => (
        <Group key={group.id} group={group} searched={text !== ''} />
      ))}
      {text && (
        <p class="quiet small" role="status">
          {plural(
            'layers.found',
            shown.reduce((sum, { list }) => sum + list.length, 0),
          )}
        </p>
      )}
      <p class="quiet small">{t('layers.stale')}</p>
    </section>
  );
}

const closed = signal<ReadonlySet<string>>(new Set());

function Group({ group, searched }: { group: GroupOfLayers; searched: boolean }) {
  const { id, title, list } = group;
  const open = searched || !closed.value.has(id);
  const visible = list.filter((state) => state.visible).length;
  const label = t(visible ? 'layers.hideAll' : 'layers.showAll');
  const toggle = (): void => {
    const next = new Set(closed.value);
    if (!next.delete(id)) next.add(id);
    closed.value = next;
  };
  return (
    <div class="group-of-layers" data-group={id}>
      <div class="group">
        <h3>
          <button
            type="button"
            class="group-title"
            aria-expanded={open}
            aria-controls={`group-${id}`}
            onClick={toggle}
          >
            <svg class="turn" viewBox="0 0 24 24" aria-hidden="true">
              <path d="M9 6l6 6-6 6" />
            </svg>
            <span>{title}</span>
            <span class="group-count">
              {t('layers.shownOf', { shown: numberText(visible), all: numberText(list.length) })}
            </span>
          </button>
        </h3>
        <button
          type="button"
          class="button plain small"
          aria-label={`${label}: ${title}`}
          onClick={() =>
            showTypes(
              list.map(({ layer }) => layer.type),
              !visible,
            )
          }
        >
          {label}
        </button>
      </div>
      <ul class="layers" id={`group-${id}`} hidden={!open}>
        {open && list.map((state) => <LayerItem key={state.layer.type} state={state} />)}
      </ul>
    </div>
  );
}

function LayerItem({ state }: { state: LayerState }) {
  const { layer, visible } = state;
  const { type } = layer;
  const [open, setOpen] = useState(false);
  const name = typeLabel(type);
  const more = useRef<HTMLButtonElement>(null);
  const row = `layer-${type}`;
  const used = view.value.filters[type] || view.value.colours[type];
  return (
    <li
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !open) return;
        event.stopPropagation();
        setOpen(false);
        more.current?.focus();
      }}
    >
      <div class="layer-row">
        <label class="layer" data-type={type}>
          <input
            type="checkbox"
            checked={visible}
            aria-labelledby={`${row}-name ${row}-count`}
            aria-describedby={layer.observed || layer.silent ? `${row}-told` : undefined}
            onChange={(event) => showTypes([type], event.currentTarget.checked)}
          />
          <LayerSymbol state={state} />
          <span class="layer-name" id={`${row}-name`}>
            {name}
          </span>
          <Count state={state} id={`${row}-count`} />
          <Freshness state={state} id={`${row}-told`} />
          <Then state={state} />
          <Note state={state} />
        </label>
        <button
          type="button"
          ref={more}
          class="layer-more"
          aria-expanded={open}
          aria-controls={`layer-menu-${type}`}
          aria-label={t('layers.more', { layer: name })}
          title={t('layers.more', { layer: name })}
          data-used={used ? true : undefined}
          onClick={() => setOpen(!open)}
        >
          <svg viewBox="0 0 24 24" aria-hidden="true">
            <path d="M4 7h10M18 7h2M4 17h2M10 17h10" />
            <circle cx="16" cy="7" r="2" />
            <circle cx="8" cy="17" r="2" />
          </svg>
        </button>
      </div>
      {open && <LayerMenu state={state} id={`layer-menu-${type}`} />}
    </li>
  );
}

/** The number, and while its objects are read a sign beside it: a line of its own would move the rows below. */
function Count({ state, id }: { state: LayerState; id: string }) {
  const { layer, matched, visible, phase } = state;
  const counts = { matched: numberText(matched ?? 0), count: numberText(layer.count) };
  return (
    <span class="layer-count" id={id}>
      {visible && phase === 'loading' && (
        <span class="reading" role="img" aria-label={t('loading.layer')} />
      )}
      <span aria-hidden="true">
        {matched === null ? counts.count : t('layers.matchedOf', counts)}
      </span>
      <span class="unseen">
        {matched === null ? plural('layers.count', layer.count) : t('layers.matching', counts)}
      </span>
    </span>
  );
}

/** When the last value came; silence is a state, told in words. */
function Freshness({ state: { layer }, id }: { state: LayerState; id: string }) {
  const { type, observed, silent, count } = layer;
  if (!observed && !silent) return null;
  const when = observed ? agoText(observed) : '';
  const old = observed !== null && isOld(type, observed, sources.value.list, nodeNow());
  const silence = silent
    ? silent >= count
      ? t('layers.allSilent')
      : t('layers.someSilent', { silent: numberText(silent), count: numberText(count) })
    : '';
  return (
    <span class="layer-note" id={id} data-silent={silent > 0 || old ? true : undefined}>
      {observed && (
        <time dateTime={observed} title={t('layers.lastValue')}>
          {when}
        </time>
      )}
      {old &&
        ` · ${ageText(observed) ? t('layers.oldSince', { age: ageText(observed) }) : t('layers.old')}`}
      {when && silence && ' · '}
      {silence}
    </span>
  );
}

/** How many the map has at the past time that is shown: the count is that of now. */
function Then({ state }: { state: LayerState }) {
  const then = state.visible ? missingThen(state) : null;
  if (!then) return null;
  const { shown, placed } = then;
  const counts = { shown: numberText(shown), count: numberText(placed) };
  return <span class="layer-note">{t('layers.then', counts)}</span>;
}

function Note({ state }: { state: LayerState }) {
  const { layer, role, mark, tiled, visible, phase, problem, undrawable } = state;
  if (!visible) return null;
  if (phase === 'error') {
    return (
      <span class="layer-note warn">
        {t('error.layer')}
        {problem && `: ${problem}`}{' '}
        <button
          type="button"
          class="again"
          onClick={(event) => {
            event.preventDefault();
            void loadLayer(layer.type);
          }}
        >
          {t('error.retry')}
        </button>
      </span>
    );
  }
  const { type, noPlace, bbox } = layer;
  const crowd = role === 'object' && layer.geometry === 'Point' && crowdOf(layer, mark, tiled);
  return (
    <>
      {(crowd === 'dots' || crowd === 'rimmed') && (
        <span class="layer-note">
          {t('layers.dots')} <Dot colour={mark.colour} rimmed={crowd === 'rimmed'} />
        </span>
      )}
      {undrawable.length > 0 && (
        <Told
          text={plural('layers.undrawable', undrawable.length)}
          label={t('layers.list')}
          act={() => listInTable(type, idsCql(undrawable.slice(0, mostListed)))}
        />
      )}
      {noPlace > 0 && (
        <Told
          text={plural('layers.nowhere', noPlace)}
          label={t('layers.list')}
          act={() => listInTable(type, nowhereCql)}
        />
      )}
      {bbox && hasStrays(layer) && (
        <Told
          text={t('layers.strays')}
          label={t('layers.strays.show')}
          act={() => map.value?.goTo(bbox, coveredNow())}
        />
      )}
    </>
  );
}

/** As the map draws it, a little larger. */
function Dot({ colour, rimmed }: { colour: string; rimmed: boolean }) {
  return (
    <svg class="layer-dot" viewBox="0 0 10 10" aria-hidden="true">
      <circle class={rimmed ? 'rimmed' : undefined} cx="5" cy="5" r="3" fill={colour} />
    </svg>
  );
}

/** What the map does not show as it stands, and the way to it. */
function Told({ text, label, act }: { text: string; label: string; act: () => void }) {
  return (
    <span class="layer-note warn">
      {text}:{' '}
      <button
        type="button"
        class="again"
        aria-label={`${text}: ${label}`}
        onClick={(event) => {
          // It stands in the label of a box that it must not tick.
          event.preventDefault();
          act();
        }}
      >
        {label}
      </button>
    </span>
  );
}

/** An address has only so much room. */
const mostListed = 20;

import { numberText } from '../../lib/format';
import { plural, t } from '../../lib/i18n';
import { typeLabel } from '../../lib/names';
import { toggleLayer } from '../../state/layers';
import { type LayerState, layers, loaded, revision, staleUnknown } from '../../state/store';
import { LayerSymbol } from '../parts/Symbol';

/** The legend, the counts and the switches in one list. */
export function LayerList() {
  const placed = layers.value.filter(({ layer }) => layer.geometry && layer.count > 0);
  const groups = [
    { title: t('layers.objects'), list: placed.filter(({ role }) => role === 'object') },
    { title: t('layers.base'), list: placed.filter(({ role }) => role !== 'object') },
  ];
  return (
    <section class="section" aria-labelledby="layers-title">
      <h2 id="layers-title">{t('layers.title')}</h2>
      {groups
        .filter(({ list }) => list.length)
        .map(({ title, list }) => (
          <div key={title}>
            <div class="group">
              <h3>{title}</h3>
              <AllSwitch title={title} list={list} />
            </div>
            <ul class="layers">
              {list.map((state) => (
                <LayerItem key={state.layer.type} state={state} />
              ))}
            </ul>
          </div>
        ))}
      <p class="quiet small">{t(staleUnknown.value ? 'layers.staleUnknown' : 'layers.stale')}</p>
    </section>
  );
}

function AllSwitch({ title, list }: { title: string; list: LayerState[] }) {
  const some = list.some(({ visible }) => visible);
  const label = t(some ? 'layers.hideAll' : 'layers.showAll');
  return (
    <button
      type="button"
      class="button plain small"
      aria-label={`${label}: ${title}`}
      onClick={() => {
        for (const { layer, visible } of list) if (visible === some) void toggleLayer(layer.type);
      }}
    >
      {label}
    </button>
  );
}

function LayerItem({ state }: { state: LayerState }) {
  const { layer, visible } = state;
  return (
    <li>
      <label class="layer" data-type={layer.type}>
        <input type="checkbox" checked={visible} onChange={() => void toggleLayer(layer.type)} />
        <LayerSymbol state={state} />
        <span class="layer-name">{typeLabel(layer.type)}</span>
        <span class="layer-count">
          <span aria-hidden="true">{numberText(layer.count)}</span>
          <span class="unseen">{plural('layers.count', layer.count)}</span>
        </span>
        <Note state={state} />
      </label>
    </li>
  );
}

function Note({ state }: { state: LayerState }) {
  const { layer, visible, phase, totalInView } = state;
  if (!visible) return null;
  if (phase === 'loading') return <span class="layer-note">{t('loading.layer')}</span>;
  if (phase === 'error') return <span class="layer-note warn">{t('error.layer')}</span>;
  if (totalInView === null) return null;
  const shown = revision.value >= 0 ? (loaded.get(layer.type)?.features.size ?? 0) : 0;
  return (
    <span class="layer-note">
      {t('layers.partial', { shown: numberText(shown), total: numberText(totalInView) })}
    </span>
  );
}

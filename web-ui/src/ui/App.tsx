import { useSignalEffect } from '@preact/signals';
import { t } from '../lib/i18n';
import { nameText } from '../lib/names';
import { start } from '../state/app';
import { city, entity, failure, layers, phase, sheet } from '../state/store';
import { Header } from './Header';
import { LayerList } from './LayerList';
import { MapPane } from './MapPane';
import { ObjectList } from './ObjectList';
import { Panel } from './Panel';
import { Problem } from './Problem';
import { SheetHandle } from './SheetHandle';
import { Sources } from './Sources';

export function App() {
  useSignalEffect(() => {
    document.title = t('app.title', { city: nameText(city.value?.name) }).replace(/^ · /, '');
  });
  if (phase.value === 'error') {
    return (
      <main class="whole">
        <Problem title={t('error.city')} error={failure.value} retry={() => void start()} />
      </main>
    );
  }
  if (phase.value === 'loading') {
    return (
      <main class="whole" aria-busy="true">
        <p role="status">{t('loading.city')}</p>
      </main>
    );
  }
  return (
    <div class="page">
      <a class="skip" href="#side">
        {t('skip.list')}
      </a>
      <a class="skip" href="#map">
        {t('skip.map')}
      </a>
      <Header />
      <aside class="side" id="side" tabIndex={-1} data-sheet={sheet.value}>
        <SheetHandle />
        <div class="side-body">{entity.value ? <Panel /> : <Explore />}</div>
        <Sources />
      </aside>
      <MapPane />
    </div>
  );
}

function Explore() {
  if (!layers.value.some(({ layer }) => layer.count > 0)) {
    return (
      <div class="section">
        <p class="strong">{t('empty.city')}</p>
        <p class="quiet">{t('empty.city.hint')}</p>
      </div>
    );
  }
  return (
    <>
      <ObjectList />
      <LayerList />
    </>
  );
}

import { useSignalEffect } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { mapPages } from '../lib/address';
import { t } from '../lib/i18n';
import { nameText } from '../lib/names';
import { start } from '../state/app';
import { choose } from '../state/entity';
import { followFocus } from '../state/focus';
import { notice } from '../state/notice';
import { city, entity, failure, layers, phase, sheet } from '../state/store';
import { view } from '../state/view';
import { Header } from './Header';
import { Catalogue } from './map/Catalogue';
import { MapPane } from './map/MapPane';
import { AddressNote } from './parts/AddressNote';
import { speakOfFields } from './parts/fields';
import { Help } from './parts/Help';
import { KeyDialog, NoRight } from './parts/Key';
import { offerPageKeys } from './parts/keys';
import { later } from './parts/later';
import { Problem } from './parts/Problem';
import { SheetHandle } from './parts/SheetHandle';
import { Search } from './search/Search';
import { Sources } from './sources/Sources';
import { TimeBar } from './time/TimeBar';

// What the first sight does not need comes when it is asked for.
const Panel = later(async () => (await import('./panel/Panel')).Panel, {
  label: () => t('panel.back'),
  go: () => choose(null),
});
const TablePage = later(async () => (await import('./table/TablePage')).TablePage);
const SourcesPage = later(async () => (await import('./sources/SourcesPage')).SourcesPage);
const CaseQueue = later(async () => (await import('./cases/CaseQueue')).CaseQueue);
const CasePane = later(async () => (await import('./cases/CasePane')).CasePane);
const ReportForm = later(async () => (await import('./cases/ReportForm')).ReportForm);
const StatusPage = later(async () => (await import('./cases/StatusPage')).StatusPage);
const EvaluationPage = later(
  async () => (await import('./evaluation/EvaluationPage')).EvaluationPage,
);
const RulesPage = later(async () => (await import('./rules/RulesPage')).RulesPage);
const NodePage = later(async () => (await import('./node/NodePage')).NodePage);

export function App() {
  useSignalEffect(() => {
    document.title = t('app.title', { city: nameText(city.value?.name) }).replace(/^ · /, '');
  });
  useEffect(offerPageKeys, []);
  useEffect(followFocus, []);
  useEffect(speakOfFields, []);
  if (phase.value === 'error') {
    return (
      <main class="whole">
        {failure.value && [401, 403].includes(failure.value.status) ? (
          <NoRight text={t('key.city')} />
        ) : (
          <Problem title={t('error.city')} error={failure.value} retry={() => void start()} />
        )}
        <KeyDialog />
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
  const { page, cases } = view.value;
  const onMap = mapPages.includes(page);
  const withCase = page === 'cases' || page === 'evaluation';
  return (
    <div
      class="page"
      data-page={page}
      data-map={onMap ? 'shown' : 'hidden'}
      data-case={withCase && cases.number ? 'open' : undefined}
    >
      <a class="skip" href="#side">
        {t(page === 'cases' || page === 'report' ? 'skip.main' : 'skip.list')}
      </a>
      <a class="skip" href={onMap ? '#map' : '#main'}>
        {t(onMap ? 'skip.map' : 'skip.main')}
      </a>
      <Header />
      <AddressNote />
      <aside class="side" id="side" tabIndex={-1} data-sheet={sheet.value}>
        <SheetHandle />
        <div class="side-body">
          <Side />
        </div>
        <Sources />
      </aside>
      <MapPane />
      <TimeBar />
      {page === 'evaluation' && <EvaluationPage />}
      {withCase && cases.number && <CasePane />}
      {page === 'status' && <StatusPage />}
      {page === 'table' && <TablePage />}
      {page === 'rules' && <RulesPage />}
      {page === 'sources' && <SourcesPage />}
      {page === 'node' && <NodePage />}
      <Help />
      <KeyDialog />
      <p class="notice" role="status">
        {notice.value}
      </p>
    </div>
  );
}

/** What stands beside the map. */
function Side() {
  if (view.value.page === 'report') return <ReportForm />;
  if (entity.value) return <Panel />;
  return view.value.page === 'cases' ? <CaseQueue /> : <Explore />;
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
      <Search />
      <Catalogue />
    </>
  );
}

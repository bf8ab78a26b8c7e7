import { t } from '../../lib/i18n';
import { typeLabel } from '../../lib/names';
import { type LayerState, layerState, layers } from '../../state/store';
import { areasChoice, chooseTable, tableType } from '../../state/table';
import { view } from '../../state/view';
import { AreaTable, areasTitle } from './AreaTable';
import { ObjectTable } from './ObjectTable';
import './table.css';

/** The map in words and numbers: the same objects under the same filter. */
export function TablePage() {
  const type = tableType.value;
  return (
    <main
      class="sheet-page table-page"
      id="main"
      tabIndex={-1}
      aria-labelledby="page-title"
      onKeyDown={walkRows}
    >
      <h2 id="page-title" class="unseen">
        {t('page.table')}
      </h2>
      {!type ? (
        <p class="quiet">{t('table.none')}</p>
      ) : type === areasChoice ? (
        <AreaTable chooser={<Chooser />} />
      ) : !layerState(type) ? (
        <NoLayer type={type} />
      ) : (
        <ObjectTable key={type} type={type} chooser={<Chooser />} />
      )}
    </main>
  );
}

/** A table that was linked to, of a type that nothing in this city has. */
function NoLayer({ type }: { type: string }) {
  const all = layers.value.filter(({ layer }) => layer.count > 0);
  return (
    <div class="problem" role="alert">
      <p class="strong" dir="auto">
        {t('table.noLayer', { name: type })}
      </p>
      {all.length > 0 && <p>{t('table.choose')}</p>}
      <ul class="table-layers">
        {all.map(({ layer }) => (
          <li key={layer.type}>
            <button type="button" class="button" onClick={() => chooseTable(layer.type)}>
              {typeLabel(layer.type)}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Chooser() {
  const type = tableType.value;
  const { areas } = view.value;
  const all = layers.value.filter(({ layer }) => layer.count > 0 || layer.type === type);
  const shown = all.filter(({ visible }) => visible);
  const others = all.filter(({ visible }) => !visible);
  return (
    <select
      class="select table-type"
      aria-label={t('table.layer')}
      value={type}
      onChange={(event) => chooseTable(event.currentTarget.value)}
    >
      {(areas || type === areasChoice) && (
        <option value={areasChoice}>{areas ? areasTitle(areas) : t('table.areas.title')}</option>
      )}
      <Options label={t('table.shown')} list={shown} />
      <Options label={t('table.others')} list={others} />
    </select>
  );
}

function Options({ label, list }: { label: string; list: LayerState[] }) {
  if (!list.length) return null;
  return (
    <optgroup label={label}>
      {list.map(({ layer: { type } }) => (
        <option key={type} value={type}>
          {typeLabel(type)}
        </option>
      ))}
    </optgroup>
  );
}

/** Up and down go from row to row. */
function walkRows(event: KeyboardEvent): void {
  const here = event.target instanceof Element ? event.target.closest('.row-name') : null;
  if (!here) return;
  const rows = [...document.querySelectorAll<HTMLElement>('.table .row-name')];
  const at = rows.indexOf(here as HTMLElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
  const next = to === undefined ? undefined : rows[to];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

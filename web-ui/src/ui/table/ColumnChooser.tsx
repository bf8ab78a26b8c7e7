import { useState } from 'preact/hooks';
import { t } from '../../lib/i18n';
import { typeLabel } from '../../lib/names';
import { type Column, isBelow } from '../../lib/table';
import { setTable } from '../../state/table';
import { view } from '../../state/view';
import { Dialog } from '../parts/Dialog';
import { Icon } from '../parts/Icon';

interface ChooserProps {
  type: string;
  all: Column[];
  shown: Column[];
}

export function ColumnChooser({ type, all, shown }: ChooserProps) {
  const [open, setOpen] = useState(false);
  const names = shown.map(({ name }) => name);
  const { offset } = view.value.table;
  const toggle = (name: string): void => {
    // A new column stands last; the rows stay where they are.
    const columns = names.includes(name) ? names.filter((each) => each !== name) : [...names, name];
    setTable({ columns, offset });
  };
  const box = (column: Column) => (
    <li key={column.name}>
      <label class="column-choice">
        <input
          type="checkbox"
          checked={names.includes(column.name)}
          // The last one stays: no column at all would mean the usual ones.
          disabled={names.length === 1 && names[0] === column.name}
          onChange={() => toggle(column.name)}
        />
        <span dir="auto">{column.label}</span>
        {column.unit && <span class="quiet small">{column.unit}</span>}
      </label>
    </li>
  );
  const below = all.filter(({ name }) => isBelow(name));
  return (
    <>
      <button type="button" class="button" aria-haspopup="dialog" onClick={() => setOpen(true)}>
        <Icon name="options" /> {t('table.columns')}
      </button>
      {open && (
        <Dialog
          title={t('table.columns.title', { type: typeLabel(type) })}
          close={() => setOpen(false)}
        >
          <ul class="columns-list">{all.filter(({ name }) => !isBelow(name)).map(box)}</ul>
          {below.length > 0 && (
            <>
              <h3>{t('table.columns.below')}</h3>
              <ul class="columns-list">{below.map(box)}</ul>
            </>
          )}
          <button
            type="button"
            class="button plain"
            disabled={!view.value.table.columns.length}
            onClick={() => setTable({ columns: [], offset })}
          >
            {t('table.columns.usual')}
          </button>
        </Dialog>
      )}
    </>
  );
}

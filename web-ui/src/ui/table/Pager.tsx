import { numberText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { pageSize, setTable } from '../../state/table';

interface PagerProps {
  offset: number;
  /** How many rows are on the page. */
  size: number;
  matched: number;
}

export function Pager({ offset, size, matched }: PagerProps) {
  const step = pageSize.value;
  if (matched <= step && offset === 0) return null;
  const range = {
    from: numberText(Math.min(offset + 1, matched)),
    to: numberText(offset + size),
    matched: numberText(matched),
  };
  return (
    <nav class="table-pager" aria-label={t('table.pages')}>
      <Turn
        label={t('table.previous')}
        sign="M15 5l-7 7 7 7"
        to={offset > 0 ? Math.max(0, offset - step) : null}
      />
      <span class="number" role="status">
        {t('table.range', range)}
      </span>
      <Turn
        label={t('table.next')}
        sign="M9 5l7 7-7 7"
        to={offset + step < matched ? offset + step : null}
      />
    </nav>
  );
}

function Turn({ label, sign, to }: { label: string; sign: string; to: number | null }) {
  return (
    <button
      type="button"
      class="button table-turn"
      aria-label={label}
      // Not "disabled": the focus would be lost at the last page.
      aria-disabled={to === null}
      onClick={() => {
        if (to === null) return;
        setTable({ offset: to });
        document.querySelector('.table-box')?.scrollTo({ top: 0 });
      }}
    >
      <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
        <path d={sign} />
      </svg>
    </button>
  );
}

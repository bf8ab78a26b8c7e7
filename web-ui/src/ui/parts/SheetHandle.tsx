import { useRef } from 'preact/hooks';
import { t } from '../../lib/i18n';
import { type Sheet, sheet } from '../../state/store';

const order: Sheet[] = ['peek', 'half', 'full'];

/** On a small screen the side is a sheet at the bottom: tap or drag its handle. */
export function SheetHandle() {
  const from = useRef<number | null>(null);
  const moved = useRef(false);
  const at = order.indexOf(sheet.value);

  const step = (by: number): void => {
    sheet.value = order[Math.min(order.length - 1, Math.max(0, at + by))] ?? 'half';
  };
  return (
    <button
      type="button"
      class="handle"
      aria-controls="side"
      aria-expanded={sheet.value !== 'peek'}
      aria-label={t(at === order.length - 1 ? 'sheet.less' : 'sheet.more')}
      onPointerDown={(event) => {
        from.current = event.clientY;
        moved.current = false;
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerUp={(event) => {
        const way = event.clientY - (from.current ?? event.clientY);
        from.current = null;
        if (Math.abs(way) < 24) return;
        moved.current = true;
        step(way < 0 ? 1 : -1);
      }}
      onClick={() => {
        if (moved.current) moved.current = false;
        else if (at === order.length - 1) sheet.value = 'peek';
        else step(1);
      }}
    >
      <span aria-hidden="true" />
    </button>
  );
}

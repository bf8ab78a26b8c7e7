import { useLayoutEffect, useRef } from 'preact/hooks';

/** Where the keyboard goes from a cell. */
export type Way =
  'up' | 'down' | 'left' | 'right' | 'next' | 'previous' | 'start' | 'end' | 'pageUp' | 'pageDown';

const walking: Record<string, Way> = {
  ArrowUp: 'up',
  ArrowDown: 'down',
  ArrowLeft: 'left',
  ArrowRight: 'right',
  Home: 'start',
  End: 'end',
  PageUp: 'pageUp',
  PageDown: 'pageDown',
};

interface Properties {
  text: string;
  /** Whether it takes the focus when it comes. */
  held: boolean;
  label: string;
  /** The id of a list of codes; "" is none. */
  list: string;
  /** What is the matter with it. */
  wrong: string;
  /** Takes what was typed, and goes on; false at the edge. */
  leave(value: string, way: Way | null): boolean;
  /** Whether the text was a block of cells. */
  paste(text: string): boolean;
  setHeld(held: boolean): void;
}

/**
 * The cell that the keyboard is in: a field, so that every way of writing works in it. Until something is typed
 * the arrows walk the grid; then they are the field's own, and Enter, Tab or a press elsewhere takes it.
 */
export function CellInput({ text, held, label, list, wrong, leave, paste, setHeld }: Properties) {
  const field = useRef<HTMLInputElement>(null);
  const leaving = useRef(false);
  const typing = (): boolean => field.current?.dataset.typing === 'true';
  const type = (now: boolean): void => {
    if (field.current) field.current.dataset.typing = String(now);
  };
  const back = (): void => {
    if (!field.current) return;
    field.current.value = text;
    type(false);
  };
  useLayoutEffect(back, [text]);
  // Before anything is painted: who types fast must not type into the cell that was left.
  useLayoutEffect(() => {
    const now = field.current;
    if (!held || !now) return;
    now.focus({ preventScroll: true });
    now.select();
    now.closest('td')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [held]);
  const go = (event: KeyboardEvent, way: Way): void => {
    if (leave(field.current?.value ?? '', way)) event.preventDefault();
  };
  return (
    <input
      class="rule-input"
      ref={field}
      aria-label={label}
      aria-invalid={wrong ? 'true' : undefined}
      aria-describedby={wrong ? 'rule-wrong' : undefined}
      autocomplete="off"
      spellcheck={false}
      list={list || undefined}
      onFocus={(event) => {
        leaving.current = false;
        setHeld(true);
        if (!typing()) event.currentTarget.select();
      }}
      onBlur={(event) => {
        leave(event.currentTarget.value, null);
        setHeld(false);
      }}
      onInput={() => type(true)}
      onDblClick={() => type(true)}
      onPaste={(event) => {
        if (paste(event.clipboardData?.getData('text/plain') ?? '')) event.preventDefault();
      }}
      onKeyDown={(event) => {
        if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
        const { key, shiftKey } = event;
        if (key === 'Escape') {
          // Nothing below the grid may close on the way out of a cell.
          event.stopPropagation();
          leaving.current = !typing();
          back();
          event.currentTarget.select();
        } else if (key === 'Tab') {
          if (!leaving.current) go(event, shiftKey ? 'previous' : 'next');
        } else if (key === 'Enter') {
          if (!typing() && !shiftKey) {
            type(true);
            const end = event.currentTarget.value.length;
            event.currentTarget.setSelectionRange(end, end);
            event.preventDefault();
          } else go(event, shiftKey ? 'up' : 'down');
        } else if (key === 'F2') {
          type(true);
        } else if (!typing() && (key === 'Delete' || key === 'Backspace')) {
          event.currentTarget.value = '';
          leave('', null);
          event.preventDefault();
        } else if (!typing() && walking[key] && !shiftKey) {
          event.preventDefault();
          leave(event.currentTarget.value, walking[key] as Way);
        }
      }}
    />
  );
}

import { useState } from 'preact/hooks';
import { beginningOf } from '../../lib/cut';
import { timeText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { cellText, type Column } from '../../lib/table';
import { ChooseLink } from '../panel/ObjectLink';

/** A longer value is cut; the whole of it is one press away. */
const longest = 80;

/** One value. Whatever stands in data is text here. */
export function Cell({ column, value }: { column: Column; value: unknown }) {
  const text = cellText(value, column);
  const isNumber = typeof value === 'number';
  return (
    <td class={isNumber ? 'of-numbers' : undefined} data-column={column.name}>
      {text === '' ? (
        <span class="quiet" aria-hidden="true">
          –
        </span>
      ) : isNumber ? (
        text
      ) : column.kind === 'link' && typeof value === 'string' ? (
        <ChooseLink id={value}>
          <bdi>{text}</bdi>
        </ChooseLink>
      ) : column.kind === 'time' && typeof value === 'string' ? (
        <time dateTime={value} title={timeText(value)}>
          {text}
        </time>
      ) : (
        <Words text={text} />
      )}
    </td>
  );
}

function Words({ text }: { text: string }) {
  const [whole, setWhole] = useState(false);
  const cut = beginningOf(text, longest);
  if (cut === null) return <span dir="auto">{text}</span>;
  return (
    <>
      <span dir="auto" class={whole ? 'cell-whole' : undefined}>
        {whole ? text : cut}
      </span>{' '}
      <button
        type="button"
        class="cell-more"
        aria-expanded={whole}
        onClick={() => setWhole(!whole)}
      >
        {t(whole ? 'table.less' : 'table.whole')}
      </button>
    </>
  );
}

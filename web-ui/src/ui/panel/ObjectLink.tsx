import type { ComponentChildren } from 'preact';
import { idEnd, nameText, typeLabel } from '../../lib/names';
import { choose } from '../../state/entity';
import { view } from '../../state/view';
import { writeAddress } from '../../lib/address';

/** What an entity is and is called, as far as that is known. */
export interface Head {
  id: string;
  types: string[];
  name: Parameters<typeof nameText>[0];
}

/** A link that chooses an object; a browser's own ways with links (a new tab, a copy) work too. */
export function ChooseLink({ id, children }: { id: string; children: ComponentChildren }) {
  return (
    <a
      href={writeAddress({ ...view.value, id })}
      class="object-link"
      data-id={id}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        choose(id, { fly: true });
      }}
    >
      {children}
    </a>
  );
}

/** An object by its name, with its type beside it. */
export function ObjectLink({ head, typed = true }: { head: Head; typed?: boolean }) {
  return (
    <ChooseLink id={head.id}>
      <bdi>{nameText(head.name) || idEnd(head.id)}</bdi>
      {typed && head.types.length > 0 && (
        <span class="quiet small"> {head.types.map(typeLabel).join(' · ')}</span>
      )}
    </ChooseLink>
  );
}

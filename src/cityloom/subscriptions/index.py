"""Every subscription of the city, found by what an event touches instead of one after the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from threading import RLock

from cityloom.model.events import Event
from cityloom.subscriptions.compiled import ANY, Compiled


class Index:
    """Subscriptions by (tenant, id or type, watched attribute); safe for many threads.

    Cost: finding the candidates of an event takes (types + 2) x (changed
    attributes + 1) look-ups, however many subscriptions there are.
    """

    def __init__(self) -> None:
        self._by_id: dict[tuple[str, str], Compiled] = {}
        self._by_key: dict[tuple[str, str, str], dict[str, Compiled]] = defaultdict(dict)
        self._seen: dict[tuple[str, str], int] = {}
        self._lock = RLock()

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, tenant: str, id: str) -> Compiled | None:
        """One subscription, or None."""
        return self._by_id.get((tenant, id))

    def take(self, tenant: str, id: str, seq: int, compiled: Compiled | None) -> None:
        """Takes in what there was of a subscription at `seq` (None: nothing); older news is passed over.

        News comes by two ways, of what follows the log and of what keeps memory as new as the store.
        """
        with self._lock:
            if self._seen.get((tenant, id), -1) > seq:
                return
            self._seen[tenant, id] = seq
            if compiled is None:
                self.remove(tenant, id)
            else:
                self.put(tenant, compiled)

    def put(self, tenant: str, compiled: Compiled) -> None:
        """Adds or changes a subscription; at no moment is one that exists not to be found."""
        id = compiled.subscription.id
        with self._lock:
            before = self._by_id.get((tenant, id))
            self._by_id[tenant, id] = compiled
            places = set(compiled.places())
            for place in places:
                self._by_key[(tenant, *place)][id] = compiled
            if before is not None:
                self._clear(tenant, id, set(before.places()) - places)

    def remove(self, tenant: str, id: str) -> None:
        """Takes a subscription out (idempotent)."""
        with self._lock:
            compiled = self._by_id.pop((tenant, id), None)
            if compiled is not None:
                self._clear(tenant, id, set(compiled.places()))

    def _clear(self, tenant: str, id: str, places: set[tuple[str, str]]) -> None:
        for place in places:
            bucket = self._by_key[(tenant, *place)]
            del bucket[id]
            if not bucket:
                del self._by_key[(tenant, *place)]

    def candidates(self, event: Event) -> Iterator[Compiled]:
        """Subscriptions that the event may touch, each once, in order of their ids."""
        found: dict[str, Compiled] = {}
        names = {ANY, *(change.name for change in event.changes)}
        if event.before is not None:
            names |= event.before.attributes.keys()
        with self._lock:
            for key in {ANY, event.entity_id, *event.types}:
                for name in names:
                    found.update(self._by_key.get((event.tenant, key, name), {}))
        for id in sorted(found):
            yield found[id]

"""What every distributed operation shares: the registrations that may apply, and the way to their sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from cityloom.broker.door import Limits as BrokerLimits
from cityloom.broker.local import LocalBroker
from cityloom.broker.ports import Access, Call
from cityloom.federation.asking.entity_maps import EntityMaps
from cityloom.federation.asking.forward import Forwarder
from cityloom.federation.registrations.registration import Registration
from cityloom.federation.registrations.registry import Registry
from cityloom.ld.limits import limits_of
from cityloom.model.clock import Clock
from cityloom.model.settings import Settings
from cityloom.store.ports import Store


class Sources(LocalBroker):
    """The broker of this node, with the sources that registered at it."""

    def __init__(
        self,
        store: Store,
        access: Access,
        clock: Clock,
        limits: BrokerLimits | None = None,
        *,
        registry: Registry,
        forwarder: Forwarder,
        settings: Settings,
        owned_types: Mapping[str, str] | None = None,
        room: str = "",
    ) -> None:
        super().__init__(store, access, clock, limits, owned_types=owned_types, room=room)
        self.registry = registry
        self.forwarder = forwarder
        self.settings = settings
        self.limits = limits_of(settings)
        self.maps = EntityMaps(store, clock, settings)
        self._writing: Counter[tuple[str, str]] = Counter()

    def registered(self, call: Call) -> Sequence[Registration]:
        """The registrations to look at for a request: none when it is to stay here (5.5.13).

        Cost: one look-up where nothing is registered.
        """
        if call.forwarding is None or call.forwarding.local:
            return ()
        return self.registry.of(call.tenant, self._clock.now())

    def split(self, call: Call) -> bool:
        """Whether an entity may lie in several places at once (4.3.6.7)."""
        given = call.forwarding.split if call.forwarding is not None else None
        return self.settings.split_entities if given is None else given

    @contextmanager
    def writing(self, call: Call, ids: Collection[str]) -> Iterator[None]:
        """While entities are written at sources, before this node's own part is done."""
        marked = () if self.forwarder.returned(call) else [(call.tenant, id) for id in ids]
        self._writing.update(marked)
        try:
            yield
        finally:
            self._writing.subtract(marked)
            for key in marked:
                if self._writing[key] <= 0:
                    del self._writing[key]

    def comes_back(self, call: Call, entity_id: str) -> bool:
        """Whether a write was sent out here and came round: its part of this node is done by who sent it.

        To do it here as well would make of two nodes that registered each other a conflict with oneself
        (4.3.6.4).
        """
        return self.forwarder.returned(call) and (call.tenant, entity_id) in self._writing

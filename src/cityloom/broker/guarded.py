"""A door whose writes go through an `EntityWriter`."""

from __future__ import annotations

from collections.abc import Mapping

from cityloom.broker.door import Door, Limits
from cityloom.broker.ports import Access, Call
from cityloom.broker.schemas import SchemaRules
from cityloom.broker.writer import EntityWriter
from cityloom.model.clock import Clock
from cityloom.store.ports import Store, Transaction


class GuardedDoor(Door):
    """Base of the use cases that write entities or their history.

    Args:
        owned_types: type (IRI) -> the room that alone may write entities of this type.
        room: the room that this door was made for; "" is the generic door.
    """

    def __init__(
        self,
        store: Store,
        access: Access,
        clock: Clock,
        limits: Limits | None = None,
        *,
        owned_types: Mapping[str, str] | None = None,
        room: str = "",
    ) -> None:
        super().__init__(store, access, clock, limits)
        self._owners = dict(owned_types or {})
        self._room = room
        self._rules = SchemaRules()

    def _writer(self, tx: Transaction, call: Call) -> EntityWriter:
        return EntityWriter(tx, call, self._owners, self._room, self._rules)

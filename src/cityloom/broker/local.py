"""The broker of this node: every operation, on its own store."""

from __future__ import annotations

from collections.abc import Mapping

from cityloom.broker.batch import Batches
from cityloom.broker.discovery import Discovery
from cityloom.broker.door import Limits
from cityloom.broker.entities import Entities
from cityloom.broker.evolutions import Evolutions
from cityloom.broker.history import HistoryWrites
from cityloom.broker.personal import Personal
from cityloom.broker.ports import Access
from cityloom.broker.schemas import Schemas
from cityloom.model.clock import Clock
from cityloom.store.ports import Store


class LocalBroker(Entities, Batches, HistoryWrites, Evolutions, Discovery):
    """Answers the `Broker` port from one store.

    Args:
        owned_types: type (IRI) -> the room that alone may write entities of this type;
            to everyone else they are read-only.
        room: the room that this broker is handed to; "" is the generic door.

    `schemas` are the types' JSON Schemas, `personal` the door to personal data.
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
        super().__init__(store, access, clock, limits, owned_types=owned_types, room=room)
        self.schemas = Schemas(store, access, clock, limits)
        self.personal = Personal(store, access, clock, limits)

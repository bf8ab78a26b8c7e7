"""Personal data: kept apart from entities, events and history; their reading is logged, they can be erased.

The store keeps them in a table of their own. Nothing else of the broker ever
sees a body.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cityloom.broker.door import Door, Limits
from cityloom.broker.ports import Access, Call
from cityloom.model.clock import Clock
from cityloom.model.errors import BadRequestData, ResourceNotFound
from cityloom.store.ports import Store, Transaction

Eraser = Callable[[Transaction, Call, str], bool]
"""Erases, in the same work, what else of a person belongs to an entity; whether there was any."""


class Personal(Door):
    """The only door to personal data."""

    def __init__(self, store: Store, access: Access, clock: Clock, limits: Limits | None = None) -> None:
        super().__init__(store, access, clock, limits)
        self._erasers: list[Eraser] = []

    def erase_too(self, eraser: Eraser) -> None:
        """Has `eraser` do its part of every erasure."""
        self._erasers.append(eraser)

    async def put(self, call: Call, entity_id: str, body: Any) -> None:
        """Keeps the personal data of an entity. Raises ResourceNotFound when the entity does not exist."""
        self._may(call, "write", entity_id)

        def work(tx: Transaction) -> None:
            if tx.get(call.tenant, entity_id) is None:
                raise ResourceNotFound(f"entity {entity_id} does not exist")
            tx.put_personal(call.tenant, entity_id, body, call.cause)

        await self._write(call, work)

    async def read(self, call: Call, entity_id: str) -> Any:
        """Reads them for `call.purpose`; that is logged in the same transaction, also when there are none.

        Raises:
            BadRequestData: no purpose is named.
            ResourceNotFound: there are none.
        """
        self._may(call, "personal", entity_id)
        if not call.purpose.strip():
            raise BadRequestData("purpose is required: what the personal data are read for")

        def work(tx: Transaction) -> Any | None:
            return tx.read_personal(call.tenant, entity_id, call.party, call.purpose)

        body = await self._write(call, work)
        if body is None:
            raise ResourceNotFound(f"personal data of entity {entity_id} do not exist")
        return body

    async def erase(self, call: Call, entity_id: str) -> None:
        """Erases them, with what others keep of the person; the log of readings stays.

        Raises:
            ResourceNotFound: there is nothing.
        """
        self._may(call, "personal", entity_id)

        def work(tx: Transaction) -> bool:
            found = [eraser(tx, call, entity_id) for eraser in self._erasers]
            return tx.erase_personal(call.tenant, entity_id, call.party) or any(found)

        if not await self._write(call, work):
            raise ResourceNotFound(f"personal data of entity {entity_id} do not exist")

    async def readings(self, call: Call, entity_id: str) -> list[dict[str, Any]]:
        """Who read or erased them, when and for what: `{at, party, purpose, action}`."""
        self._may(call, "personal", entity_id)

        def work(tx: Transaction) -> list[dict[str, Any]]:
            return tx.personal_readings(call.tenant, entity_id)

        return await self._write(call, work)

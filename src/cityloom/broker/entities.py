"""One entity at a time, queries for many, and purge.

Source: ETSI GS CIM 009 clauses 5.6.1 to 5.6.6, 5.6.17 to 5.6.19, 5.6.21, 5.7.1, 5.7.2, 5.5.9 (paging).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import islice
from typing import Final

from msgspec.structs import replace

from cityloom.broker import merge
from cityloom.broker.guarded import GuardedDoor
from cityloom.broker.merge import Outcome
from cityloom.broker.ports import BatchResult, Call, ItemError, Page, UpdateResult
from cityloom.broker.transient import alive
from cityloom.model.entity import Attribute, Entity, encode_entity
from cityloom.model.errors import AlreadyExists, CityloomError, Overloaded, ResourceNotFound, TooManyResults
from cityloom.query.evaluate import matches
from cityloom.query.values import Query
from cityloom.store.ports import Snapshot, Transaction

_SCAN_CHUNK: Final = 500
_SCAN_AHEAD: Final = 4
"""Chunks that a scan reads ahead of who consumes it."""


class Entities(GuardedDoor):
    """Current entities, one at a time and by query."""

    async def create_entity(self, call: Call, entity: Entity) -> None:
        """5.6.1. Raises AlreadyExists."""
        self._may(call, "write", entity.id)

        def work(tx: Transaction) -> None:
            writer = self._writer(tx, call)
            if writer.find(entity.id) is not None:
                raise AlreadyExists(f"entity {entity.id} already exists")
            writer.put(entity.id, merge.created(entity, writer.now))

        await self._write(call, work, size=len(encode_entity(entity)), creates=True)

    async def merge_entity(
        self,
        call: Call,
        entity_id: str,
        fragment: Entity,
        observed_at: str | None = None,
        lang: str | None = None,
        keep_kinds: bool = False,
    ) -> UpdateResult:
        """5.6.17. Raises ResourceNotFound."""
        return await self._apply(
            call,
            entity_id,
            fragment,
            lambda before, now: merge.merged(before, fragment, now, observed_at, lang, keep_kinds),
        )

    async def replace_entity(self, call: Call, entity_id: str, entity: Entity) -> None:
        """5.6.18. Raises ResourceNotFound."""
        await self._change(
            call,
            entity_id,
            lambda before, now: merge.replaced(before, entity, now),
            len(encode_entity(entity)),
        )

    async def update_attributes(self, call: Call, entity_id: str, fragment: Entity) -> UpdateResult:
        """5.6.2. Raises ResourceNotFound."""
        return await self._apply(
            call, entity_id, fragment, lambda before, now: merge.updated(before, fragment, now)
        )

    async def append_attributes(
        self, call: Call, entity_id: str, fragment: Entity, overwrite: bool = True
    ) -> UpdateResult:
        """5.6.3. Raises ResourceNotFound."""
        return await self._apply(
            call, entity_id, fragment, lambda before, now: merge.appended(before, fragment, now, overwrite)
        )

    async def update_attribute(self, call: Call, entity_id: str, name: str, fragment: Attribute) -> None:
        """5.6.4. Raises ResourceNotFound."""
        await self._change(
            call, entity_id, lambda before, now: merge.partially_updated(before, name, fragment, now)
        )

    async def replace_attribute(self, call: Call, entity_id: str, name: str, attribute: Attribute) -> None:
        """5.6.19. Raises ResourceNotFound."""
        await self._change(
            call, entity_id, lambda before, now: merge.attribute_replaced(before, name, attribute, now)
        )

    async def delete_attribute(
        self, call: Call, entity_id: str, name: str, dataset_id: str = "", delete_all: bool = False
    ) -> None:
        """5.6.5. Raises ResourceNotFound.

        An entity that is known through its temporal evolution alone gets the deletion recorded there.
        """
        self._may(call, "write", entity_id)

        def work(tx: Transaction) -> None:
            writer = self._writer(tx, call)
            before = writer.find(entity_id)
            if before is None:
                writer.delete_past(entity_id, name, None if delete_all else dataset_id)
            else:
                after = merge.attribute_deleted(before, name, dataset_id, delete_all, writer.now)
                writer.put(entity_id, after)

        await self._write(call, work)

    async def delete_entity(self, call: Call, entity_id: str) -> None:
        """5.6.6. Raises ResourceNotFound."""
        self._may(call, "write", entity_id)

        def work(tx: Transaction) -> None:
            writer = self._writer(tx, call)
            writer.require(entity_id)
            writer.put(entity_id, None)

        await self._write(call, work)

    async def purge(self, call: Call, query: Query, keep: Sequence[str], drop: Sequence[str]) -> BatchResult:
        """5.6.21: deletes what `query` selects, or of it only `drop` (or all but `keep`) attributes.

        What is selected is found once; then it goes in works of a bounded size,
        each looking again whether its entities are still there.
        """
        self._may(call, "write", "entities")
        wanted = replace(query, limit=0, offset=0, order_by=None)
        ids = await self._read(
            call, lambda snapshot: [entity.id for entity in snapshot.scan(call.tenant, wanted)]
        )
        deleted: list[str] = []
        updated: list[str] = []
        errors: list[ItemError] = []
        size = self._limits.batch_items
        for start in range(0, len(ids), size):
            part = ids[start : start + size]

            def work(tx: Transaction, part: list[str] = part) -> BatchResult:
                return self._purge(tx, call, part, keep, drop)

            result = await self._write(call, work)
            deleted.extend(result.deleted)
            updated.extend(result.updated)
            errors.extend(result.errors)
        return BatchResult(deleted=deleted, updated=updated, errors=errors)

    def _purge(
        self, tx: Transaction, call: Call, ids: Sequence[str], keep: Sequence[str], drop: Sequence[str]
    ) -> BatchResult:
        writer = self._writer(tx, call)
        writer.fetch(ids)
        result = BatchResult()
        for entity_id in ids:
            before = writer.find(entity_id)
            if before is None:
                continue
            try:
                if keep or drop:
                    writer.put(entity_id, merge.pruned(before, keep, drop, writer.now))
                    result.updated.append(entity_id)
                else:
                    writer.put(entity_id, None)
                    result.deleted.append(entity_id)
            except CityloomError as error:
                result.errors.append(ItemError(entity_id, error))
        return result

    async def retrieve_entity(self, call: Call, entity_id: str) -> Entity:
        """5.7.1. Raises ResourceNotFound. Cost: one index lookup, on the event loop."""
        self._may(call, "read", entity_id)
        stored = self._store.get(call.tenant, entity_id)
        entity = None if stored is None else alive(stored, self._clock.now())
        if entity is not None:
            return entity
        with self._store.snapshot() as snapshot:
            self._require_tenant(snapshot, call.tenant)
        raise ResourceNotFound(f"entity {entity_id} does not exist")

    async def query_entities(self, call: Call, query: Query, count: bool = False) -> Page:
        """5.7.2. A page may be shorter than asked for while entities wait for their removal (4.22)."""
        self._may(call, "read", "entities")

        def work(snapshot: Snapshot) -> Page:
            found: list[Entity] = []
            if query.limit:
                found = snapshot.query(call.tenant, replace(query, limit=query.limit + 1))
            total = snapshot.count(call.tenant, query) if count else None
            return Page(
                entities=self._alive(found[: query.limit], query),
                count=total,
                more=len(found) > query.limit,
            )

        return await self._read(call, work)

    async def entity_ids(self, call: Call, query: Query, most: int) -> list[str]:
        """The ids of all that a query selects, in its order, paging left aside.

        Raises:
            TooManyResults: there are more than `most`.
        """
        self._may(call, "read", "entities")
        every = replace(query, limit=most + 1, offset=0)

        def work(snapshot: Snapshot) -> list[str]:
            return [entity.id for entity in snapshot.lights(call.tenant, every, ())]

        found = await self._read(call, work)
        if len(found) > most:
            raise TooManyResults(f"the query selects more than {most} entities")
        return found

    async def scan_entities(self, call: Call, query: Query) -> AsyncIterator[Entity]:
        """Everything a query selects, by id, in one snapshot, without paging.

        A reader waits for its consumer between chunks, but not for ever: the snapshot that it
        holds keeps the log of the store from shrinking.

        Raises:
            Overloaded: the consumer was too slow.
        """
        self._may(call, "read", "entities")
        loop = asyncio.get_running_loop()
        chunks: asyncio.Queue[list[Entity] | None] = asyncio.Queue(_SCAN_AHEAD)
        stopped = False

        def work(snapshot: Snapshot) -> None:
            entities = iter(snapshot.scan(call.tenant, query))
            while not stopped and (chunk := list(islice(entities, _SCAN_CHUNK))):
                self._hand_over(chunks, self._alive(chunk, query), loop)
            if not stopped:
                self._hand_over(chunks, None, loop)

        reading = asyncio.ensure_future(self._read(call, work))
        try:
            while True:
                getting = asyncio.ensure_future(chunks.get())
                await asyncio.wait((getting, reading), return_when=asyncio.FIRST_COMPLETED)
                if not getting.done() and reading.done():
                    getting.cancel()
                    reading.result()
                chunk = await getting
                if chunk is None:
                    return
                for entity in chunk:
                    yield entity
        finally:
            stopped = True
            while not chunks.empty():
                chunks.get_nowait()
            await asyncio.gather(reading, return_exceptions=True)

    def _hand_over(
        self,
        chunks: asyncio.Queue[list[Entity] | None],
        chunk: list[Entity] | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        putting = asyncio.run_coroutine_threadsafe(chunks.put(chunk), loop)
        try:
            putting.result(self._limits.scan_seconds)
        except TimeoutError:
            putting.cancel()
            raise Overloaded("the scan was given up: its consumer is too slow") from None

    def _alive(self, entities: Sequence[Entity], query: Query) -> list[Entity]:
        """Those that have not expired; one that lost a part to time must still be what is asked for."""
        now = self._clock.now()
        found = []
        for entity in entities:
            left = alive(entity, now)
            if left is not None and (left is entity or matches(query, left)):
                found.append(left)
        return found

    async def _apply(
        self, call: Call, entity_id: str, fragment: Entity, change: Callable[[Entity, str], Outcome]
    ) -> UpdateResult:
        self._may(call, "write", entity_id)

        def work(tx: Transaction) -> UpdateResult:
            writer = self._writer(tx, call)
            outcome = change(writer.require(entity_id), writer.now)
            writer.put(entity_id, outcome.entity)
            return UpdateResult(updated=outcome.updated, not_updated=outcome.not_updated)

        return await self._write(call, work, size=len(encode_entity(fragment)))

    async def _change(
        self, call: Call, entity_id: str, change: Callable[[Entity, str], Entity], size: int = 0
    ) -> None:
        self._may(call, "write", entity_id)

        def work(tx: Transaction) -> None:
            writer = self._writer(tx, call)
            writer.put(entity_id, change(writer.require(entity_id), writer.now))

        await self._write(call, work, size=size)

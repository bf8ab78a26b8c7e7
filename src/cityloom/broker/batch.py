"""Batches: each entity on its own, item by item, in works of a bounded size.

The members of one work become durable together; a member that is refused is
told with its reason and leaves the others alone. The same id more than once
in a batch is taken in the order of the array.

Source: ETSI GS CIM 009 clauses 5.6.7 to 5.6.10, 5.6.20, 5.5.11, 5.2.16, 5.2.17.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cityloom.broker import merge
from cityloom.broker.guarded import GuardedDoor
from cityloom.broker.merge import Outcome
from cityloom.broker.ports import BatchOperation, BatchResult, Call, Item, ItemError
from cityloom.broker.writer import EntityWriter
from cityloom.model.entity import Entity, encode_entity
from cityloom.model.errors import AlreadyExists, BadRequestData, CityloomError, ResourceNotFound
from cityloom.store.ports import Transaction


class Batches(GuardedDoor):
    """Many entities at once."""

    async def batch(
        self, call: Call, operation: BatchOperation, items: Sequence[Item], skip_unchanged: bool = False
    ) -> BatchResult:
        """5.6.7, 5.6.8, 5.6.9, 5.6.20: item by item.

        When the store refuses a later part (it is busy, its disk is full), what is
        durable stays, and the items of that part are told as errors.

        Raises:
            BadRequestData: the batch is empty.
        """
        self._may(call, "write", "entities")
        if not items:
            raise BadRequestData("the batch is invalid: it is empty")
        result = BatchResult()
        creates = operation in ("create", "upsert-replace", "upsert-update")
        for place, (part, size) in enumerate(self._parts(items)):

            def work(tx: Transaction, part: Sequence[Item] = part) -> BatchResult:
                return self._batch(self._writer(tx, call), operation, part, skip_unchanged)

            try:
                _extend(result, await self._write(call, work, size=size, creates=creates))
            except CityloomError as error:
                if place == 0:
                    raise
                result.errors.extend(ItemError(item.id, error) for item in part)
        return result

    async def batch_delete(self, call: Call, ids: Sequence[str]) -> BatchResult:
        """5.6.10.

        Raises:
            BadRequestData: the batch is empty.
        """
        self._may(call, "write", "entities")
        if not ids:
            raise BadRequestData("the batch is invalid: it is empty")
        result = BatchResult()
        for start in range(0, len(ids), self._limits.batch_items):
            part = ids[start : start + self._limits.batch_items]

            def work(tx: Transaction, part: Sequence[str] = part) -> BatchResult:
                return self._batch_delete(self._writer(tx, call), part)

            try:
                _extend(result, await self._write(call, work))
            except CityloomError as error:
                if start == 0:
                    raise
                result.errors.extend(ItemError(entity_id, error) for entity_id in part)
        return result

    def _parts(self, items: Sequence[Item]) -> Iterator[tuple[Sequence[Item], int]]:
        """The items of each work, with about how many bytes they are."""
        most, most_bytes = self._limits.batch_items, self._limits.batch_bytes
        start = size = 0
        for place, item in enumerate(items):
            weight = 0 if item.entity is None else len(encode_entity(item.entity))
            if place > start and (place - start == most or size + weight > most_bytes):
                yield items[start:place], size
                start, size = place, 0
            size += weight
        yield items[start:], size

    def _batch(
        self, writer: EntityWriter, operation: BatchOperation, items: Sequence[Item], skip_unchanged: bool
    ) -> BatchResult:
        writer.fetch([item.id for item in items if item.entity is not None])
        result = BatchResult()
        for item in items:
            try:
                self._item(writer, operation, item, skip_unchanged, result)
            except CityloomError as error:
                result.errors.append(ItemError(item.id, error))
        return result

    def _item(
        self,
        writer: EntityWriter,
        operation: BatchOperation,
        item: Item,
        skip_unchanged: bool,
        result: BatchResult,
    ) -> None:
        entity = item.entity
        if entity is None:
            raise item.error or BadRequestData(f"entity {item.id} is required")
        before = writer.find(item.id)
        if before is None:
            if operation not in ("create", "upsert-replace", "upsert-update"):
                raise ResourceNotFound(f"entity {item.id} does not exist")
            writer.put(item.id, merge.created(entity, writer.now), item.row)
            result.created.append(item.id)
            return
        outcome = _outcome(operation, before, entity, writer.now)
        same = skip_unchanged and merge.same_but_times(before, outcome.entity)
        if not same:
            writer.put(item.id, outcome.entity, item.row)
        if outcome.not_updated and operation == "update-no-overwrite":
            left = ", ".join(f"{name} {reason}" for name, reason in outcome.not_updated.items())
            raise AlreadyExists(f"entity {item.id} was updated in part: {left}")
        result.updated.append(item.id)
        if same:
            result.unchanged.append(item.id)

    def _batch_delete(self, writer: EntityWriter, ids: Sequence[str]) -> BatchResult:
        writer.fetch(ids)
        result = BatchResult()
        for entity_id in ids:
            try:
                writer.require(entity_id)
                writer.put(entity_id, None)
                result.deleted.append(entity_id)
            except CityloomError as error:
                result.errors.append(ItemError(entity_id, error))
        return result


def _outcome(operation: BatchOperation, before: Entity, entity: Entity, now: str) -> Outcome:
    match operation:
        case "create":
            raise AlreadyExists(f"entity {entity.id} already exists")
        case "upsert-replace":
            return Outcome(merge.replaced(before, entity, now), [], {})
        case "upsert-update":
            return merge.updated(before, entity, now)
        case "update":
            return merge.appended(before, entity, now)
        case "update-no-overwrite":
            return merge.appended(before, entity, now, overwrite=False)
        case "merge":
            return merge.merged(before, entity, now)


def _extend(result: BatchResult, more: BatchResult) -> None:
    for whole, part in (
        (result.created, more.created),
        (result.updated, more.updated),
        (result.unchanged, more.unchanged),
        (result.deleted, more.deleted),
    ):
        whole.extend(part)
    result.errors.extend(more.errors)

"""Writing the past: temporal evolutions made, added to, corrected and deleted.

Source: ETSI GS CIM 009 clauses 5.6.11 to 5.6.16, 4.5.6 to 4.5.8.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import UNSET
from msgspec.structs import replace

from cityloom.broker.guarded import GuardedDoor
from cityloom.broker.instances import brief, settled, stamped
from cityloom.broker.ports import Call, HistoryRefusal
from cityloom.model.entity import Attribute
from cityloom.model.errors import BadRequestData, ResourceNotFound
from cityloom.model.history import HistoryAppend, Instance
from cityloom.model.time import format_datetime
from cityloom.store.history_ports import HistoryReads, Window
from cityloom.store.instances import parse_instance_id
from cityloom.store.ports import Snapshot, Transaction

_BYTES_OF_INSTANCE = 256
"""About what an instance weighs in the writer's queue."""


class HistoryWrites(GuardedDoor):
    """Changing temporal evolutions."""

    async def upsert_history(self, call: Call, append: HistoryAppend) -> bool:
        """5.6.11: True when the entity was not in history before."""
        self._may(call, "write", append.entity_id)

        def work(tx: Transaction) -> bool:
            new = tx.history_entity(call.tenant, append.entity_id) is None
            self._append(tx, call, append)
            return new

        return await self._write(call, work, size=_weight(append), creates=True)

    async def append_history(self, call: Call, appends: Sequence[HistoryAppend]) -> list[int]:
        """5.6.12 for many: how many instances of each were new. An entity unknown to history is made.

        In works of a bounded number of instances, so an entity may get several events.

        Raises:
            BadRequestData: the schema of a type refuses an instance; nothing of the call is
                stored. `check_history` tells all of them beforehand.
        """
        self._may(call, "write", "history")
        for refusal in await self.check_history(call, appends):
            raise refusal.error
        new = [0] * len(appends)
        for part in self._pieces(appends):

            def work(
                tx: Transaction, part: Sequence[tuple[int, HistoryAppend]] = part
            ) -> list[tuple[int, int]]:
                return [(place, self._append(tx, call, append)) for place, append in part]

            size = sum(_weight(append) for _, append in part)
            for place, count in await self._write(call, work, size=size, creates=True):
                new[place] += count
        return new

    async def check_history(self, call: Call, appends: Sequence[HistoryAppend]) -> list[HistoryRefusal]:
        """The instances that the schemas of their types refuse."""
        self._may(call, "write", "history")

        def work(snapshot: Snapshot) -> list[HistoryRefusal]:
            find = self._rules.finder(snapshot, call.tenant)
            refusals = []
            for append in appends:
                schemas = [schema for schema in map(find, append.types) if schema is not None]
                for instance in append.instances if schemas else ():
                    try:
                        for schema in schemas:
                            schema.check_instance(append.entity_id, instance)
                    except BadRequestData as error:
                        refusals.append(
                            HistoryRefusal(entity_id=append.entity_id, instance=instance, error=error)
                        )
            return refusals

        with self._store.snapshot() as snapshot:
            types = {type for append in appends for type in append.types}
            find = self._rules.finder(snapshot, call.tenant)
            if all(find(type) is None for type in types):
                return []
        return await self._read(call, work)

    async def append_attributes_history(self, call: Call, entity_id: str, instances: list[Instance]) -> None:
        """5.6.12. Raises ResourceNotFound."""
        self._may(call, "write", entity_id)

        def work(tx: Transaction) -> None:
            known = tx.history_entity(call.tenant, entity_id)
            if known is None:
                raise _no_evolution(entity_id)
            append = HistoryAppend(
                entity_id=entity_id, types=known.types, scopes=known.scopes, instances=instances
            )
            self._append(tx, call, append)

        await self._write(call, work, size=len(instances) * _BYTES_OF_INSTANCE)

    async def update_instance(
        self, call: Call, entity_id: str, name: str, instance_id: str, fragment: Attribute
    ) -> None:
        """5.6.14: the instance is replaced; its id and time of creation remain. Raises ResourceNotFound."""
        self._may(call, "write", entity_id)

        def work(tx: Transaction) -> None:
            old = _find_instance(tx, call.tenant, entity_id, name, instance_id)
            kind = fragment.kind or old.attribute.kind
            value = old.attribute.value if fragment.value is UNSET else fragment.value
            now = format_datetime(tx.now)
            whole = settled(name, replace(fragment, kind=kind, value=value), old.attribute)
            after = replace(
                stamped(whole, now, old.attribute),
                dataset_id=old.attribute.dataset_id,
                instance_id=instance_id,
            )
            changed = replace(old, attribute=after)
            known = tx.history_entity(call.tenant, entity_id)
            self._check(tx, call, entity_id, [] if known is None else known.types, [changed])
            tx.replace_instance(call.tenant, entity_id, changed, call.cause)

        await self._write(call, work)

    async def delete_history(
        self,
        call: Call,
        entity_id: str,
        *,
        name: str | None = None,
        dataset_id: str | None = None,
        instance_id: str | None = None,
    ) -> None:
        """5.6.13, 5.6.15, 5.6.16 (`dataset_id` None deletes all datasets). Raises ResourceNotFound."""
        self._may(call, "write", entity_id)

        def work(tx: Transaction) -> None:
            if tx.history_entity(call.tenant, entity_id) is None:
                raise _no_evolution(entity_id)
            tx.delete_history(
                call.tenant,
                entity_id,
                call.cause,
                name=name,
                dataset_id=dataset_id,
                instance_id=instance_id,
            )

        await self._write(call, work)

    def _append(self, tx: Transaction, call: Call, append: HistoryAppend) -> int:
        """Adds instances; how many were new."""
        now = format_datetime(tx.now)
        instances = [_entering(instance, now) for instance in append.instances]
        self._check(tx, call, append.entity_id, append.types, instances)
        event = tx.append_history(call.tenant, replace(append, instances=instances), call.cause)
        return 0 if event is None else event.count

    def _check(
        self,
        tx: Transaction,
        call: Call,
        entity_id: str,
        types: Sequence[str],
        instances: Sequence[Instance],
    ) -> None:
        find = self._rules.finder(tx, call.tenant)
        for schema in [schema for schema in map(find, types) if schema is not None]:
            for instance in instances:
                schema.check_instance(entity_id, instance)

    def _pieces(self, appends: Sequence[HistoryAppend]) -> Iterator[list[tuple[int, HistoryAppend]]]:
        """(place, append) of each work; an append that is too long for one is taken in several."""
        most = self._limits.history_instances
        part: list[tuple[int, HistoryAppend]] = []
        room = most
        for place, append in enumerate(appends):
            for start in range(0, len(append.instances), most):
                piece = replace(append, instances=append.instances[start : start + most])
                if part and len(piece.instances) > room:
                    yield part
                    part, room = [], most
                part.append((place, piece))
                room -= len(piece.instances)
        if part:
            yield part


def _entering(instance: Instance, now: str) -> Instance:
    """An instance as it enters history; what was deleted may be told as such (5.5.4)."""
    attribute = instance.attribute
    if attribute.deleted_at is not None:
        whole = replace(attribute, created_at=attribute.created_at or now, modified_at=now)
    else:
        whole = stamped(settled(instance.name, attribute, None), now, None)
    return replace(instance, attribute=whole)


def _find_instance(reads: HistoryReads, tenant: str, entity_id: str, name: str, instance_id: str) -> Instance:
    """An instance by its id. Raises ResourceNotFound. Cost: at most the attribute's history."""
    if reads.history_entity(tenant, entity_id) is None:
        raise _no_evolution(entity_id)
    if instance_id in reads.known_instances(tenant, entity_id, [instance_id]):
        for window in _windows_around(name, instance_id):
            for instance in reads.instances(tenant, entity_id, window).get(name, ()):
                if instance.attribute.instance_id == instance_id:
                    return instance
    raise ResourceNotFound(
        f"instance {instance_id} of attribute {brief(name)} of entity {entity_id} does not exist"
    )


def _windows_around(name: str, instance_id: str) -> Iterator[Window]:
    """Where an instance may be: at the time that its id tells, else (it was moved) anywhere."""
    parsed = parse_instance_id(instance_id)
    if parsed is not None:
        stamp = parsed[0]
        yield Window(names=[name], start=stamp, end=stamp + 1)
    yield Window(names=[name])


def _no_evolution(entity_id: str) -> ResourceNotFound:
    return ResourceNotFound(f"temporal evolution of entity {entity_id} does not exist")


def _weight(append: HistoryAppend) -> int:
    return len(append.instances) * _BYTES_OF_INSTANCE

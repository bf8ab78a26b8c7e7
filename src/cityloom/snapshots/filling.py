"""What goes into a snapshot: the results of queries, or all of another snapshot.

Source: ETSI GS CIM 009 clauses 5.16.1.4, 5.16.2.4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from cityloom.broker.door import settled
from cityloom.broker.linked import with_links
from cityloom.broker.ports import Broker, Call, MapWish
from cityloom.ld.linked import Joining, follow
from cityloom.model.entity import Entity
from cityloom.model.errors import CityloomError, TooManyResults
from cityloom.model.events import Cause
from cityloom.model.history import HistoryAppend, Instance
from cityloom.model.settings import Settings
from cityloom.query.project import project
from cityloom.query.values import Projection, Query, TemporalQuery
from cityloom.store.history_ports import Window
from cityloom.store.ports import Snapshot as Reads
from cityloom.store.ports import Store, Transaction

T = TypeVar("T")

_PAGE: Final = 500
_JOINED_PAGE: Final = 100
"""Entities whose linked entities are read together."""
_HISTORY_PAGE: Final = 50


class Asked(NamedTuple):
    """One query of a snapshot: `call` says how far it reaches; `temporal` None asks for entities.

    `refused`: what executing it comes to, where that is known beforehand (such as: it is too wide).
    """

    call: Call
    query: Query
    projection: Projection
    joining: Joining = Joining()
    temporal: TemporalQuery | None = None
    refused: CityloomError | None = None


class Filling:
    """Writes into one snapshot, and counts what is there.

    Args:
        tenant: where the data of the snapshot stand.

    Every method raises TooManyResults when the snapshot would hold more entities than the settings allow.
    """

    def __init__(self, store: Store, broker: Broker, settings: Settings, tenant: str, cause: Cause) -> None:
        self._store = store
        self._broker = broker
        self._most = settings.snapshot_entities
        self._instances = settings.temporal_max
        self._tenant = tenant
        self._cause = cause
        self._ids: set[str] = set()

    async def run(self, asked: Asked) -> int:
        """Executes one query, all its pages; how many entities it had, those that it links to aside."""
        if asked.refused is not None:
            raise asked.refused
        return await (self._entities(asked) if asked.temporal is None else self._history(asked))

    async def _entities(self, asked: Asked) -> int:
        found = 0
        forwarding = asked.call.forwarding
        size = _JOINED_PAGE if asked.joining.level else _PAGE
        query = await with_links(self._broker, asked.call, asked.query, _PAGE)
        query = replace(query, limit=size, order_by=None)
        wish = MapWish(wanted=True)
        while True:
            if forwarding is not None:
                # So that an entity comes once, whatever happens while the pages are read.
                forwarding.map_wish = wish
            page = await self._broker.query_entities(asked.call, query)
            if forwarding is not None:
                wish = MapWish(id=forwarding.map_used)
            whole = [_named(project(entity, asked.projection), entity) for entity in page.entities]
            linked = await self._linked(asked, whole)
            self._count(entity.id for entity in (*whole, *linked))
            await self._put_all(whole)
            await self._put_all(linked)
            found += len(whole)
            if not page.more:
                return found
            query = replace(query, offset=query.offset + size)

    async def _linked(self, asked: Asked, entities: Sequence[Entity]) -> list[Entity]:
        """The entities that these link to (4.5.23), as entities of the snapshot, flat or inline alike."""
        if not asked.joining.level:
            return []
        known: dict[str, Entity] = {}

        async def read(wanted: Iterable[str]) -> dict[str, Entity]:
            ids = list(wanted)
            for start in range(0, len(ids), _PAGE):
                some = ids[start : start + _PAGE]
                page = await self._broker.query_entities(asked.call, Query(ids=some, limit=len(some)))
                known.update({entity.id: entity for entity in page.entities})
            return {id: known[id] for id in ids if id in known}

        reached = await follow(entities, asked.projection, asked.joining, read)
        return [_named(small, known[id]) for (_, id), small in reached.items()]

    async def _history(self, asked: Asked) -> int:
        assert asked.temporal is not None
        found = 0
        query = replace(asked.query, limit=_HISTORY_PAGE, order_by=None)
        names = list(asked.projection.attrs) or [path[0] for path in asked.projection.pick]
        names = [name for name in names if name not in ("id", "type", "scope")]
        while True:
            page = await self._broker.query_history(
                asked.call, query, asked.temporal, names, instances=self._instances
            )
            if page.cut:
                raise TooManyResults(f"an evolution has more than {self._instances} instances")
            omitted = {path[0] for path in asked.projection.omit}
            appends = [
                HistoryAppend(
                    entity_id=one.entity.id,
                    types=one.entity.types,
                    scopes=one.entity.scopes,
                    instances=[
                        instance
                        for name, many in one.instances.items()
                        if name not in omitted
                        for instance in many
                    ],
                )
                for one in page.evolutions
            ]
            self._count(append.entity_id for append in appends)
            await self._append_all(appends)
            found += len(appends)
            if not page.more:
                return found
            query = replace(query, offset=query.offset + _HISTORY_PAGE)

    async def copy(self, source: str) -> None:
        """Takes over everything of another snapshot, whose data stand in `source`."""
        every = Query(limit=self._most + 1)
        ids = await self._read(lambda reads: [one.id for one in reads.lights(source, every, ())])
        self._count(ids)
        for start in range(0, len(ids), _PAGE):
            some = ids[start : start + _PAGE]
            await self._put_all(await self._read(partial(_of, source, some)))
        after = ""
        while True:

            def read(reads: Reads, after: str = after) -> list[HistoryAppend]:
                return [
                    HistoryAppend(
                        entity_id=one.id,
                        types=one.types,
                        scopes=one.scopes,
                        instances=[
                            instance
                            for many in reads.instances(source, one.id, Window()).values()
                            for instance in many
                        ],
                    )
                    for one in reads.history_entities(source, after_id=after, limit=_HISTORY_PAGE)
                ]

            appends = await self._read(read)
            self._count(append.entity_id for append in appends)
            await self._append_all(appends)
            if len(appends) < _HISTORY_PAGE:
                return
            after = appends[-1].entity_id

    # -- within ------------------------------------------------------------

    def _count(self, ids: Iterable[str]) -> None:
        self._ids.update(ids)
        if len(self._ids) > self._most:
            raise TooManyResults(f"a snapshot holds no more than {self._most} entities")

    def _put(self, tx: Transaction, entity: Entity) -> None:
        """Adds an entity, or what another query told of it; its own times stay as they were."""
        before = tx.get(self._tenant, entity.id)
        after = entity
        if before is not None:
            after = replace(
                before,
                types=list(dict.fromkeys((*before.types, *entity.types))),
                scopes=list(dict.fromkeys((*before.scopes, *entity.scopes))),
                attributes={**before.attributes, **entity.attributes},
            )
        tx.write_entity(self._tenant, before, after, self._cause)

    def _append(self, tx: Transaction, append: HistoryAppend) -> None:
        """Adds instances of the past but those that are there, from the entity itself or another query."""
        known = {
            _key(instance)
            for many in tx.instances(self._tenant, append.entity_id, Window()).values()
            for instance in many
        }
        new = [instance for instance in append.instances if _key(instance) not in known]
        tx.append_history(self._tenant, replace(append, instances=new), self._cause)

    async def _read(self, work: Callable[[Reads], T]) -> T:
        return await asyncio.wrap_future(self._store.read(work))

    async def _put_all(self, entities: Sequence[Entity]) -> None:
        def work(tx: Transaction) -> None:
            for entity in entities:
                self._put(tx, entity)

        await settled(self._store.submit(work))

    async def _append_all(self, appends: Sequence[HistoryAppend]) -> None:
        def work(tx: Transaction) -> None:
            for append in appends:
                self._append(tx, append)

        await settled(self._store.submit(work))


def _named(small: Entity, entity: Entity) -> Entity:
    """A projected entity that is an entity still, whatever the projection left of its id and types."""
    return replace(small, id=entity.id, types=entity.types)


def _of(tenant: str, ids: Sequence[str], reads: Reads) -> list[Entity]:
    return list(reads.get_many(tenant, ids).values())


def _key(instance: Instance) -> bytes:
    told = replace(instance.attribute, instance_id=None)
    return msgspec.json.encode([instance.name, instance.occurrence, told])


async def empty(store: Store, tenant: str, cause: Cause) -> None:
    """Takes away the entities of a tenant and their past, and nothing else."""

    def work(tx: Transaction) -> bool:
        found = tx.query(tenant, Query(limit=_PAGE))
        for entity in found:
            tx.write_entity(tenant, entity, None, cause)
        past = tx.history_entities(tenant, limit=_HISTORY_PAGE)
        for one in past:
            tx.delete_history(tenant, one.id, cause)
        return bool(found or past)

    while await settled(store.submit(work)):
        pass


async def clear(store: Store, tenant: str, cause: Cause, kinds: Sequence[str]) -> None:
    """Takes away all that stands in a tenant, and at last its name.

    Documents of these kinds go first, each with its event, for those who follow them. The name may
    stay a while, until everyone who follows the log has dealt with that; another call takes it away.
    """

    def documents(tx: Transaction) -> int:
        kept = [document for kind in kinds for document in tx.documents(tenant, kind, limit=_PAGE)]
        for document in kept:
            tx.delete_document(tenant, document.kind, document.id, cause)
        return len(kept)

    for step in (documents, lambda tx: tx.forget_tenant(tenant)):
        while await settled(store.submit(step)):
            pass

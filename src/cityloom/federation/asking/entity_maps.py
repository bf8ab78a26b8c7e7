"""The entity maps of this node: kept in memory, for a while, and bounded in number and size.

A map is a help for paging and no truth of its own: whoever names one that is gone gets a
new one (5.7.2.4). Where one process alone answers, none is written to the store. Where several
do, each writes what it made or changed there, in two parts, of which the small one tells the
others whether the large one has to be read again.

Source: ETSI GS CIM 009 clauses 4.3.6.7, 4.5.25, 5.2.39, 5.5.14, 5.14.1 to 5.14.3.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Struct

from cityloom.broker.door import settled
from cityloom.broker.ports import EntityMap
from cityloom.consumers.follow import Outcome
from cityloom.model.clock import Clock
from cityloom.model.errors import ResourceNotFound
from cityloom.model.settings import Settings
from cityloom.query.values import Query, TemporalQuery
from cityloom.store.log_ports import Timer
from cityloom.store.ports import Snapshot, Store, Transaction

CONSUMER: Final = "entityMaps"
"""Whose timers tell when a map that is in the store expires."""
_HEAD: Final = "entityMapHead"
_BODY: Final = "entityMap"
_SECOND: Final = 1_000_000


class Kept(Struct, kw_only=True):
    """An entity map with what only this node knows of it.

    `selection` tells the query (and the temporal query) that it was made for from others, ids and pages
    aside; "" where it was made for one entity. `id_pattern` is that query's.
    `candidates`: its entities may be split between sources, so their filters were not yet decided.
    `locations` are those of the maps that sources use, as they told them, by registration.
    """

    map: EntityMap
    selection: str = ""
    id_pattern: str | None = None
    candidates: bool = False
    locations: dict[str, str] = {}
    version: int = 0
    """When it was written to the store; 0: it was not, or was changed since."""


class _Head(Struct):
    version: int
    expires_at: int


class EntityMaps:
    """The maps of every tenant; the one that nobody used for longest goes first when there are too many.

    Cost: a look-up each; making one walks through all for those that have expired.
    """

    def __init__(self, store: Store, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._kept: dict[tuple[str, str], Kept] = {}
        self._ids = 0
        self._gone: set[tuple[str, str]] = set()
        """Maps that went from memory here, and still are in the store."""
        self.timer_set = asyncio.Event()
        """Set when one was written that will expire."""

    @property
    def most(self) -> int:
        """The most entities of a map."""
        return self._settings.entity_map_ids

    def make(
        self,
        tenant: str,
        entities: dict[str, list[str]],
        lifetime: int | None,
        *,
        query: Query | None = None,
        temporal: TemporalQuery | None = None,
        candidates: bool = False,
        locations: dict[str, str] | None = None,
    ) -> Kept:
        """Keeps a new map.

        Args:
            lifetime: microseconds that are asked for; the settings bound them.
        """
        now = self._clock.now()
        settings = self._settings
        wanted = settings.entity_map_lifetime * _SECOND if lifetime is None else lifetime
        made = Kept(
            map=EntityMap(
                id=f"urn:ngsi-ld:EntityMap:{uuid.uuid4()}",
                expires_at=now + round(min(wanted, settings.entity_map_lifetime_max * _SECOND)),
                entities=entities,
            ),
            selection="" if query is None else selection_of(query, temporal),
            id_pattern=None if query is None else query.id_pattern,
            candidates=candidates,
        )
        for registration_id, location in (locations or {}).items():
            self.link(made, registration_id, location)
        for key in [key for key, kept in self._kept.items() if kept.map.expires_at <= now]:
            self._drop(key)
        while self._kept and (
            len(self._kept) >= settings.entity_maps or self._ids + len(entities) > settings.entity_map_ids
        ):
            self._drop(next(iter(self._kept)))
        self._put(tenant, made)
        return made

    def _put(self, tenant: str, kept: Kept) -> None:
        self._kept[tenant, kept.map.id] = kept
        self._ids += len(kept.map.entities)

    async def fetched(self, tenant: str, id: str) -> Kept | None:
        """As `find`, whichever process made the map, or changed or deleted it last."""
        if not self._store.shared or not id:
            return self.find(tenant, id)
        key = (tenant, id)

        def read(snapshot: Snapshot) -> tuple[int, Any]:
            head = snapshot.document(tenant, _HEAD, id)
            version = 0 if head is None else msgspec.convert(head.body, _Head).version
            known = self._kept.get(key)
            if known is not None and known.version == version:
                return version, None
            body = snapshot.document(tenant, _BODY, id)
            return version, None if body is None else body.body

        version, body = await asyncio.wrap_future(self._store.read(read))
        if version == 0 or body is not None:
            if key in self._kept:
                self._drop(key)
            self._gone.discard(key)
        if body is not None:
            kept = msgspec.convert(body, Kept)
            kept.version = version
            self._put(tenant, kept)
        return self.find(tenant, id)

    async def keep(self, tenant: str, kept: Kept) -> None:
        """Lets other processes have a map as it is now, where there are others."""
        if not self._store.shared or (kept.version and not self._gone):
            return
        gone, self._gone = self._gone, set()

        def write(tx: Transaction) -> int:
            for owner, id in gone:
                _forget(tx, owner, id)
            if kept.version or (tenant, kept.map.id) in gone:
                return kept.version
            version = tx.now
            tx.set_state(tenant, _HEAD, kept.map.id, _Head(version, kept.map.expires_at))
            tx.set_state(tenant, _BODY, kept.map.id, kept)
            tx.set_timer(Timer(consumer=CONSUMER, tenant=tenant, key=kept.map.id, due=kept.map.expires_at))
            return version

        kept.version = await settled(self._store.submit(write, 64 * len(kept.map.entities)))
        self.timer_set.set()

    def find(self, tenant: str, id: str) -> Kept | None:
        """The map, unless there is none or it has expired; it now counts as used last."""
        key = (tenant, id)
        kept = self._kept.pop(key, None)
        if kept is None:
            return None
        self._kept[key] = kept
        if kept.map.expires_at <= self._clock.now():
            self._drop(key)
            return None
        return kept

    def require(self, tenant: str, id: str) -> Kept:
        """As `find`. Raises ResourceNotFound."""
        kept = self.find(tenant, id)
        if kept is None:
            raise ResourceNotFound(f"entity map {id} does not exist")
        return kept

    def extend(self, tenant: str, id: str, expires_at: int) -> Kept:
        """5.14.2: gives a map another end (microseconds since 1970); a past one ends it now.

        It is the end that was told, as it is with what else is updated: the number and size of maps
        are bounded, not their age.

        Raises:
            ResourceNotFound: there is no such map.
        """
        kept = self.require(tenant, id)
        kept.map.expires_at = expires_at
        kept.version = 0
        return kept

    def delete(self, tenant: str, id: str) -> Kept:
        """5.14.3. Raises ResourceNotFound."""
        kept = self.require(tenant, id)
        self._drop((tenant, id))
        return kept

    def leave_out(self, tenant: str, kept: Kept, ids: list[str]) -> None:
        """Takes entities away that do not fit the query any more (5.5.9.3)."""
        entities = kept.map.entities
        gone = sum(entities.pop(id, None) is not None for id in ids)
        if gone:
            kept.version = 0
        if self._kept.get((tenant, kept.map.id)) is kept:
            self._ids -= gone

    @staticmethod
    def link(kept: Kept, registration_id: str, location: str) -> None:
        """Takes in which map of its own a source uses, by its location or its id."""
        kept.version = 0
        kept.locations = {**kept.locations, registration_id: location}
        kept.map.linked = {**kept.map.linked, registration_id: location.rpartition("/")[2]}

    def link_all(self, kept: Kept, locations: Mapping[str, str]) -> None:
        """As `link`, of several sources; those that are known stay as they are."""
        for registration_id, location in locations.items():
            if kept.locations.get(registration_id) != location:
                self.link(kept, registration_id, location)

    def _drop(self, key: tuple[str, str]) -> None:
        self._ids -= len(self._kept.pop(key).map.entities)
        if self._store.shared:
            self._gone.add(key)


async def forget_expired(timer: Timer) -> Outcome:
    """What a due timer of a map asks for: it goes from the store, if it was not given more time."""

    def work(tx: Transaction) -> None:
        head = tx.document(timer.tenant, _HEAD, timer.key)
        due = 0 if head is None else msgspec.convert(head.body, _Head).expires_at
        if due > tx.now:
            tx.set_timer(msgspec.structs.replace(timer, due=due))
        else:
            _forget(tx, timer.tenant, timer.key)

    return Outcome(work)


def _forget(tx: Transaction, tenant: str, id: str) -> None:
    tx.drop_state(tenant, _HEAD, id)
    tx.drop_state(tenant, _BODY, id)
    tx.cancel_timer(CONSUMER, tenant, id)


def selection_of(query: Query, temporal: TemporalQuery | None) -> str:
    """What a query selects, ids and pages aside, as a digest."""
    parts = query.types, query.attrs, query.q, query.scope_q, query.geo, temporal
    return sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()

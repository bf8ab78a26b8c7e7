"""The entity maps of this node: kept in memory, for a while, and bounded in number and size.

A map is a help for paging and no truth of its own: whoever names one that is gone gets a
new one (5.7.2.4). So none is written to the store, and none is there after a restart.

Source: ETSI GS CIM 009 clauses 4.3.6.7, 4.5.25, 5.2.39, 5.5.14, 5.14.1 to 5.14.3.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from cityloom.broker.ports import EntityMap
from cityloom.model.clock import Clock
from cityloom.model.errors import ResourceNotFound
from cityloom.model.settings import Settings
from cityloom.query.values import Query, TemporalQuery

_SECOND: Final = 1_000_000


class Kept(Struct, kw_only=True):
    """An entity map with what only this node knows of it.

    `query` (and `temporal`) are those that it was made for; None where it was made for one entity.
    `candidates`: its entities may be split between sources, so their filters were not yet decided.
    `locations` are those of the maps that sources use, as they told them, by registration.
    """

    map: EntityMap
    query: Query | None = None
    temporal: TemporalQuery | None = None
    candidates: bool = False
    locations: dict[str, str] = {}


class EntityMaps:
    """The maps of every tenant; the one that nobody used for longest goes first when there are too many.

    Cost: a look-up each; making one walks through all for those that have expired.
    """

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self._clock = clock
        self._settings = settings
        self._kept: dict[tuple[str, str], Kept] = {}
        self._ids = 0

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
            query=query,
            temporal=temporal,
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
        self._kept[tenant, made.map.id] = made
        self._ids += len(entities)
        return made

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

    def extend(self, tenant: str, id: str, expires_at: int) -> None:
        """5.14.2: gives a map another end (microseconds since 1970); a past one ends it now.

        It is the end that was told, as it is with what else is updated: the number and size of maps
        are bounded, not their age.

        Raises:
            ResourceNotFound: there is no such map.
        """
        self.require(tenant, id).map.expires_at = expires_at

    def delete(self, tenant: str, id: str) -> None:
        """5.14.3. Raises ResourceNotFound."""
        self.require(tenant, id)
        self._drop((tenant, id))

    def leave_out(self, tenant: str, kept: Kept, ids: list[str]) -> None:
        """Takes entities away that do not fit the query any more (5.5.9.3)."""
        entities = kept.map.entities
        gone = sum(entities.pop(id, None) is not None for id in ids)
        if (tenant, kept.map.id) in self._kept:
            self._ids -= gone

    @staticmethod
    def link(kept: Kept, registration_id: str, location: str) -> None:
        """Takes in which map of its own a source uses, by its location or its id."""
        kept.locations = {**kept.locations, registration_id: location}
        kept.map.linked = {**kept.map.linked, registration_id: location.rpartition("/")[2]}

    def link_all(self, kept: Kept, locations: Mapping[str, str]) -> None:
        """As `link`, of several sources; those that are known stay as they are."""
        for registration_id, location in locations.items():
            if kept.locations.get(registration_id) != location:
                self.link(kept, registration_id, location)

    def _drop(self, key: tuple[str, str]) -> None:
        self._ids -= len(self._kept.pop(key).map.entities)

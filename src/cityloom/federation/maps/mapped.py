"""Requests that belong together: reading by an entity map, so that their pages stay consistent.

Source: ETSI GS CIM 009 clauses 4.3.6.7, 5.5.9.3, 5.5.14, 5.7.1.4, 5.7.2.4, 5.7.4.4, 5.14.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from cityloom.broker.ports import HERE, Call, EntityMap, MapWish, Page, TemporalPage
from cityloom.federation.asking.documents import filters_of, requests
from cityloom.federation.asking.entity_maps import Kept
from cityloom.federation.asking.linked_maps import LinkedMaps
from cityloom.federation.asking.merge import ids_of
from cityloom.federation.asking.shares import has_entity
from cityloom.federation.maps.map_pages import MapPages
from cityloom.federation.reading.consumption import QUERIES
from cityloom.federation.reading.history import QUERY_PAST
from cityloom.federation.registrations.operations import supported
from cityloom.federation.registrations.registration import Registration
from cityloom.model.entity import Entity
from cityloom.model.errors import BadRequestData, CityloomError, SourceFailed, SourceTimedOut, TooManyResults
from cityloom.query.values import Query, TemporalQuery

_CREATE: Final = "createEntityMapQueryEntity"
_CREATE_PAST: Final = "createEntityMapQueryTemporal"
_OF_NOW: Final = QUERIES | {_CREATE}
_OF_PAST: Final = frozenset({_CREATE_PAST, QUERY_PAST})
_NOT_KNOWN: Final = frozenset({400, 404, 405, 501})
"""What a source answers that has no entity maps, although it says so: it is then queried."""


class _Held(NamedTuple):
    """The ids that a source has for a query, and the location of its own map of them."""

    ids: list[str]
    location: str = ""


class FederatedMaps(MapPages):
    """Entity maps of what is here and at registered sources."""

    async def create_entity_map(self, call: Call, query: Query) -> EntityMap:
        """5.14.4. Raises BadRequestData, TooManyResults."""
        kept = await self._made(call, query, _taken(call) or MapWish())
        await self.maps.keep(call.tenant, kept)
        return kept.map

    async def create_temporal_entity_map(
        self, call: Call, query: Query, temporal: TemporalQuery
    ) -> EntityMap:
        """5.14.5. Raises TooManyResults, TooComplexQuery."""
        kept = await self._made_of_history(call, query, temporal, _taken(call) or MapWish())
        await self.maps.keep(call.tenant, kept)
        return kept.map

    async def retrieve_entity_map(self, call: Call, id: str) -> EntityMap:
        """5.14.1. Raises ResourceNotFound, NonexistentTenant."""
        self._may(call, "read", "entities")
        await self._require_map(call, id)
        return self.maps.require(call.tenant, id).map

    async def update_entity_map(self, call: Call, id: str, expires_at: int | None) -> None:
        """5.14.2: only its end (microseconds since 1970) can be changed.

        Raises:
            ResourceNotFound, NonexistentTenant.
        """
        self._may(call, "read", "entities")
        await self._require_map(call, id)
        if expires_at is not None:
            await self.maps.keep(call.tenant, self.maps.extend(call.tenant, id, expires_at))

    async def delete_entity_map(self, call: Call, id: str) -> None:
        """5.14.3. Raises ResourceNotFound, NonexistentTenant."""
        self._may(call, "read", "entities")
        await self._require_map(call, id)
        await self.maps.keep(call.tenant, self.maps.delete(call.tenant, id))

    async def _require_map(self, call: Call, id: str) -> None:
        if await self.maps.fetched(call.tenant, id) is None:
            await self._read(call, lambda _: None)  # the tenant must exist
            self.maps.require(call.tenant, id)

    async def retrieve_entity(self, call: Call, entity_id: str) -> Entity:
        """5.7.1: where an entity map is used, only the sources that it names for the entity are asked."""
        wish = _taken(call)
        if wish is None:
            return await super().retrieve_entity(call, entity_id)
        self._may(call, "read", entity_id)
        kept = await self.maps.fetched(call.tenant, wish.id)
        asked = self._retrieved(call, entity_id)
        if kept is not None:
            holders = kept.map.entities.get(entity_id, [])
            asked = [one for one in asked if one.id in holders]
        linked = LinkedMaps(kept.locations if kept is not None else None, wanted=True)
        whole = await self._whole(call, entity_id, asked, linked)
        await self._tell_of_one(call, wish, kept, {entity_id: whole.holders}, linked)
        return whole.entity

    async def query_entities(self, call: Call, query: Query, count: bool = False) -> Page:
        """5.7.2: with an entity map only its entities are looked at, and one that is missing is made."""
        wish = _taken(call)
        if wish is None:
            return await super().query_entities(call, query, count)
        self._may(call, "read", "entities")
        kept = await self.maps.fetched(call.tenant, wish.id)
        if kept is None:
            kept = await self._made(call, query, wish)
            _tell(call, kept, made=True)
        else:
            _tell(call, kept)
        page = await self._page_of_map(call, query, kept, count)
        await self.maps.keep(call.tenant, kept)
        return page

    async def retrieve_history(
        self,
        call: Call,
        entity_id: str,
        temporal: TemporalQuery,
        names: Sequence[str] = (),
        dataset_ids: Sequence[str] = (),
        instances: int | None = None,
    ) -> TemporalPage:
        """5.7.3: where an entity map is used, only the sources that it names for the entity are asked."""
        wish = _taken(call)
        if wish is None:
            return await super().retrieve_history(call, entity_id, temporal, names, dataset_ids, instances)
        self._may(call, "read", entity_id)
        kept = await self.maps.fetched(call.tenant, wish.id)
        asked = self.asked_for_past(call, entity_id, temporal)
        if kept is not None:
            holders = kept.map.entities.get(entity_id, [])
            asked = [one for one in asked if one.id in holders]
        linked = LinkedMaps(kept.locations if kept is not None else None, wanted=True)
        page, holders = await self._evolution(
            call, entity_id, temporal, names, dataset_ids, instances, asked=asked, linked=linked
        )
        await self._tell_of_one(call, wish, kept, {entity_id: holders}, linked)
        return page

    async def query_history(
        self,
        call: Call,
        query: Query,
        temporal: TemporalQuery,
        names: Sequence[str] = (),
        count: bool = False,
        instances: int | None = None,
    ) -> TemporalPage:
        """5.7.4: with an entity map only its entities are looked at; the temporal query may differ."""
        wish = _taken(call)
        if wish is None:
            return await super().query_history(call, query, temporal, names, count, instances)
        self._may(call, "read", "history")
        kept = await self.maps.fetched(call.tenant, wish.id)
        if kept is None:
            kept = await self._made_of_history(call, query, temporal, wish)
            _tell(call, kept, made=True)
        else:
            _tell(call, kept)
        page = await self._page_of_past(call, query, temporal, names, count, instances, kept)
        await self.maps.keep(call.tenant, kept)
        return page

    async def _tell_of_one(
        self,
        call: Call,
        wish: MapWish,
        kept: Kept | None,
        holders: dict[str, list[str]],
        linked: LinkedMaps,
    ) -> None:
        """Tells of the map by which one entity was retrieved, and makes it where there is none."""
        made = kept is None
        if kept is None:
            kept = self.maps.make(call.tenant, holders, wish.lifetime, locations=linked.locations)
        else:
            self.maps.link_all(kept, linked.locations)
        await self.maps.keep(call.tenant, kept)
        _tell(call, kept, made=made)

    # -- making ------------------------------------------------------------

    async def _made(self, call: Call, query: Query, wish: MapWish) -> Kept:
        asked = self._queried(call, query, _OF_NOW)
        if asked and query.order_by is not None:
            raise BadRequestData("parameter orderBy is invalid without local=true: there are other sources")
        split = self._may_be_split(call, bool(asked))
        wanted = _candidates(query) if split else query
        ids = await self.entity_ids(call, wanted, self.maps.most)
        held = await asyncio.gather(*(self._held_at(call, query, one, wish) for one in asked))
        entities = {id: [HERE] for id in ids}
        for registration, told in zip(asked, held, strict=True):
            for id in told.ids:
                entities.setdefault(id, []).append(registration.id)
        locations = {one.id: told.location for one, told in zip(asked, held, strict=True)}
        return self._keep(call, entities, wish, query, split, locations)

    async def _made_of_history(
        self, call: Call, query: Query, temporal: TemporalQuery, wish: MapWish
    ) -> Kept:
        asked = self._queried_past(call, query, temporal, _OF_PAST)
        split = self._may_be_split(call, bool(asked))
        wanted = _candidates(query) if split else query
        held = await asyncio.gather(*(self._held_past(call, query, temporal, one, wish) for one in asked))
        locations = {one.id: told.location for one, told in zip(asked, held, strict=True) if told}
        others = [
            one
            for one, told in zip(asked, held, strict=True)
            if told is None and QUERY_PAST in supported(one.operations)
        ]
        entities = await self.history_holders(call, wanted, temporal, self.maps.most, others)
        for registration, told in zip(asked, held, strict=True):
            for id in told.ids if told is not None else ():
                entities.setdefault(id, []).append(registration.id)
        return self._keep(call, entities, wish, query, split, locations, temporal)

    async def _held_past(
        self, call: Call, query: Query, temporal: TemporalQuery, registration: Registration, wish: MapWish
    ) -> _Held | None:
        """What a source has of a temporal query, by a map of its own; None when it makes none (5.14.5.4)."""
        if _CREATE_PAST not in supported(registration.operations):
            return None
        period = self._period(temporal)
        del period["options"]
        try:
            return await self._map_at(call, query, registration, wish, "/temporal/entityMaps", period)
        except CityloomError as error:
            self.warn(call, registration, error)
            return _Held([])

    def _keep(
        self,
        call: Call,
        entities: dict[str, list[str]],
        wish: MapWish,
        query: Query,
        candidates: bool,
        locations: dict[str, str],
        temporal: TemporalQuery | None = None,
    ) -> Kept:
        if len(entities) > self.maps.most:
            raise TooManyResults(f"the query selects more than {self.maps.most} entities")
        if any(holders != [HERE] for holders in entities.values()):
            entities = dict(sorted(entities.items()))
        return self.maps.make(
            call.tenant,
            entities,
            wish.lifetime,
            query=query,
            temporal=temporal,
            candidates=candidates,
            locations={id: location for id, location in locations.items() if location},
        )

    def _may_be_split(self, call: Call, distributed: bool) -> bool:
        """Whether filters are decided when a page is put together, and not when the map is made.

        Where no source has anything, no entity is split, unless the caller says so.
        """
        forwarding = call.forwarding
        if forwarding is None or forwarding.local:
            return False
        return self.split(call) if distributed else forwarding.split is True

    async def _held_at(self, call: Call, query: Query, registration: Registration, wish: MapWish) -> _Held:
        if _CREATE in supported(registration.operations):
            try:
                told = await self._map_at(call, query, registration, wish, "/entityMaps", {})
            except CityloomError as error:
                self.warn(call, registration, error)
                return _Held([])
            if told is not None:
                return told
        if QUERIES.isdisjoint(supported(registration.operations)):
            return _Held([])
        part = await self._query(call, query, registration)
        return _Held(list(dict.fromkeys(entity.id for entity in part.entities)))

    async def _map_at(
        self,
        call: Call,
        query: Query,
        registration: Registration,
        wish: MapWish,
        path: str,
        params: dict[str, str],
    ) -> _Held | None:
        """The map that a source makes; None when it makes none. Raises SourceFailed, SourceTimedOut."""
        ld_context = await self.forwarder.language(call, registration)
        filters = {} if self.split(call) else filters_of(call, query, ld_context)
        attrs = frozenset(query.attrs) if filters else frozenset()
        asked = list(requests(registration, query, attrs, ld_context))
        if len(asked) != 1:
            # A source has one map for a request (5.2.39); several queries would need several.
            return None
        lifetime = {} if wish.lifetime is None else {"entityMapLifetime": f"PT{wish.lifetime / 1e6:g}S"}
        answer = await self.forwarder.ask(
            call,
            registration,
            "GET",
            path,
            ld_context,
            params=params | asked[0] | filters | lifetime,
            declined=_NOT_KNOWN,
        )
        if answer.status >= 400:
            return None
        document = answer.document if isinstance(answer.document, dict) else {}
        told = document.get("entityMap")
        if not isinstance(told, dict):
            detail = f"the source of registration {registration.id} answered no entity map"
            raise SourceFailed(detail, unreadable=True)
        ids = [
            id for id in ids_of(told) if any(has_entity(part, id, ()) for part in registration.information)
        ]
        most = self.settings.source_entities
        if len(ids) > most:
            cut = SourceTimedOut(f"only {most} entities were taken from registration {registration.id}")
            self.warn(call, registration, cut)
        return _Held(ids[:most], answer.entity_map or str(document.get("id", "")))


def _taken(call: Call) -> MapWish | None:
    """What the request wants of entity maps: told once, to the first operation that asks."""
    forwarding = call.forwarding
    if forwarding is None:
        return None
    wish, forwarding.map_wish = forwarding.map_wish, None
    return wish


def _tell(call: Call, kept: Kept, *, made: bool = False) -> None:
    if call.forwarding is not None:
        call.forwarding.map_used = kept.map.id
        call.forwarding.map_made = made


def _candidates(query: Query) -> Query:
    """The query without its filters: what a part of an entity can decide (5.14.4.4)."""
    return replace(query, attrs=[], q=None, scope_q=None, geo=None)

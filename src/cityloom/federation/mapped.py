"""Requests that belong together: reading by an entity map, so that their pages stay consistent.

Source: ETSI GS CIM 009 clauses 4.3.6.7, 5.5.9.3, 5.5.14, 5.7.1.4, 5.7.2.4, 5.7.4.4, 5.14.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from cityloom.broker.ports import HERE, Call, EntityMap, MapWish, Page, TemporalPage
from cityloom.federation.consumption import FederatedConsumption, Part, by_id
from cityloom.federation.documents import filters_of, named_at_once, requests
from cityloom.federation.entity_maps import Kept
from cityloom.federation.history import FederatedHistory
from cityloom.federation.merge import ids_of, merged
from cityloom.federation.operations import supported
from cityloom.federation.registration import Registration
from cityloom.federation.shares import has_entity
from cityloom.model.entity import Entity
from cityloom.model.errors import BadRequestData, CityloomError, SourceFailed, SourceTimedOut
from cityloom.query.evaluate import matcher
from cityloom.query.values import Query, TemporalQuery

_CREATE: Final = "createEntityMapQueryEntity"
_NOT_KNOWN: Final = frozenset({400, 404, 405, 501})
"""What a source answers that has no entity maps, although it says so: it is then queried."""
_AT_ONCE: Final = 1000
"""Entities of a map that are looked at together."""


class _Held(NamedTuple):
    """The ids that a source has for a query, and the location of its own map of them."""

    ids: list[str]
    location: str = ""


class FederatedMaps(FederatedConsumption, FederatedHistory):
    """Entity maps of what is here and at registered sources."""

    async def create_entity_map(self, call: Call, query: Query) -> EntityMap:
        """5.14.4. Raises BadRequestData, TooManyResults."""
        return (await self._made(call, query, _taken(call) or MapWish())).map

    async def create_temporal_entity_map(
        self, call: Call, query: Query, temporal: TemporalQuery
    ) -> EntityMap:
        """5.14.5. Raises TooManyResults, TooComplexQuery."""
        return (await self._made_of_history(call, query, temporal, _taken(call) or MapWish())).map

    async def retrieve_entity_map(self, call: Call, id: str) -> EntityMap:
        """5.14.1. Raises ResourceNotFound."""
        self._may(call, "read", "entities")
        return self.maps.require(call.tenant, id).map

    async def update_entity_map(self, call: Call, id: str, expires_at: int | None) -> None:
        """5.14.2: only its end (microseconds since 1970) can be changed.

        Raises:
            ResourceNotFound, BadRequestData.
        """
        self._may(call, "read", "entities")
        self.maps.require(call.tenant, id)
        if expires_at is not None:
            self.maps.extend(call.tenant, id, expires_at)

    async def delete_entity_map(self, call: Call, id: str) -> None:
        """5.14.3. Raises ResourceNotFound."""
        self._may(call, "read", "entities")
        self.maps.delete(call.tenant, id)

    async def retrieve_entity(self, call: Call, entity_id: str) -> Entity:
        """5.7.1: where an entity map is used, only the sources that it names for the entity are asked."""
        wish = _taken(call)
        if wish is None:
            return await super().retrieve_entity(call, entity_id)
        self._may(call, "read", entity_id)
        kept = self.maps.find(call.tenant, wish.id)
        asked = self._retrieved(call, entity_id)
        if kept is not None:
            holders = kept.map.entities.get(entity_id, [])
            asked = [one for one in asked if one.id in holders]
        whole = await self._whole(call, entity_id, asked, {} if kept is None else kept.locations)
        if kept is None:
            entities = {entity_id: whole.holders}
            made = self.maps.make(call.tenant, entities, wish.lifetime, locations=whole.maps)
            _tell(call, made, made=True)
        else:
            for registration_id, location in whole.maps.items():
                self.maps.link(kept, registration_id, location)
            _tell(call, kept)
        return whole.entity

    async def query_entities(self, call: Call, query: Query, count: bool = False) -> Page:
        """5.7.2: with an entity map only its entities are looked at, and one that is missing is made."""
        wish = _taken(call)
        if wish is None:
            return await super().query_entities(call, query, count)
        self._may(call, "read", "entities")
        kept = self.maps.find(call.tenant, wish.id)
        if kept is None:
            kept = await self._made(call, query, wish)
            _tell(call, kept, made=True)
        else:
            _tell(call, kept)
        return await self._page_of_map(call, query, kept, count)

    async def retrieve_history(
        self,
        call: Call,
        entity_id: str,
        temporal: TemporalQuery,
        names: Sequence[str] = (),
        dataset_ids: Sequence[str] = (),
        instances: int | None = None,
    ) -> TemporalPage:
        """5.7.3: the map that is told names who may have the evolution; all of them are asked each time."""
        wish = _taken(call)
        page = await super().retrieve_history(call, entity_id, temporal, names, dataset_ids, instances)
        if wish is not None:
            kept = self.maps.find(call.tenant, wish.id)
            holders = [HERE, *(one.id for one in self.asked_for_past(call, entity_id, temporal))]
            made = kept or self.maps.make(call.tenant, {entity_id: holders}, wish.lifetime)
            _tell(call, made, made=kept is None)
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
        kept = self.maps.find(call.tenant, wish.id)
        if kept is None:
            kept = await self._made_of_history(call, query, temporal, wish)
            _tell(call, kept, made=True)
        else:
            _tell(call, kept)
        ids = _ids(kept, query)
        # Only the query for which a map was made can say that an entity does not belong to it.
        same = kept.temporal == temporal and _same(kept.query, query)
        left = ids[query.offset :] if same else ids
        if not left:
            return TemporalPage(evolutions=[], count=len(ids) if count else None)
        narrowed = replace(query, ids=left, id_pattern=None, offset=0 if same else query.offset)
        page = await super().query_history(call, narrowed, temporal, names, count and not same, instances)
        if not same:
            return page
        shown = {one.entity.id for one in page.evolutions} | {one.entity.id for one in page.aggregated}
        if not page.more:
            gone = [id for id in left if id not in shown]
        elif len(shown) == query.limit:
            last = max((place for place, id in enumerate(left) if id in shown), default=-1)
            gone = [id for id in left[: last + 1] if id not in shown]
        else:
            gone = []
        self.maps.leave_out(call.tenant, kept, gone)
        return replace(page, count=len(ids) - len(gone)) if count else page

    # -- making ------------------------------------------------------------

    async def _made(self, call: Call, query: Query, wish: MapWish) -> Kept:
        asked = self._queried(call, query)
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
        if len(entities) > self.maps.most:
            raise BadRequestData(f"the query selects more than {self.maps.most} entities")
        if asked:
            entities = dict(sorted(entities.items()))
        return self.maps.make(
            call.tenant,
            entities,
            wish.lifetime,
            query=query,
            candidates=split,
            locations={one.id: told.location for one, told in zip(asked, held, strict=True) if told.location},
        )

    async def _made_of_history(
        self, call: Call, query: Query, temporal: TemporalQuery, wish: MapWish
    ) -> Kept:
        wanted = _candidates(query) if self._may_be_split(call, False) else query
        entities = await self.history_holders(call, wanted, temporal, self.maps.most)
        return self.maps.make(call.tenant, entities, wish.lifetime, query=query, temporal=temporal)

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
                told = await self._map_at(call, query, registration, wish)
            except CityloomError as error:
                self.warn(call, registration, error)
                return _Held([])
            if told is not None:
                return told
        part = await self._query(call, query, registration)
        return _Held(list(dict.fromkeys(entity.id for entity in part.entities)))

    async def _map_at(
        self, call: Call, query: Query, registration: Registration, wish: MapWish
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
            "/entityMaps",
            ld_context,
            params=asked[0] | filters | lifetime,
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

    # -- paging ------------------------------------------------------------

    async def _page_of_map(self, call: Call, query: Query, kept: Kept, count: bool) -> Page:
        """One page of a map: full as long as there are entities; those that do not fit leave the map.

        An entity whose source cannot be asked keeps its place, so that the pages stay as they are.
        """
        same = _same(kept.query, query)
        if same and count and kept.candidates:
            everything = _ids(kept, query)
            unsure: set[str] = set()
            for some in _chunks(everything):
                unsure |= (await self._looked_at(call, query, kept, some, clean=True))[1]
            kept.candidates = bool(unsure)
        ids = _ids(kept, query)
        place = query.offset if same else 0
        skip = 0 if same else query.offset
        # One more than asked tells whether another page follows.
        wanted = skip + query.limit + 1
        places: list[Entity | None] = []
        gone = 0
        while place < len(ids) and len(places) < wanted and query.limit:
            some = ids[place : place + min(wanted - len(places), _AT_ONCE)]
            place += len(some)
            found, unsure = await self._looked_at(call, query, kept, some, clean=same)
            places += [found.get(id) for id in some if id in found or id in unsure]
            gone += sum(id not in found and id not in unsure for id in some)
        total = len(ids) - gone
        if count and not same:
            total = 0
            for some in _chunks(ids):
                total += len((await self._looked_at(call, query, kept, some, clean=False))[0])
        shown = places[skip : skip + query.limit]
        return Page(
            entities=[entity for entity in shown if entity is not None],
            count=total if count else None,
            more=len(places) >= wanted,
        )

    async def _looked_at(
        self, call: Call, query: Query, kept: Kept, ids: Sequence[str], *, clean: bool
    ) -> tuple[dict[str, Entity], set[str]]:
        """Of these entities those that fit, and those of which that cannot be said now.

        Args:
            clean: whether the others leave the map.
        """
        here: list[str] = []
        unsure: set[str] = set()
        by_source: dict[str, list[str]] = {}
        for id in ids:
            for holder in kept.map.entities.get(id, ()):
                (here if holder == HERE else by_source.setdefault(holder, [])).append(id)
        registered = {one.id: one for one in self.registered(call)}
        if call.forwarding is None or call.forwarding.local:
            unsure.update(*by_source.values())
        asked = [
            (registered[holder], some)
            for holder, many in by_source.items()
            if holder in registered
            for some in named_at_once(many)
        ]
        answers = await asyncio.gather(
            *(self._query(call, _of(query, some), one, kept.locations.get(one.id, "")) for one, some in asked)
        )
        for (registration, some), answer in zip(asked, answers, strict=True):
            self._learn(kept, registration, some, answer, unsure)
        told, extras = by_id(answers)
        parts = {entity.id: entity for entity in await self._local_parts(call, here)}
        decided = {entity.id for answer in answers if answer.filtered for entity in answer.entities}
        holds = matcher(replace(query, limit=0, offset=0, order_by=None))
        now = self._clock.now()
        found: dict[str, Entity] = {}
        for id in ids:
            local = [parts[id]] if id in parts else []
            entity = merged([*local, *told.get(id, ())], extras.get(id, ()), now)
            if entity is not None and (id in decided or holds(entity)):
                found[id] = entity
        unsure -= found.keys()
        if clean:
            gone = [id for id in ids if id not in found and id not in unsure]
            self.maps.leave_out(call.tenant, kept, gone)
        return found, unsure

    def _learn(
        self, kept: Kept, registration: Registration, ids: Sequence[str], answer: Part, unsure: set[str]
    ) -> None:
        if answer.failed:
            unsure.update(ids)
        if answer.entity_map and answer.entity_map != kept.locations.get(registration.id):
            self.maps.link(kept, registration.id, answer.entity_map)


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


def _of(query: Query, ids: list[str]) -> Query:
    return replace(query, ids=ids, id_pattern=None)


def _ids(kept: Kept, query: Query) -> list[str]:
    """The entities of a map that a query may be about, in their order."""
    if not query.ids:
        return list(kept.map.entities)
    wanted = set(query.ids)
    return [id for id in kept.map.entities if id in wanted]


def _same(made_for: Query | None, query: Query) -> bool:
    """Whether a query selects as the one that a map was made for; ids and pages aside (5.5.14)."""

    def selection(one: Query) -> tuple[Any, ...]:
        return one.types, one.attrs, one.q, one.scope_q, one.geo

    return (
        made_for is not None
        and selection(made_for) == selection(query)
        and query.id_pattern in (None, made_for.id_pattern)
    )


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))

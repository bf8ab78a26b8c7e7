"""Pages over an entity map: full as long as there are entities, and consistent with each other.

Source: ETSI GS CIM 009 clauses 4.3.6.7, 5.5.9.3, 5.5.14, 5.7.2.4, 5.7.4.4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from cityloom.broker.ports import HERE, Call, Page, TemporalPage
from cityloom.federation.asking.documents import named_at_once
from cityloom.federation.asking.entity_maps import Kept, selection_of
from cityloom.federation.asking.linked_maps import LinkedMaps
from cityloom.federation.asking.merge import merged
from cityloom.federation.reading.consumption import QUERIES, FederatedConsumption, Part, by_id
from cityloom.federation.reading.history import QUERY_PAST, FederatedHistory, Gathered, nothing_told
from cityloom.federation.registrations.operations import supported
from cityloom.federation.registrations.registration import Registration
from cityloom.model.entity import Entity
from cityloom.query.evaluate import matcher
from cityloom.query.values import Query, TemporalQuery

_AT_ONCE: Final = 1000
"""Entities of a map that are looked at together."""
Look = Callable[[Sequence[str]], Awaitable[tuple[Collection[str], Collection[str]]]]
"""Of some entities those that fit, and those of which that cannot be said now."""


class Walk(NamedTuple):
    """The entities of a page that fit, how many of those looked at do not, and if another page follows."""

    shown: list[str]
    gone: int
    more: bool


async def walk(ids: Sequence[str], query: Query, same: bool, look: Look) -> Walk:
    """Goes through a map until a page is full.

    An entity whose source cannot be asked keeps its place, so that the pages stay as they are.

    Args:
        same: the query is that of the map, so that `offset` counts its entities; else those that fit.
    """
    place = query.offset if same else 0
    skip = 0 if same else query.offset
    # One more than asked tells whether another page follows.
    wanted = skip + query.limit + 1
    places: list[str | None] = []
    gone = 0
    while place < len(ids) and len(places) < wanted and query.limit:
        some = ids[place : place + min(wanted - len(places), _AT_ONCE)]
        place += len(some)
        fit, unsure = await look(some)
        places += [id if id in fit else None for id in some if id in fit or id in unsure]
        gone += sum(id not in fit and id not in unsure for id in some)
    shown = [id for id in places[skip : skip + query.limit] if id is not None]
    return Walk(shown, gone, len(places) >= wanted)


class MapPages(FederatedConsumption, FederatedHistory):
    """Reading a map page by page."""

    async def _page_of_map(self, call: Call, query: Query, kept: Kept, count: bool) -> Page:
        same = _same(kept, query, None)
        found: dict[str, Entity] = {}

        async def look(some: Sequence[str]) -> tuple[Collection[str], Collection[str]]:
            fit, unsure = await self._looked_at(call, query, kept, some, clean=same)
            found.update(fit)
            return fit, unsure

        if same and count:
            ids = _ids(kept, query)
            cheap = len(ids) <= _AT_ONCE and all(kept.map.entities[id] == [HERE] for id in ids)
            await self._decide_all(kept, ids, kept.candidates or cheap, look)
        ids = _ids(kept, query)
        page = await walk(ids, query, same, look)
        entities = [found[id] for id in page.shown]
        total = await self._total(ids, page, same, look) if count else None
        return Page(entities=entities, count=total, more=page.more)

    async def _page_of_past(
        self,
        call: Call,
        query: Query,
        temporal: TemporalQuery,
        names: Sequence[str],
        count: bool,
        instances: int | None,
        kept: Kept,
    ) -> TemporalPage:
        same = _same(kept, query, temporal)
        told = nothing_told()

        async def look(some: Sequence[str]) -> tuple[Collection[str], Collection[str]]:
            return await self._looked_at_past(call, query, temporal, kept, some, told, clean=same)

        if same and count:
            await self._decide_all(kept, _ids(kept, query), kept.candidates, look)
        ids = _ids(kept, query)
        page = await walk(ids, query, same, look)
        answer = await self._evolutions(call, page.shown, query, temporal, names, instances, told)
        total = await self._total(ids, page, same, look) if count else None
        return replace(answer, more=page.more, count=total)

    async def _decide_all(self, kept: Kept, ids: Sequence[str], wanted: bool, look: Look) -> None:
        """Looks at each entity before they are counted: at candidates once, and where that is cheap.

        Elsewhere those are counted that pages have not yet taken out of the map.
        """
        if not wanted:
            return
        undecided = False
        for some in _chunks(ids):
            undecided = bool((await look(some))[1]) or undecided
        if kept.candidates != undecided:
            kept.candidates = undecided
            kept.version = 0

    async def _total(self, ids: Sequence[str], page: Walk, same: bool, look: Look) -> int:
        if same:
            return len(ids) - page.gone
        return sum([len((await look(some))[0]) for some in _chunks(ids)])

    async def _looked_at(
        self, call: Call, query: Query, kept: Kept, ids: Sequence[str], *, clean: bool
    ) -> tuple[dict[str, Entity], set[str]]:
        """Of these entities those that fit, and those of which that cannot be said now.

        Args:
            clean: whether the others leave the map.
        """
        here = [id for id in ids if HERE in kept.map.entities.get(id, ())]
        holders, unsure = self._holders(call, kept, ids, QUERIES)
        asked = [(one, some) for one, many in holders for some in named_at_once(many)]
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

    async def _looked_at_past(
        self,
        call: Call,
        query: Query,
        temporal: TemporalQuery,
        kept: Kept,
        ids: Sequence[str],
        told: Gathered,
        *,
        clean: bool,
    ) -> tuple[set[str], set[str]]:
        """As `_looked_at`, of evolutions; what sources told of them is taken into `told`."""
        holders, unsure = self._holders(call, kept, ids, frozenset({QUERY_PAST}))
        asked = [(one, _of(query, many)) for one, many in holders]
        linked = LinkedMaps(kept.locations)
        found = await self._told_past(call, temporal, asked, linked)
        self.maps.link_all(kept, linked.locations)
        told.take(found)
        some = _of(query, list(ids))
        fit = set(await self._ids_of_past(call, some, temporal, found, self._limits.history_scan))
        unsure |= {id for one, many in holders if one.id in found.failed for id in many}
        unsure -= fit
        if clean:
            self.maps.leave_out(call.tenant, kept, [id for id in ids if id not in fit and id not in unsure])
        return fit, unsure

    def _holders(
        self, call: Call, kept: Kept, ids: Sequence[str], operations: frozenset[str]
    ) -> tuple[list[tuple[Registration, list[str]]], set[str]]:
        """The sources to ask, each with those of these entities that it has, and what no source is asked for.

        A source that is not registered any more has nothing; one that has none of the operations,
        or lies beyond how far the request may go, cannot be asked.
        """
        by_source: dict[str, list[str]] = {}
        for id in ids:
            for holder in kept.map.entities.get(id, ()):
                if holder != HERE:
                    by_source.setdefault(holder, []).append(id)
        if call.forwarding is None or call.forwarding.local:
            return [], {id for many in by_source.values() for id in many}
        asked = []
        unsure: set[str] = set()
        for one in self.registered(call):
            many = by_source.get(one.id, [])
            if operations.isdisjoint(supported(one.operations)):
                unsure.update(many)
            elif many:
                asked.append((one, many))
        return asked, unsure


def _of(query: Query, ids: list[str]) -> Query:
    return replace(query, ids=ids, id_pattern=None)


def _ids(kept: Kept, query: Query) -> list[str]:
    """The entities of a map that a query may be about, in their order."""
    if not query.ids:
        return list(kept.map.entities)
    wanted = set(query.ids)
    return [id for id in kept.map.entities if id in wanted]


def _same(kept: Kept, query: Query, temporal: TemporalQuery | None) -> bool:
    """Whether a query selects as the one that a map was made for; ids and pages aside (5.5.14).

    Only that one can say that an entity does not belong to the map.
    """

    return (
        kept.selection != ""
        and query.id_pattern in (None, kept.id_pattern)
        and kept.selection == selection_of(query, temporal)
    )


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))

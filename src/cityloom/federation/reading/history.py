"""Temporal evolutions that lie here and at registered sources.

Source: ETSI GS CIM 009 clauses 4.5.5, 5.7.3.4, 5.7.4.4, 6.3.17.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast

from msgspec.structs import replace

from cityloom.broker.evolutions import selection
from cityloom.broker.ports import HERE, Call, TemporalPage
from cityloom.federation.asking.documents import filters_of, named_at_once, requests, specification_of
from cityloom.federation.asking.forward import Answer, segment
from cityloom.federation.asking.linked_maps import LinkedMaps
from cityloom.federation.asking.shares import has_entity, registered_part
from cityloom.federation.asking.warnings import Warned
from cityloom.federation.reading.told import Told, read_evolution
from cityloom.federation.registrations.matching import in_time, registration_match
from cityloom.federation.registrations.operations import supported
from cityloom.federation.registrations.registration import Registration
from cityloom.ld.context import LdContext
from cityloom.model.entity import Entity
from cityloom.model.errors import (
    BadRequestData,
    CityloomError,
    SourceFailed,
    SourceTimedOut,
    TooManyResults,
)
from cityloom.model.time import format_datetime
from cityloom.query.sources import SourceQuery
from cityloom.query.values import Query, TemporalQuery
from cityloom.store.history_ports import HistoryReads
from cityloom.store.ports import Snapshot

_PAGE: Final = 1000
_RETRIEVE: Final = "retrieveTemporal"
QUERY_PAST: Final = "queryTemporal"
_CUT: Final = 206


class Gathered(NamedTuple):
    """What sources told, by entity id; `decided` fit the filters, say sources that have them whole.

    `failed` are the registrations of sources that did not tell all.
    """

    parts: dict[str, list[Entity]]
    extras: dict[str, list[Entity]]
    holders: dict[str, list[str]]
    decided: set[str]
    failed: set[str]

    def take(self, others: Gathered) -> None:
        """Takes in what was told of further entities."""
        self.parts.update(others.parts)
        self.extras.update(others.extras)
        self.holders.update(others.holders)
        self.decided.update(others.decided)
        self.failed.update(others.failed)


class _Told(NamedTuple):
    """What one source told: whether it decided on the filters, and whether it did not tell all."""

    entities: list[Entity]
    filtered: bool = False
    failed: bool = False


class FederatedHistory(Warned):
    """Retrieving and querying temporal evolutions, wherever they are."""

    async def retrieve_history(
        self,
        call: Call,
        entity_id: str,
        temporal: TemporalQuery,
        names: Sequence[str] = (),
        dataset_ids: Sequence[str] = (),
        instances: int | None = None,
    ) -> TemporalPage:
        """5.7.3. Raises ResourceNotFound. A source that fails costs its own part, told as a warning."""
        asked = self.asked_for_past(call, entity_id, temporal)
        if not asked:
            return await super().retrieve_history(call, entity_id, temporal, names, dataset_ids, instances)
        linked = LinkedMaps()
        page, _ = await self._evolution(
            call, entity_id, temporal, names, dataset_ids, instances, asked=asked, linked=linked
        )
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
        """5.7.4. A source that fails costs its own part, told as a warning.

        Raises:
            TooComplexQuery, TooManyResults: it would look at more entities than a limit allows.
            BadRequestData: an order is asked for where evolutions come from sources.
        """
        asked = self._queried_past(call, query, temporal)
        if not asked:
            return await super().query_history(call, query, temporal, names, count, instances)
        self._may(call, "read", "history")
        told = await self._told_past(call, temporal, [(one, query) for one in asked], LinkedMaps())
        ids = await self._ids_of_past(call, query, temporal, told, self._limits.history_scan)
        shown = ids[query.offset : query.offset + query.limit]
        answer = await self._evolutions(call, shown, query, temporal, names, instances, told)
        more = len(ids) > query.offset + query.limit
        return replace(answer, more=more, count=len(ids) if count else None)

    async def history_holders(
        self,
        call: Call,
        query: Query,
        temporal: TemporalQuery,
        most: int,
        asked: Sequence[Registration],
    ) -> dict[str, list[str]]:
        """Who of these sources and this node has an evolution that a query selects, by entity id.

        In the order of the pages.

        Raises:
            TooManyResults, TooComplexQuery: as `query_history`.
        """
        if not asked:
            return {id: [HERE] for id in await self.history_ids(call, query, temporal, most)}
        told = await self._told_past(call, temporal, [(one, query) for one in asked], LinkedMaps())
        ids = await self._ids_of_past(call, query, temporal, told, most)

        def work(snapshot: Snapshot) -> set[str]:
            return {id for id in ids if snapshot.history_entity(call.tenant, id) is not None}

        here = await self._read(call, work)
        return {id: [*([HERE] if id in here else []), *told.holders.get(id, ())] for id in ids}

    def asked_for_past(self, call: Call, entity_id: str, temporal: TemporalQuery) -> list[Registration]:
        """The sources that may have the evolution of an entity, and tell it."""
        return [
            one
            for one in self.registered(call)
            if _RETRIEVE in supported(one.operations)
            and _may_have(one, temporal)
            and any(has_entity(part, entity_id, ()) for part in one.information)
        ]

    # -- within ------------------------------------------------------------

    async def _evolution(
        self,
        call: Call,
        entity_id: str,
        temporal: TemporalQuery,
        names: Sequence[str],
        dataset_ids: Sequence[str],
        instances: int | None,
        *,
        asked: Sequence[Registration],
        linked: LinkedMaps,
    ) -> tuple[TemporalPage, list[str]]:
        """The evolution of an entity from here and the sources asked, and who had a part of it.

        Raises:
            ResourceNotFound.
        """
        self._may(call, "read", entity_id)
        found = await asyncio.gather(
            *(self._retrieved_past(call, entity_id, temporal, names, one, linked) for one in asked)
        )
        told = _gathered(asked, found)

        def work(snapshot: Snapshot) -> tuple[TemporalPage, list[str]]:
            reads = _together(snapshot, told, temporal)
            page = self._one(reads, call.tenant, entity_id, temporal, names, dataset_ids, instances)
            here = snapshot.history_entity(call.tenant, entity_id) is not None
            return page, [*([HERE] if here else []), *told.holders.get(entity_id, ())]

        return await self._read(call, work)

    async def _evolutions(
        self,
        call: Call,
        ids: Sequence[str],
        query: Query,
        temporal: TemporalQuery,
        names: Sequence[str],
        instances: int | None,
        told: Gathered,
    ) -> TemporalPage:
        """The evolutions of these entities, from here and from what was told."""

        def work(snapshot: Snapshot) -> TemporalPage:
            reads = _together(snapshot, told, temporal)
            found = [reads.history_entity(call.tenant, id) for id in ids]
            known = [one for one in found if one is not None]
            return self._many(reads, call.tenant, known, query, temporal, names, instances)

        return await self._read(call, work)

    def _queried_past(
        self,
        call: Call,
        query: Query,
        temporal: TemporalQuery,
        operations: frozenset[str] = frozenset({QUERY_PAST}),
    ) -> list[Registration]:
        """The sources that may have some of what is asked for, and have one of these operations."""
        registered = self.registered(call)
        if not registered:
            return []
        forwarding = call.forwarding
        wanted = SourceQuery(
            entities=[specification_of(query)],
            attrs=query.attrs,
            dataset_ids=query.dataset_ids,
            geo=query.geo,
            csf=forwarding.csf if forwarding is not None else None,
        )
        in_all, in_period = (
            registration_match(replace(wanted, temporal=time), anywhere=True) for time in (None, temporal)
        )
        asked = [
            found
            for one in registered
            if not operations.isdisjoint(supported(one.operations))
            and (found := (in_period if one.temporal else in_all)(one)) is not None
        ]
        if asked and query.order_by is not None:
            raise BadRequestData("parameter orderBy is invalid without local=true: there are other sources")
        return asked

    async def _told_past(
        self,
        call: Call,
        temporal: TemporalQuery,
        asked: Sequence[tuple[Registration, Query]],
        linked: LinkedMaps,
    ) -> Gathered:
        """What sources have for a query, which may name other entities for each of them."""
        found = await asyncio.gather(
            *(self._asked_past(call, query, temporal, one, linked) for one, query in asked)
        )
        return _gathered([one for one, _ in asked], found)

    async def _ids_of_past(
        self, call: Call, query: Query, temporal: TemporalQuery, told: Gathered, most: int
    ) -> list[str]:
        """The ids of all that is selected, here and there, in order."""
        remote = sorted(told.parts.keys() | told.extras.keys())
        selects = selection(query, temporal)

        def work(snapshot: Snapshot) -> set[str]:
            reads = _together(snapshot, told, temporal)
            known = {id: reads.history_entity(call.tenant, id) for id in remote}
            return {
                id
                for id, one in known.items()
                if one is not None and (id in told.decided or selects(reads, call.tenant, one))
            }

        there = await self._read(call, work)
        here = await self.history_ids(call, query, temporal, most)
        ids = sorted(there | (set(here) - set(remote)))
        if len(ids) > most:
            raise TooManyResults(f"the query selects more than {most} entities")
        return ids

    async def _retrieved_past(
        self,
        call: Call,
        entity_id: str,
        temporal: TemporalQuery,
        names: Sequence[str],
        registration: Registration,
        linked: LinkedMaps,
    ) -> _Told:
        try:
            ld_context = await self.forwarder.language(call, registration)
            params = self._period(temporal)
            registered = [
                part.attributes for part in registration.information if has_entity(part, entity_id, ())
            ]
            every = frozenset().union(*registered) if all(registered) else frozenset()
            wanted = every & frozenset(names) if every and names else every or frozenset(names)
            if every and names and not wanted:
                return _Told([])
            if wanted:
                params["attrs"] = ",".join(ld_context.compact_key(name) for name in sorted(wanted))
            path = f"/temporal/entities/{segment(entity_id)}"
            answer = await self._asked_for(call, registration, path, params, ld_context, linked)
            if answer.status == 404:
                return _Told([])
            return _Told(self._evolutions_of(call, registration, answer, ld_context))
        except CityloomError as error:
            self.warn(call, registration, error)
            return _Told([], failed=True)

    async def _asked_past(
        self,
        call: Call,
        query: Query,
        temporal: TemporalQuery,
        registration: Registration,
        linked: LinkedMaps,
    ) -> _Told:
        """What a source has for a query."""
        found: list[Entity] = []
        filtered = failed = False
        try:
            ld_context = await self.forwarder.language(call, registration)
            filters = {} if self.split(call) else filters_of(call, query, ld_context)
            filtered = bool(filters)
            attrs = frozenset(query.attrs) if filtered else frozenset()
            for some in named_at_once(query.ids) if query.ids else [[]]:
                asked = requests(registration, replace(query, ids=some), attrs, ld_context)
                for params in asked:
                    wanted = self._period(temporal) | params | filters
                    found += await self._pages_of_past(call, registration, wanted, ld_context, linked)
        except CityloomError as error:
            self.warn(call, registration, error)
            failed = True
        return _Told(found, filtered, failed)

    async def _pages_of_past(
        self,
        call: Call,
        registration: Registration,
        params: dict[str, str],
        ld_context: LdContext,
        linked: LinkedMaps,
    ) -> list[Entity]:
        most = self.settings.source_entities
        size = min(_PAGE, most)
        found: list[Entity] = []
        received = 0
        while True:
            paging = {"limit": str(size)} | ({"offset": str(received)} if received else {})
            answer = await self._asked_for(
                call, registration, "/temporal/entities", params | paging, ld_context, linked
            )
            if answer.status == 404:
                return found
            page = answer.document if isinstance(answer.document, list) else [answer.document]
            received += len(page)
            found += self._evolutions_of(call, registration, answer, ld_context)
            if not page or not (answer.more or len(page) >= size):
                return found
            if received >= most:
                cut = SourceTimedOut(f"only {most} entities were taken from registration {registration.id}")
                self.warn(call, registration, cut)
                return found

    async def _asked_for(
        self,
        call: Call,
        registration: Registration,
        path: str,
        params: dict[str, str],
        ld_context: LdContext,
        linked: LinkedMaps,
    ) -> Answer:
        """An answer as whole as it can be had.

        A source may bound the instances of an entity by `lastN`, which is meant for each attribute;
        where it leaves some out so, it is asked for more.
        """
        answer = await linked.get(self.forwarder, call, registration, path, ld_context, params)
        most = str(self.settings.temporal_max)
        if answer.status != _CUT or params["lastN"] == most:
            return answer
        more = params | {"lastN": most}
        return await linked.get(self.forwarder, call, registration, path, ld_context, more)

    def _period(self, temporal: TemporalQuery) -> dict[str, str]:
        """The temporal query as a source takes it: instances as they are, even for aggregates.

        Where no number is asked for it is as many of each attribute as this node may answer: more
        than a source tells by itself.
        """
        params = {"options": "sysAttrs", "timeproperty": temporal.timeproperty}
        params["lastN"] = str(temporal.last_n or self.settings.temporal_max)
        if temporal.timerel is not None and temporal.time_at is not None:
            params |= {"timerel": temporal.timerel, "timeAt": format_datetime(temporal.time_at)}
        if temporal.end_time_at is not None:
            params["endTimeAt"] = format_datetime(temporal.end_time_at)
        return params

    def _evolutions_of(
        self, call: Call, registration: Registration, answer: Answer, ld_context: LdContext
    ) -> list[Entity]:
        """The evolutions among an answer; what the source did not register is passed over (4.3.6.1)."""
        documents: list[Any] = answer.document if isinstance(answer.document, list) else [answer.document]
        try:
            read = [read_evolution(one, ld_context, self.limits) for one in documents]
        except BadRequestData as error:
            detail = f"the source of registration {registration.id} answered no NGSI-LD: {error.detail}"
            raise SourceFailed(detail, unreadable=True) from None
        if answer.status == _CUT:
            cut = SourceTimedOut(
                f"the source of registration {registration.id} told the latest instances alone"
            )
            self.warn(call, registration, cut)
        kept = (registered_part(registration, entity) for entity in read)
        return [entity for entity in kept if entity is not None]


def _may_have(registration: Registration, temporal: TemporalQuery) -> bool:
    """Whether a source may have something of the period; one that tells no interval may have of any."""
    if not registration.temporal or temporal.timerel is None:
        return True
    return in_time(registration, temporal)


def nothing_told() -> Gathered:
    """Before any source was asked."""
    return Gathered({}, {}, {}, set(), set())


def _gathered(asked: Sequence[Registration], found: Sequence[_Told]) -> Gathered:
    told = nothing_told()
    for registration, answer in zip(asked, found, strict=True):
        if answer.failed:
            told.failed.add(registration.id)
        if answer.filtered:
            told.decided.update(entity.id for entity in answer.entities)
        for entity in answer.entities:
            kind = told.extras if registration.mode == "auxiliary" else told.parts
            kind.setdefault(entity.id, []).append(entity)
            holders = told.holders.setdefault(entity.id, [])
            if registration.id not in holders:
                holders.append(registration.id)
    return told


def _together(snapshot: Snapshot, told: Gathered, temporal: TemporalQuery) -> HistoryReads:
    return cast(HistoryReads, Told(snapshot, told.parts, told.extras, temporal.timeproperty))

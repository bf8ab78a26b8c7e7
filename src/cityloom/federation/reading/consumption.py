"""Reading entities that lie here and at registered sources.

Source: ETSI GS CIM 009 clauses 4.3.6.2, 4.3.6.7, 4.5.5, 5.7.1.4, 5.7.2.4, 6.3.17.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

import structlog
from msgspec.structs import replace

from cityloom.access.keys import CITY
from cityloom.broker.ports import HERE, Call, Forwarding, Page
from cityloom.federation.asking.documents import filters_of, query_document, requests, specification_of
from cityloom.federation.asking.forward import Answer, segment
from cityloom.federation.asking.linked_maps import LinkedMaps
from cityloom.federation.asking.merge import merged, read_remote
from cityloom.federation.asking.shares import has_entity, registered_part
from cityloom.federation.asking.warnings import Warned
from cityloom.federation.registrations.matching import fits, registration_match
from cityloom.federation.registrations.operations import supported
from cityloom.federation.registrations.registration import Registration
from cityloom.ld.context import LdContext
from cityloom.ld.kinds import is_deleted
from cityloom.model.entity import Attribute, Entity
from cityloom.model.errors import (
    BadRequestData,
    CityloomError,
    ResourceNotFound,
    SourceFailed,
    SourceTimedOut,
)
from cityloom.model.events import Cause
from cityloom.query.evaluate import matcher
from cityloom.query.sources import EntitySpecification, SourceQuery
from cityloom.query.values import Query

_log = structlog.get_logger("federation")
_TOLD: Final = Cause(kind="system", id="system:notifications", operation="completeNotification")
_PAGE: Final = 1000
_AT_ONCE: Final = 100
"""Entities read or joined before other requests get a turn of the event loop."""
QUERIES: Final = frozenset({"queryEntity", "queryBatch"})
"""A source that answers queries alone is asked for one entity by a query."""
_SYS_ATTRS: Final = {"options": "sysAttrs"}


class Part(NamedTuple):
    """What one source answered: entities that count as ours do, or that only add (auxiliary).

    `filtered`: they fit the filters of the query, says the source. `failed`: it did not tell all.
    `entity_map`: the location of the entity map that it used.
    """

    entities: list[Entity]
    extra: bool
    filtered: bool = False
    failed: bool = False
    entity_map: str = ""


class Whole(NamedTuple):
    """An entity put together, and those who had a part of it."""

    entity: Entity
    holders: list[str]


class FederatedConsumption(Warned):
    """Retrieving and querying entities, wherever they are."""

    async def retrieve_entity(self, call: Call, entity_id: str) -> Entity:
        """5.7.1. Raises ResourceNotFound. A source that fails costs its own part, told as a warning."""
        asked = self._retrieved(call, entity_id)
        if not asked:
            return await super().retrieve_entity(call, entity_id)
        return (await self._whole(call, entity_id, asked)).entity

    async def query_entities(self, call: Call, query: Query, count: bool = False) -> Page:
        """5.7.2. A source that fails costs its own part, told as a warning.

        Raises:
            BadRequestData: an order is asked for where entities come from sources (5.7.2.4).
        """
        asked = self._queried(call, query)
        if not asked:
            return await super().query_entities(call, query, count)
        self._may(call, "read", "entities")
        if query.order_by is not None:
            raise BadRequestData("parameter orderBy is invalid without local=true: there are other sources")
        answers = await asyncio.gather(*(self._query(call, query, one) for one in asked))
        told, extras = by_id(answers)
        remote = told.keys() | extras.keys()
        # A source that has its entities whole decided on their filters by itself.
        decided = {entity.id for answer in answers if answer.filtered for entity in answer.entities}
        reach = query.offset + query.limit
        local = await super().query_entities(call, replace(query, limit=reach + len(remote), offset=0), count)
        parts = {entity.id: entity for entity in await self._local_parts(call, remote)}
        holds = matcher(replace(query, limit=0, offset=0, order_by=None))
        found = [entity for entity in local.entities if entity.id not in remote]
        total = (local.count or 0) - sum(holds(part) for part in parts.values())
        now = self._clock.now()
        for number, id in enumerate(remote):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            here = [parts[id]] if id in parts else []
            entity = merged([*here, *told.get(id, ())], extras.get(id, ()), now)
            if entity is not None and (id in decided or holds(entity)):
                found.append(entity)
                total += 1
        found.sort(key=lambda entity: entity.id)
        return Page(
            entities=found[query.offset : reach],
            count=total if count else None,
            more=len(found) > reach or local.more,
        )

    def returned(self, call: Call) -> bool:
        """Whether a request has been at this node before (4.3.6.4)."""
        return self.forwarder.returned(call)

    async def completed(
        self, tenant: str, registration_id: str, told: Entity, ld_context: LdContext
    ) -> Entity | None:
        """What a source told of an entity, with what is here and at all other sources (5.8.6).

        So it is of a change of this node, too: no place alone can say whether a split entity fits.

        Attributes that are gone at the source are told to be gone where nobody else has them, and so
        is the entity. A source that fails costs its own part.

        Args:
            registration_id: that of the source, which is not asked; `HERE` for this node.
            ld_context: what other sources are spoken to in, where they have no wish.

        Returns:
            None where what there was has expired.
        """
        forwarding = Forwarding(ld_context=ld_context)
        call = Call(tenant=tenant, party=CITY, cause=_TOLD, forwarding=forwarding)
        asked = [one for one in self._retrieved(call, told.id) if one.id != registration_id]
        answers = await asyncio.gather(*(self._retrieve(call, told.id, one) for one in asked))
        here: list[Entity] = []
        if registration_id != HERE:
            with suppress(ResourceNotFound):
                here = [await super().retrieve_entity(call, told.id)]
        for warning in forwarding.warnings:
            _log.warning("notification put together without a source", entity=told.id, reason=warning)
        parts, extras = by_id(answers)
        others = [*here, *parts.get(told.id, ())]
        now = self._clock.now()
        if told.deleted_at is not None:
            return merged(others, (), now) or told
        living, gone = _living(told)
        whole = merged([*others, living], extras.get(told.id, ()), now)
        if whole is None:
            return None
        gone = {name: found for name, found in gone.items() if name not in whole.attributes}
        return replace(whole, attributes={**whole.attributes, **gone})

    # -- within ------------------------------------------------------------

    def _retrieved(self, call: Call, entity_id: str) -> list[Registration]:
        """The sources that may have this entity, and can be asked for it."""
        registered = self.registered(call)
        if not registered:
            return []
        selected = call.forwarding.selected if call.forwarding is not None else None
        wanted = [EntitySpecification(types=selected, ids=[entity_id])]
        return [
            registration
            for registration in registered
            if not registration.temporal
            and not supported(registration.operations).isdisjoint({"retrieveEntity", *QUERIES})
            and any(fits(part, wanted, frozenset()) for part in registration.information)
        ]

    async def _whole(
        self,
        call: Call,
        entity_id: str,
        asked: Sequence[Registration],
        linked: LinkedMaps | None = None,
    ) -> Whole:
        """An entity from here and from the sources asked. Raises ResourceNotFound."""
        self._may(call, "read", entity_id)
        answers = await asyncio.gather(*(self._retrieve(call, entity_id, one, linked) for one in asked))
        try:
            here = [await super().retrieve_entity(call, entity_id)]
        except ResourceNotFound:
            here = []
        parts, extras = by_id(answers)
        entity = merged([*here, *parts.get(entity_id, ())], extras.get(entity_id, ()), self._clock.now())
        if entity is None:
            raise ResourceNotFound(f"entity {entity_id} does not exist")
        told = dict(zip((one.id for one in asked), answers, strict=True))
        return Whole(
            entity,
            holders=[*([HERE] if here else []), *(id for id, part in told.items() if part.entities)],
        )

    def _queried(self, call: Call, query: Query, operations: frozenset[str] = QUERIES) -> list[Registration]:
        """The sources that may have some of what is asked for, and have one of these operations."""
        registered = self.registered(call)
        if not registered:
            return []
        forwarding = call.forwarding
        match = registration_match(
            SourceQuery(
                entities=[specification_of(query)],
                attrs=query.attrs,
                dataset_ids=query.dataset_ids,
                geo=query.geo,
                csf=forwarding.csf if forwarding is not None else None,
            ),
            anywhere=True,
        )
        return [
            found
            for registration in registered
            if not operations.isdisjoint(supported(registration.operations))
            and (found := match(registration)) is not None
        ]

    async def _local_parts(self, call: Call, ids: Iterable[str]) -> list[Entity]:
        wanted = sorted(ids)
        found: list[Entity] = []
        for start in range(0, len(wanted), _PAGE):
            some = wanted[start : start + _PAGE]
            page = await super().query_entities(call, Query(ids=some, limit=len(some)))
            found += page.entities
        return found

    async def _retrieve(
        self, call: Call, entity_id: str, registration: Registration, linked: LinkedMaps | None = None
    ) -> Part:
        linked = linked or LinkedMaps()
        extra = registration.mode == "auxiliary"
        if "retrieveEntity" not in supported(registration.operations):
            known = linked.locations.get(registration.id, "")
            part = await self._query(call, Query(ids=[entity_id]), registration, known)
            if part.entity_map:
                linked.locations[registration.id] = part.entity_map
            return part
        try:
            ld_context = await self.forwarder.language(call, registration)
            params = dict(_SYS_ATTRS)
            names = [part.attributes for part in registration.information if has_entity(part, entity_id, ())]
            if all(names):
                every = sorted(frozenset().union(*names))
                params["attrs"] = ",".join(ld_context.compact_key(name) for name in every)
            path = f"/entities/{segment(entity_id)}"
            answer = await linked.get(self.forwarder, call, registration, path, ld_context, params)
            if answer.status == 404:
                return Part([], extra)
            return Part(await self._read_remote(registration, [answer.document], ld_context), extra)
        except CityloomError as error:
            self.warn(call, registration, error)
            return Part([], extra, failed=True)

    async def _query(
        self, call: Call, query: Query, registration: Registration, entity_map: str = ""
    ) -> Part:
        found: list[Entity] = []
        filtered = failed = False
        try:
            ld_context = await self.forwarder.language(call, registration)
            split = self.split(call)
            filters = {} if split else filters_of(call, query, ld_context)
            # A body says q and scopeQ alone; the geo query is then decided here.
            filtered = bool(filters) and (query.geo is None or _by_get(registration))
            attrs = frozenset(query.attrs) if filtered else frozenset()
            for params in requests(registration, query, attrs, ld_context):
                some, entity_map = await self._pages(
                    call, registration, params | filters, ld_context, entity_map
                )
                found += some
        except CityloomError as error:
            self.warn(call, registration, error)
            failed = True
        return Part(found, registration.mode == "auxiliary", filtered, failed, entity_map)

    async def _pages(
        self,
        call: Call,
        registration: Registration,
        params: dict[str, str],
        ld_context: LdContext,
        entity_map: str,
    ) -> tuple[list[Entity], str]:
        """Everything a source has for a query, up to the node's bound, and the entity map it used."""
        found: list[Entity] = []
        most = self.settings.source_entities
        received = 0
        while True:
            paging = {**_SYS_ATTRS, "limit": str(min(_PAGE, most))}
            if received:
                paging["offset"] = str(received)
            answer = await self._asked(call, registration, params, paging, ld_context, entity_map)
            entity_map = answer.entity_map or entity_map
            if answer.status == 404:
                return found, entity_map
            page = answer.document if isinstance(answer.document, list) else [answer.document]
            received += len(page)
            found += await self._read_remote(registration, page, ld_context)
            if not page or not (answer.more or len(page) >= _PAGE):
                return found, entity_map
            if received >= most:
                cut = SourceTimedOut(f"only {most} entities were taken from registration {registration.id}")
                self.warn(call, registration, cut)
                return found, entity_map

    async def _asked(
        self,
        call: Call,
        registration: Registration,
        params: dict[str, str],
        paging: dict[str, str],
        ld_context: LdContext,
        entity_map: str,
    ) -> Answer:
        if _by_get(registration):
            return await self.forwarder.ask(
                call,
                registration,
                "GET",
                "/entities",
                ld_context,
                params=params | paging,
                entity_map=entity_map,
            )
        return await self.forwarder.ask(
            call,
            registration,
            "POST",
            "/entityOperations/query",
            ld_context,
            params=paging,
            body=query_document(params),
            entity_map=entity_map,
        )

    async def _read_remote(
        self, registration: Registration, documents: Sequence[Any], ld_context: LdContext
    ) -> list[Entity]:
        """The entities among an answer; what the source did not register is passed over (4.3.6.1)."""
        found: list[Entity] = []
        try:
            for number, document in enumerate(documents):
                if number % _AT_ONCE == _AT_ONCE - 1:
                    await asyncio.sleep(0)
                entity = registered_part(registration, read_remote(document, ld_context, self.limits))
                if entity is not None:
                    found.append(entity)
        except BadRequestData as error:
            detail = f"the source of registration {registration.id} answered no NGSI-LD: {error.detail}"
            raise SourceFailed(detail, unreadable=True) from None
        return found


def _living(told: Entity) -> tuple[Entity, dict[str, list[Attribute]]]:
    """What a source told of an entity without the instances that are gone, and those by themselves."""
    living: dict[str, list[Attribute]] = {}
    gone: dict[str, list[Attribute]] = {}
    for name, instances in told.attributes.items():
        for one in instances:
            (gone if is_deleted(one) else living).setdefault(name, []).append(one)
    return replace(told, attributes=living), gone


def _by_get(registration: Registration) -> bool:
    return "queryEntity" in supported(registration.operations)


def by_id(answers: Sequence[Part]) -> tuple[dict[str, list[Entity]], dict[str, list[Entity]]]:
    """The parts of each entity, and what auxiliary sources have of each."""
    parts: dict[str, list[Entity]] = {}
    extras: dict[str, list[Entity]] = {}
    for answer in answers:
        for entity in answer.entities:
            (extras if answer.extra else parts).setdefault(entity.id, []).append(entity)
    return parts, extras

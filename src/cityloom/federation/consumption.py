"""Reading entities that lie here and at registered sources.

Source: ETSI GS CIM 009 clauses 4.3.6.2, 4.3.6.7, 4.5.5, 5.7.1.4, 5.7.2.4, 6.3.17.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from cityloom.broker.ports import Call, Page
from cityloom.federation.documents import FILTERS, query_document, requests, specification_of
from cityloom.federation.forward import segment
from cityloom.federation.matching import registration_match
from cityloom.federation.merge import merged, read_remote
from cityloom.federation.operations import supported
from cityloom.federation.registration import Registration
from cityloom.federation.shares import has_entity, registered_part
from cityloom.federation.sources import Sources
from cityloom.ld.context import LdContext
from cityloom.model.entity import Entity
from cityloom.model.errors import (
    BadRequestData,
    CityloomError,
    LoopDetected,
    ResourceNotFound,
    SourceFailed,
    SourceTimedOut,
)
from cityloom.query.evaluate import matcher
from cityloom.query.sources import SourceQuery
from cityloom.query.values import Query

_PAGE: Final = 1000
_QUERIES: Final = ("queryEntity", "queryBatch")
"""A source that answers queries alone is asked for one entity by a query."""
_SYS_ATTRS: Final = {"options": "sysAttrs"}


class _Part(NamedTuple):
    """What one source answered: entities that count as ours do, or that only add (auxiliary)."""

    entities: list[Entity]
    extra: bool


class FederatedConsumption(Sources):
    """Retrieving and querying entities, wherever they are."""

    async def retrieve_entity(self, call: Call, entity_id: str) -> Entity:
        """5.7.1. Raises ResourceNotFound. A source that fails costs its own part, told as a warning."""
        asked = [
            registration
            for registration in self.registered(call)
            if not registration.temporal
            and not supported(registration.operations).isdisjoint(("retrieveEntity", *_QUERIES))
            and any(has_entity(part, entity_id, ()) for part in registration.information)
        ]
        if not asked:
            return await super().retrieve_entity(call, entity_id)
        answers = await asyncio.gather(*(self._retrieve(call, entity_id, one) for one in asked))
        try:
            here = [await super().retrieve_entity(call, entity_id)]
        except ResourceNotFound:
            here = []
        entity = _whole(entity_id, here, answers, self._clock.now())
        if entity is None:
            raise ResourceNotFound(f"entity {entity_id} does not exist")
        return entity

    async def query_entities(self, call: Call, query: Query, count: bool = False) -> Page:
        """5.7.2. A source that fails costs its own part, told as a warning.

        Raises:
            BadRequestData: an order is asked for where entities come from sources (5.7.2.4).
        """
        asked = self._queried(call, query)
        if not asked:
            return await super().query_entities(call, query, count)
        if query.order_by is not None:
            raise BadRequestData("parameter orderBy is invalid without local=true: there are other sources")
        answers = await asyncio.gather(*(self._query(call, query, one) for one in asked))
        remote = {entity.id for answer in answers for entity in answer.entities}
        reach = query.offset + query.limit
        local = await super().query_entities(call, replace(query, limit=reach + len(remote), offset=0), count)
        parts = {entity.id: entity for entity in await self._local_parts(call, remote)}
        holds = matcher(replace(query, limit=0, offset=0, order_by=None))
        found = [entity for entity in local.entities if entity.id not in remote]
        total = (local.count or 0) - sum(holds(part) for part in parts.values())
        for id in remote:
            here = [parts[id]] if id in parts else []
            entity = _whole(id, here, answers, self._clock.now())
            if entity is not None and holds(entity):
                found.append(entity)
                total += 1
        found.sort(key=lambda entity: entity.id)
        return Page(
            entities=found[query.offset : reach],
            count=total if count else None,
            more=len(found) > reach or local.more,
        )

    # -- within ------------------------------------------------------------

    def _queried(self, call: Call, query: Query) -> list[Registration]:
        """The sources that may have some of what is asked for, and answer queries."""
        registered = self.registered(call)
        if not registered:
            return []
        forwarding = call.forwarding
        match = registration_match(
            SourceQuery(
                entities=[specification_of(query)],
                attrs=query.attrs,
                dataset_ids=query.dataset_ids,
                geo=query.geo if not self.split(call) else None,
                csf=forwarding.csf if forwarding is not None else None,
            )
        )
        return [
            found
            for registration in registered
            if not supported(registration.operations).isdisjoint(_QUERIES)
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

    async def _retrieve(self, call: Call, entity_id: str, registration: Registration) -> _Part:
        extra = registration.mode == "auxiliary"
        if "retrieveEntity" not in supported(registration.operations):
            return await self._query(call, Query(ids=[entity_id]), registration)
        try:
            ld_context = await self.forwarder.language(call, registration)
            params = dict(_SYS_ATTRS)
            names = [part.attributes for part in registration.information if has_entity(part, entity_id, ())]
            if all(names):
                every = sorted(frozenset().union(*names))
                params["attrs"] = ",".join(ld_context.compact_key(name) for name in every)
            path = f"/entities/{segment(entity_id)}"
            answer = await self.forwarder.ask(call, registration, "GET", path, ld_context, params=params)
            if answer.status == 404:
                return _Part([], extra)
            return _Part(self._read_remote(registration, [answer.document], ld_context), extra)
        except CityloomError as error:
            self.warn(call, registration, error)
            return _Part([], extra)

    async def _query(self, call: Call, query: Query, registration: Registration) -> _Part:
        extra = registration.mode == "auxiliary"
        found: list[Entity] = []
        try:
            ld_context = await self.forwarder.language(call, registration)
            split = self.split(call)
            attrs = frozenset() if split else frozenset(query.attrs)
            for params in requests(registration, query, attrs, ld_context):
                if not split:
                    params |= self._filters(call, ld_context)
                found += await self._pages(call, registration, params, ld_context)
        except CityloomError as error:
            self.warn(call, registration, error)
        return _Part(found, extra)

    def _filters(self, call: Call, ld_context: LdContext) -> dict[str, str]:
        """The filters as they were written, where the source reads the same words."""
        forwarding = call.forwarding
        if forwarding is None or (forwarding.ld_context or LdContext.core) is not ld_context:
            return {}
        return {name: value for name in FILTERS if isinstance(value := forwarding.words.get(name), str)}

    async def _pages(
        self, call: Call, registration: Registration, params: dict[str, str], ld_context: LdContext
    ) -> list[Entity]:
        """Everything a source has for a query, up to the node's bound."""
        found: list[Entity] = []
        most = self.settings.source_entities
        by_get = "queryEntity" in supported(registration.operations)
        while True:
            paging = {**_SYS_ATTRS, "limit": str(min(_PAGE, most))}
            if found:
                paging["offset"] = str(len(found))
            if by_get:
                answer = await self.forwarder.ask(
                    call, registration, "GET", "/entities", ld_context, params={**params, **paging}
                )
            else:
                answer = await self.forwarder.ask(
                    call,
                    registration,
                    "POST",
                    "/entityOperations/query",
                    ld_context,
                    params=paging,
                    body=query_document(params),
                )
            if answer.status == 404:
                return found
            page = answer.document if isinstance(answer.document, list) else [answer.document]
            found += self._read_remote(registration, page, ld_context)
            if len(page) < _PAGE:
                return found
            if len(found) >= most:
                self.warn(
                    call, registration, SourceTimedOut(f"only {most} entities were taken from this source")
                )
                return found

    def _read_remote(
        self, registration: Registration, documents: Sequence[Any], ld_context: LdContext
    ) -> list[Entity]:
        """The entities among an answer; what the source did not register is passed over (4.3.6.1)."""
        try:
            read = [read_remote(document, ld_context, self.limits) for document in documents]
            return [bound for entity in read if (bound := registered_part(registration, entity)) is not None]
        except BadRequestData as error:
            detail = f"the source of registration {registration.id} answered no NGSI-LD: {error.detail}"
            raise SourceFailed(detail, unreadable=True) from None

    def warn(self, call: Call, registration: Registration, error: CityloomError) -> None:
        """Tells the caller that a source could not do its part (Table 6.3.17-1)."""
        if call.forwarding is None:
            return
        if isinstance(error, SourceTimedOut | LoopDetected):
            code = 199
        elif error.extra.get("unreadable"):
            code = 111
        else:
            code = 299
        # Of what others wrote no more than a header can hold.
        text = "".join(char if 32 <= ord(char) < 127 and char not in '"\\' else " " for char in error.detail)
        call.forwarding.warnings.append(f'{code} {self.forwarder.alias(call.tenant)} "{text[:300]}"')


def _whole(id: str, here: Sequence[Entity], answers: Sequence[_Part], now: int) -> Entity | None:
    parts, extras = list(here), list[Entity]()
    for answer in answers:
        (extras if answer.extra else parts).extend(one for one in answer.entities if one.id == id)
    return merged(parts, extras, now)

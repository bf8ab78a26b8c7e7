"""Batches and purges over this node and registered sources.

Source: ETSI GS CIM 009 clauses 5.6.7 to 5.6.10, 5.6.20, 5.6.21.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from cityloom.broker.ports import BatchOperation, BatchResult, Call, Item, ItemError
from cityloom.federation.asking.documents import (
    entity_document,
    filters_of,
    narrowed,
    requests,
    specification_of,
)
from cityloom.federation.asking.forward import Answer, Method, kind_of, segment
from cityloom.federation.asking.merge import ids_of
from cityloom.federation.asking.shares import Shares
from cityloom.federation.registrations.matching import registration_match
from cityloom.federation.registrations.operations import supported
from cityloom.federation.registrations.registration import Registration
from cityloom.federation.writing.provision import FederatedProvision
from cityloom.ld.context import LdContext
from cityloom.model.entity import Entity
from cityloom.model.errors import (
    CityloomError,
    Conflict,
    OperationNotSupported,
    ResourceNotFound,
    SourceFailed,
)
from cityloom.query.sources import SourceQuery
from cityloom.query.values import Query


class _Way(NamedTuple):
    """How a source takes a batch: whole, by the operation of the batch, or entity by entity."""

    batch: str
    path: str
    params: dict[str, str]
    singles: tuple[str, ...]


_WAYS: Final[dict[BatchOperation, _Way]] = {
    "create": _Way("createBatch", "create", {}, ("createEntity",)),
    "upsert-replace": _Way("upsertBatch", "upsert", {}, ("createEntity", "replaceEntity")),
    "upsert-update": _Way("upsertBatch", "upsert", {"options": "update"}, ("createEntity", "updateEntity")),
    "update": _Way("updateBatch", "update", {}, ("updateEntity",)),
    "update-no-overwrite": _Way("updateBatch", "update", {"options": "noOverwrite"}, ("appendAttrs",)),
    "merge": _Way("mergeBatch", "merge", {}, ("mergeEntity",)),
}
_DELETE: Final = _Way("deleteBatch", "delete", {}, ("deleteEntity",))
_SINGLE: Final[dict[str, tuple[Method, str]]] = {
    "createEntity": ("POST", "/entities"),
    "replaceEntity": ("PUT", "/entities/{}"),
    "updateEntity": ("PATCH", "/entities/{}/attrs"),
    "appendAttrs": ("POST", "/entities/{}/attrs"),
    "mergeEntity": ("PATCH", "/entities/{}"),
    "deleteEntity": ("DELETE", "/entities/{}"),
}
_CREATES: Final[dict[BatchOperation, bool | None]] = {
    "create": True,
    "upsert-replace": None,
    "upsert-update": None,
}
_OF_WHAT_IS_THERE: Final = frozenset[BatchOperation](("update", "update-no-overwrite", "merge"))
_EXISTS: Final = 409
_AT_ONCE: Final = 100
"""Entities dealt out before other requests get a turn of the event loop."""

Kept = dict[str, tuple[Registration, list[Entity]]]
"""By registration, the entities of a batch with what the source has of them."""


class FederatedBatches(FederatedProvision):
    """Writing many entities, wherever they are."""

    async def batch(
        self, call: Call, operation: BatchOperation, items: Sequence[Item], skip_unchanged: bool = False
    ) -> BatchResult:
        """5.6.7, 5.6.8, 5.6.9, 5.6.20: item by item, here and at each source."""
        if not self.registered(call):
            return await super().batch(call, operation, items, skip_unchanged)
        self._may(call, "write", "entities")
        way = _WAYS[operation]
        kept: Kept = {}
        here: list[Item] = []
        back = BatchResult()
        away: set[str] = set()
        for number, item in enumerate(items):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            entity = item.entity
            if entity is None:
                here.append(item)
                continue
            dealt = self._dealt_fragment(call, (way.batch, *way.singles), entity.id, entity)
            forwarded = self._deal(call, kept, dealt, entity)
            if dealt.shares and self._left(call, entity.id, _CREATES.get(operation, False)):
                made = self._held(call, entity.id) is None
                (back.created if made else back.updated).append(entity.id)
            elif dealt.here or not forwarded:
                left = entity if not dealt.shares else narrowed(entity, dealt.left)
                here.append(Item(id=item.id, entity=left, row=item.row))
                if operation in _OF_WHAT_IS_THERE and self._away(call, dealt, entity.id):
                    away.add(item.id)
        results = [back, *await self._forward_batches(call, way, kept)]
        # Not to be here is no error where all of it was done elsewhere, as for one entity.
        away &= {id for result in results for id in result.updated}
        away -= {error.id for result in results for error in result.errors}
        here = [item for item in here if item.id not in away]
        if here:
            results.append(await super().batch(call, operation, here, skip_unchanged))
        return _joined(results, [item.id for item in items])

    async def batch_delete(self, call: Call, ids: Sequence[str]) -> BatchResult:
        """5.6.10."""
        if not self.registered(call):
            return await super().batch_delete(call, ids)
        self._may(call, "write", "entities")
        kept: Kept = {}
        here: list[str] = []
        back = BatchResult()
        for number, id in enumerate(ids):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            dealt = self._dealt_fragment(call, (_DELETE.batch, *_DELETE.singles), id, Entity())
            forwarded = self._deal(call, kept, dealt, Entity(id=id))
            if dealt.shares and self._left(call, id):
                back.deleted.append(id)
            elif not forwarded or self._held(call, id) is not None:
                here.append(id)
        results = [back, *await self._forward_batches(call, _DELETE, kept)]
        if here:
            results.append(await super().batch_delete(call, here))
        return _joined(results, ids)

    async def purge(self, call: Call, query: Query, keep: Sequence[str], drop: Sequence[str]) -> BatchResult:
        """5.6.21: here, and at the sources that match what is selected."""
        registered = self.registered(call)
        result = await super().purge(call, query, keep, drop)
        if not registered:
            return result
        match = registration_match(
            SourceQuery(
                entities=[specification_of(query)],
                attrs=query.attrs,
                geo=query.geo,
                csf=call.forwarding.csf if call.forwarding is not None else None,
            ),
            anywhere=True,
        )
        asked = [
            found
            for registration in registered
            if registration.mode != "auxiliary" and (found := match(registration)) is not None
        ]
        results = await asyncio.gather(*(self._purge_at(call, one, query, keep, drop) for one in asked))
        return _joined([result, *results], [])

    # -- within ------------------------------------------------------------

    async def _purge_at(
        self,
        call: Call,
        registration: Registration,
        query: Query,
        keep: Sequence[str],
        drop: Sequence[str],
    ) -> BatchResult:
        loops = self.forwarder.loops(call, registration)
        if "purgeEntity" not in supported(registration.operations):
            if not registration.proxied:
                return BatchResult()
            detail = f"the source of registration {registration.id} does not support purging"
            return BatchResult(errors=[ItemError(registration.id, Conflict(detail), registration.id)])
        if loops and not registration.proxied:
            return BatchResult()
        try:
            ld_context = await self.forwarder.language(call, registration)
            filters = self._filter_words(call, ld_context, query)
            for params in requests(registration, query, frozenset(query.attrs), ld_context):
                # Of what is registered by name no more goes than just that.
                named = params.pop("attrs", "").split(",") if "attrs" in params else []
                asked = [ld_context.compact_key(name) for name in drop]
                kept = [ld_context.compact_key(name) for name in keep]
                if named or asked:
                    gone = [name for name in named or asked if name not in kept]
                    gone = [name for name in gone if not (named and asked) or name in asked]
                    if not gone:
                        continue
                    params["drop"] = ",".join(gone)
                elif kept:
                    params["keep"] = ",".join(kept)
                await self.forwarder.ask(
                    call, registration, "DELETE", "/entities", ld_context, params={**params, **filters}
                )
        except CityloomError as error:
            return BatchResult(errors=[ItemError(registration.id, error, registration.id)])
        return BatchResult()

    def _filter_words(self, call: Call, ld_context: LdContext, query: Query) -> dict[str, str]:
        """The filters of a purge as they were written.

        Raises:
            OperationNotSupported: the source reads other words, and without them it would purge more.
        """
        if query.q is None and query.geo is None and query.scope_q is None:
            return {}
        filters = filters_of(call, query, ld_context)
        if not filters:
            raise OperationNotSupported("a purge with filters cannot be put in the words of this source")
        return filters

    def _away(self, call: Call, dealt: Shares, entity_id: str) -> bool:
        """Whether an entity is not here and inclusive sources were asked to write all that is left of it."""
        asked = [one for one in dealt.shares if one.supported and not one.registration.proxied]
        taken = frozenset[str]().union(*(one.names for one in asked))
        return bool(asked) and dealt.left <= taken and self._held(call, entity_id) is None

    def _deal(self, call: Call, kept: Kept, dealt: Shares, entity: Entity) -> bool:
        """Puts the shares of an entity to their registrations; whether a source hears of it."""
        found = False
        for share in dealt.shares:
            registration = share.registration
            if not registration.proxied and (not share.supported or self.forwarder.loops(call, registration)):
                continue
            found = True
            _, parts = kept.setdefault(registration.id, (registration, []))
            parts.append(narrowed(entity, share.names))
        return found

    async def _forward_batches(self, call: Call, way: _Way, kept: Kept) -> list[BatchResult]:
        ids = {entity.id for _, entities in kept.values() for entity in entities}
        with self.writing(call, ids):
            return await asyncio.gather(
                *(self._forward_batch(call, way, one, found) for one, found in kept.values())
            )

    async def _forward_batch(
        self, call: Call, way: _Way, registration: Registration, entities: list[Entity]
    ) -> BatchResult:
        able = supported(registration.operations)
        single = next((name for name in way.singles if name in able), None)
        if way.batch not in able and single is None:
            detail = f"the source of registration {registration.id} does not support this operation"
            return _failed(registration, entities, Conflict(detail))
        try:
            ld_context = await self.forwarder.language(call, registration)
        except CityloomError as error:
            return _failed(registration, entities, error)
        if way.batch not in able:
            parts = await asyncio.gather(
                *(self._single(call, way, registration, entity, ld_context) for entity in entities)
            )
            return _joined(parts, [entity.id for entity in entities])
        body: list[Any] = (
            [entity.id for entity in entities]
            if way is _DELETE
            else [entity_document(entity, ld_context, registration) for entity in entities]
        )
        try:
            answer = await self.forwarder.ask(
                call,
                registration,
                "POST",
                f"/entityOperations/{way.path}",
                ld_context,
                params=way.params,
                body=body,
            )
        except CityloomError as error:
            return _failed(registration, entities, error)
        return _batch_result(registration, way, [entity.id for entity in entities], answer)

    async def _single(
        self, call: Call, way: _Way, registration: Registration, entity: Entity, ld_context: LdContext
    ) -> BatchResult:
        """One entity of a batch; an upsert makes it, or else changes the one that there is (5.6.8.4)."""
        able = supported(registration.operations)
        names = [name for name in way.singles if name in able]
        for place, name in enumerate(names):
            method, path = _SINGLE[name]
            params = {"options": "noOverwrite"} if name == "appendAttrs" else {}
            body = None if name == "deleteEntity" else entity_document(entity, ld_context, registration)
            try:
                answer = await self.forwarder.ask(
                    call,
                    registration,
                    method,
                    path.format(segment(entity.id)),
                    ld_context,
                    params=params,
                    body=body,
                )
            except SourceFailed as error:
                if name == "createEntity" and len(way.singles) > 1 and error.extra.get("status") == _EXISTS:
                    if place + 1 < len(names):
                        continue
                    detail = f"the source of registration {registration.id} cannot change entity {entity.id}"
                    return _failed(registration, [entity], OperationNotSupported(detail))
                return _failed(registration, [entity], error)
            except CityloomError as error:
                return _failed(registration, [entity], error)
            if answer.status == 404:
                return _failed(registration, [entity], _not_there(registration))
            if answer.status == 207:
                if name == "createEntity" and place + 1 < len(names) and _exists(answer):
                    continue
                detail = f"the source of registration {registration.id} did a part of it"
                return _failed(registration, [entity], SourceFailed(detail, status=207))
            return _succeeded(way, [entity.id], made=name == "createEntity")
        return BatchResult()


def _exists(answer: Answer) -> bool:
    """Whether an entity was not made in some places because it is there, and for no other reason."""
    errors = answer.document.get("errors") if isinstance(answer.document, dict) else None
    return (
        isinstance(errors, list)
        and bool(errors)
        and all(
            isinstance(told, dict)
            and isinstance(told.get("error"), dict)
            and told["error"].get("status") == _EXISTS
            for told in errors
        )
    )


def _batch_result(registration: Registration, way: _Way, ids: Sequence[str], answer: Answer) -> BatchResult:
    if answer.status == 404:
        return _failed(registration, [Entity(id=id) for id in ids], _not_there(registration))
    if answer.status == 207 and isinstance(answer.document, dict):
        errors = []
        for told in answer.document.get("errors") or ():
            if isinstance(told, dict) and isinstance(told.get("entityId"), str):
                problem = told.get("error")
                status = problem.get("status", 502) if isinstance(problem, dict) else 502
                detail = str(problem.get("detail", "")) if isinstance(problem, dict) else ""
                error = SourceFailed(
                    detail or "the source could not do it", status=status, **kind_of(problem)
                )
                errors.append(ItemError(told["entityId"], error, registration.id))
        done = _succeeded(way, ids_of(answer.document.get("success") or ()), made=False)
        return BatchResult(updated=done.updated, deleted=done.deleted, errors=errors)
    if answer.status == 207:
        detail = f"the source of registration {registration.id} did a part of it"
        return _failed(registration, [Entity(id=id) for id in ids], SourceFailed(detail, status=207))
    if answer.status == 201 and isinstance(answer.document, list):
        made = ids_of(answer.document)
        return BatchResult(created=made, updated=[id for id in ids if id not in made])
    return _succeeded(way, ids, made=answer.status == 201)


def _succeeded(way: _Way, ids: Sequence[str], *, made: bool) -> BatchResult:
    if way is _DELETE:
        return BatchResult(deleted=list(ids))
    return BatchResult(created=list(ids)) if made else BatchResult(updated=list(ids))


def _failed(registration: Registration, entities: Iterable[Entity], error: CityloomError) -> BatchResult:
    return BatchResult(errors=[ItemError(entity.id, error, registration.id) for entity in entities])


def _not_there(registration: Registration) -> ResourceNotFound:
    return ResourceNotFound(f"the source of registration {registration.id} does not have it")


def _joined(results: Sequence[BatchResult], order: Sequence[str]) -> BatchResult:
    """The results of several places as one: what was made anywhere is made."""
    created = {id for result in results for id in result.created}
    place = {id: number for number, id in enumerate(order)}

    def gathered(pick: Callable[[BatchResult], list[str]]) -> list[str]:
        found = dict.fromkeys(id for result in results for id in pick(result))
        return sorted(found, key=lambda id: place.get(id, len(place)))

    return BatchResult(
        created=gathered(lambda result: result.created),
        updated=[id for id in gathered(lambda result: result.updated) if id not in created],
        unchanged=gathered(lambda result: result.unchanged),
        deleted=gathered(lambda result: result.deleted),
        errors=[error for result in results for error in result.errors],
    )

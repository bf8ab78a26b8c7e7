"""Writing entities that lie here and at registered sources, one at a time.

What a proxied source has is written there and nowhere else, what an inclusive one has is
written there as well. What went well in some places and not in others is told so (207).

Source: ETSI GS CIM 009 clauses 4.3.6.2, 4.3.6.3, 5.6.1 to 5.6.6, 5.6.17 to 5.6.19, 5.6.21, 6.3.17.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from cityloom.broker.ports import BatchResult, Call, ItemError, PartlyDone, UpdateResult
from cityloom.broker.transient import alive
from cityloom.federation.asking.documents import attribute_document, entity_document, narrowed
from cityloom.federation.asking.forward import Answer, Method, segment
from cityloom.federation.asking.shares import Share, Shares, shares
from cityloom.federation.asking.sources import Sources
from cityloom.federation.registrations.registration import Registration
from cityloom.ld.context import LdContext
from cityloom.model.entity import Attribute, Entity
from cityloom.model.errors import CityloomError, Conflict, ResourceNotFound, SourceFailed

_NO_NAMES: frozenset[str] = frozenset()


class Request(NamedTuple):
    """One request to a source, in its terms."""

    method: Method
    path: str
    params: Mapping[str, str] = MappingProxyType({})
    body: Any = None


Write = Callable[[Share, LdContext], Request]


class Outcome(NamedTuple):
    """What came of an operation in one place: at a source, or here (no registration)."""

    registration: Registration | None
    names: frozenset[str]
    error: CityloomError | None = None
    result: UpdateResult | None = None
    created: bool = False


class FederatedProvision(Sources):
    """Writing entities, wherever they are."""

    async def create_entity(self, call: Call, entity: Entity) -> None:
        """5.6.1. Raises AlreadyExists, Conflict, PartlyDone."""
        dealt = self._dealt(call, ("createEntity",), entity.id, entity.types, frozenset(entity.attributes))

        def request(share: Share, ld_context: LdContext) -> Request:
            body = entity_document(narrowed(entity, share.names), ld_context, share.registration)
            return Request("POST", "/entities", body=body)

        async def here(left: frozenset[str]) -> None:
            await super(FederatedProvision, self).create_entity(call, narrowed(entity, left))

        await self._write_entity(call, entity.id, dealt, request, here, creates=True)

    async def merge_entity(
        self,
        call: Call,
        entity_id: str,
        fragment: Entity,
        observed_at: str | None = None,
        lang: str | None = None,
        keep_kinds: bool = False,
    ) -> UpdateResult:
        """5.6.17. Raises ResourceNotFound, Conflict, PartlyDone."""
        dealt = self._dealt_fragment(call, ("mergeEntity",), entity_id, fragment)
        given = {"observedAt": observed_at, "lang": lang}

        def request(share: Share, ld_context: LdContext) -> Request:
            params = {name: value for name, value in given.items() if value is not None}
            body = entity_document(narrowed(fragment, share.names), ld_context, share.registration)
            return Request("PATCH", f"/entities/{segment(entity_id)}", params, body)

        result: list[UpdateResult] = []

        async def here(left: frozenset[str]) -> None:
            part = narrowed(fragment, left)
            merge = super(FederatedProvision, self).merge_entity
            result.append(await merge(call, entity_id, part, observed_at, lang, keep_kinds))

        await self._write_entity(call, entity_id, dealt, request, here)
        return result[0] if result else UpdateResult(updated=sorted(fragment.attributes))

    async def replace_entity(self, call: Call, entity_id: str, entity: Entity) -> None:
        """5.6.18. Raises ResourceNotFound, Conflict, PartlyDone."""
        dealt = self._dealt_fragment(call, ("replaceEntity",), entity_id, entity)

        def request(share: Share, ld_context: LdContext) -> Request:
            body = entity_document(narrowed(entity, share.names), ld_context, share.registration)
            return Request("PUT", f"/entities/{segment(entity_id)}", body=body)

        async def here(left: frozenset[str]) -> None:
            await super(FederatedProvision, self).replace_entity(call, entity_id, narrowed(entity, left))

        await self._write_entity(call, entity_id, dealt, request, here)

    async def delete_entity(self, call: Call, entity_id: str) -> None:
        """5.6.6. Raises ResourceNotFound, Conflict, PartlyDone."""
        dealt = self._dealt_fragment(call, ("deleteEntity",), entity_id, Entity())

        def request(share: Share, ld_context: LdContext) -> Request:
            return Request("DELETE", f"/entities/{segment(entity_id)}")

        async def here(left: frozenset[str]) -> None:
            await super(FederatedProvision, self).delete_entity(call, entity_id)

        # What a proxied source does not have may lie here all the same: deleted "if it exists" (5.6.6.4).
        stays = not dealt.shares or self._held(call, entity_id) is not None
        await self._write_entity(call, entity_id, dealt._replace(here=stays), request, here)

    async def update_attributes(self, call: Call, entity_id: str, fragment: Entity) -> UpdateResult:
        """5.6.2. Raises ResourceNotFound, Conflict."""
        dealt = self._dealt_fragment(call, ("updateEntity",), entity_id, fragment)

        def request(share: Share, ld_context: LdContext) -> Request:
            body = entity_document(narrowed(fragment, share.names), ld_context, share.registration)
            return Request("PATCH", f"/entities/{segment(entity_id)}/attrs", body=body)

        async def here(left: frozenset[str]) -> UpdateResult:
            part = narrowed(fragment, left)
            return await super(FederatedProvision, self).update_attributes(call, entity_id, part)

        return await self._write_attributes(call, entity_id, dealt, request, here)

    async def append_attributes(
        self, call: Call, entity_id: str, fragment: Entity, overwrite: bool = True
    ) -> UpdateResult:
        """5.6.3. Raises ResourceNotFound, Conflict."""
        dealt = self._dealt_fragment(call, ("appendAttrs",), entity_id, fragment)

        def request(share: Share, ld_context: LdContext) -> Request:
            body = entity_document(narrowed(fragment, share.names), ld_context, share.registration)
            params = {} if overwrite else {"options": "noOverwrite"}
            return Request("POST", f"/entities/{segment(entity_id)}/attrs", params, body)

        async def here(left: frozenset[str]) -> UpdateResult:
            part = narrowed(fragment, left)
            append = super(FederatedProvision, self).append_attributes
            return await append(call, entity_id, part, overwrite)

        return await self._write_attributes(call, entity_id, dealt, request, here)

    async def update_attribute(self, call: Call, entity_id: str, name: str, fragment: Attribute) -> None:
        """5.6.4. Raises ResourceNotFound, Conflict, PartlyDone."""

        def request(share: Share, ld_context: LdContext) -> Request:
            body = attribute_document(name, fragment, ld_context, share.registration)
            return Request("PATCH", _attribute_path(entity_id, name, ld_context), body=body)

        async def here(left: frozenset[str]) -> None:
            await super(FederatedProvision, self).update_attribute(call, entity_id, name, fragment)

        await self._write_attribute(call, ("updateAttrs",), entity_id, name, request, here)

    async def replace_attribute(self, call: Call, entity_id: str, name: str, attribute: Attribute) -> None:
        """5.6.19. Raises ResourceNotFound, Conflict, PartlyDone."""

        def request(share: Share, ld_context: LdContext) -> Request:
            body = attribute_document(name, attribute, ld_context, share.registration)
            return Request("PUT", _attribute_path(entity_id, name, ld_context), body=body)

        async def here(left: frozenset[str]) -> None:
            await super(FederatedProvision, self).replace_attribute(call, entity_id, name, attribute)

        await self._write_attribute(call, ("replaceAttrs",), entity_id, name, request, here)

    async def delete_attribute(
        self, call: Call, entity_id: str, name: str, dataset_id: str = "", delete_all: bool = False
    ) -> None:
        """5.6.5. Raises ResourceNotFound, Conflict, PartlyDone."""
        params = {"deleteAll": "true"} if delete_all else {"datasetId": dataset_id} if dataset_id else {}

        def request(share: Share, ld_context: LdContext) -> Request:
            return Request("DELETE", _attribute_path(entity_id, name, ld_context), params)

        async def here(left: frozenset[str]) -> None:
            delete = super(FederatedProvision, self).delete_attribute
            await delete(call, entity_id, name, dataset_id, delete_all)

        await self._write_attribute(call, ("deleteAttrs",), entity_id, name, request, here)

    # -- within ------------------------------------------------------------

    def _dealt(
        self,
        call: Call,
        operations: Sequence[str],
        entity_id: str,
        types: Sequence[str],
        names: frozenset[str],
    ) -> Shares:
        registered = self.registered(call)
        if not registered:
            return Shares([], names, True)
        # Before anything goes out: what may not be written here may not be written through here.
        self._may(call, "write", entity_id)
        return shares(registered, operations, entity_id, types, names)

    def _dealt_fragment(
        self, call: Call, operations: Sequence[str], entity_id: str, fragment: Entity
    ) -> Shares:
        names = frozenset(fragment.attributes)
        if not self.registered(call):
            return Shares([], names, True)
        types = [*fragment.types, *_known_types(call, self._held(call, entity_id))]
        return self._dealt(call, operations, entity_id, types, names)

    def _add(self, call: Call, entity_id: str, outcomes: list[Outcome], own: Outcome) -> None:
        """Adds what came of this node's part, unless the entity is not here and all of it was done elsewhere.

        Not to be here is an error where no registration matches (5.6.2.4 to 5.6.4.4, 5.6.17.4 to 5.6.19.4).
        """
        if isinstance(own.error, ResourceNotFound) and self._held(call, entity_id) is None:
            well = [outcome for outcome in outcomes if outcome.error is None]
            done: set[str] = set()
            for outcome in well:
                done |= outcome.names - (outcome.result.not_updated.keys() if outcome.result else set())
            if well and own.names <= done:
                return
        outcomes.append(own)

    def _left(self, call: Call, entity_id: str, creates: bool | None = False) -> bool:
        """Whether a write that came round is left to the request that was sent out.

        Args:
            creates: whether it makes the entity (None: or changes it); where it cannot, it says so.
        """
        if not self.comes_back(call, entity_id):
            return False
        return creates is None or (self._held(call, entity_id) is None) == creates

    def _held(self, call: Call, entity_id: str) -> Entity | None:
        """The entity as it is here. Cost: one index lookup, on the event loop."""
        with self._store.snapshot() as snapshot:
            stored = snapshot.get(call.tenant, entity_id)
        return None if stored is None else alive(stored, self._clock.now())

    async def _write_entity(
        self,
        call: Call,
        entity_id: str,
        dealt: Shares,
        request: Write,
        here: Callable[[frozenset[str]], Awaitable[None]],
        *,
        creates: bool | None = False,
    ) -> Sequence[Outcome]:
        if not dealt.shares:
            await here(dealt.left)
            return ()
        outcomes = await self._forward(call, entity_id, dealt.shares, request)
        if (not outcomes or dealt.here) and not self._left(call, entity_id, creates):
            self._add(call, entity_id, outcomes, await _tried(here, dealt.left))
        errors = [
            ItemError(entity_id, outcome.error, _id_of(outcome))
            for outcome in outcomes
            if outcome.error is not None
        ]
        if not errors:
            return outcomes
        _raise_single(outcomes)
        done = [entity_id] if len(errors) < len(outcomes) else []
        raise PartlyDone(BatchResult(updated=done, errors=errors))

    async def _write_attributes(
        self,
        call: Call,
        entity_id: str,
        dealt: Shares,
        request: Write,
        here: Callable[[frozenset[str]], Awaitable[UpdateResult]],
    ) -> UpdateResult:
        if not dealt.shares:
            return await here(dealt.left)
        outcomes = await self._forward(call, entity_id, dealt.shares, request)
        if self._left(call, entity_id):
            outcomes.append(Outcome(None, dealt.left))
        elif not outcomes or dealt.here:
            self._add(call, entity_id, outcomes, await _tried_update(here, dealt.left))
        _raise_single(outcomes)
        return _told(outcomes)

    async def _write_attribute(
        self,
        call: Call,
        operations: Sequence[str],
        entity_id: str,
        name: str,
        request: Write,
        here: Callable[[frozenset[str]], Awaitable[None]],
    ) -> None:
        names = frozenset({name})
        registered = self.registered(call)
        if not registered:
            await here(names)
            return
        held = self._held(call, entity_id)
        dealt = self._dealt(call, operations, entity_id, _known_types(call, held), names)
        if not dealt.shares:
            await here(names)
            return
        outcomes = await self._forward(call, entity_id, dealt.shares, request)
        stays = not outcomes or (dealt.here and (held is not None or operations != ("deleteAttrs",)))
        if stays and not self._left(call, entity_id):
            self._add(call, entity_id, outcomes, await _tried(here, names))
        _raise_single(outcomes)
        result = _told(outcomes)
        if result.not_updated:
            raise PartlyDone(result)

    async def _forward(
        self, call: Call, entity_id: str, dealt: Sequence[Share], request: Write
    ) -> list[Outcome]:
        with self.writing(call, (entity_id,)):
            found = await asyncio.gather(*(self._forward_one(call, share, request) for share in dealt))
        return [outcome for outcome in found if outcome is not None]

    async def _forward_one(self, call: Call, share: Share, request: Write) -> Outcome | None:
        """What came of one share; None where an inclusive source is none for this (5.6, 6.3.18)."""
        registration = share.registration
        if not share.supported:
            if not registration.proxied:
                return None
            detail = f"the source of registration {registration.id} does not support this operation"
            return Outcome(registration, share.names, Conflict(detail))
        if self.forwarder.loops(call, registration) and not registration.proxied:
            return None
        try:
            ld_context = await self.forwarder.language(call, registration)
            method, path, params, body = request(share, ld_context)
            answer = await self.forwarder.ask(
                call, registration, method, path, ld_context, params=params, body=body
            )
        except CityloomError as error:
            return Outcome(registration, share.names, error)
        return outcome_of(share, answer, ld_context)


def _known_types(call: Call, held: Entity | None) -> list[str]:
    """What is known of an entity's types: here, and by a request that told one of them."""
    told = call.forwarding.types if call.forwarding is not None else ()
    return [*(held.types if held is not None else ()), *told]


def outcome_of(share: Share, answer: Answer, ld_context: LdContext) -> Outcome:
    """What a source's answer to a write means."""
    registration, names = share.registration, share.names
    if answer.status == 404:
        detail = f"the source of registration {registration.id} does not have it"
        return Outcome(registration, names, ResourceNotFound(detail))
    if answer.status != 207:
        return Outcome(registration, names, created=answer.status == 201)
    document = answer.document if isinstance(answer.document, dict) else {}
    detail = f"the source of registration {registration.id} did a part of it"
    told = document.get("notUpdated")
    if isinstance(told, list) and all(isinstance(one, dict) for one in told):
        not_updated = {
            ld_context.expand_term(str(one.get("attributeName", ""))): str(one.get("reason", detail))
            for one in told
        }
        updated = sorted(names - not_updated.keys())
        return Outcome(registration, names, None, UpdateResult(updated=updated, not_updated=not_updated))
    return Outcome(registration, names, SourceFailed(detail, status=207))


def _raise_single(outcomes: Sequence[Outcome]) -> None:
    """Where there was one place alone, its error is the answer (6.3.17)."""
    if len(outcomes) == 1 and outcomes[0].error is not None:
        error = outcomes[0].error
        if isinstance(error, SourceFailed) and error.extra.get("status") != 207:
            raise SourceFailed(error.detail)
        if not isinstance(error, SourceFailed):
            raise error


def _told(outcomes: Sequence[Outcome]) -> UpdateResult:
    """The outcomes at several places as one (5.2.18)."""
    updated: dict[str, None] = {}
    not_updated: dict[str, str] = {}
    registrations: dict[str, str] = {}
    for outcome in outcomes:
        failed: dict[str, str] = {}
        if outcome.error is not None:
            failed = dict.fromkeys(sorted(outcome.names), outcome.error.detail)
        elif outcome.result is not None:
            failed = outcome.result.not_updated
            updated |= dict.fromkeys(outcome.result.updated)
        else:
            updated |= dict.fromkeys(sorted(outcome.names))
        not_updated |= failed
        if outcome.registration is not None:
            registrations |= dict.fromkeys(failed, outcome.registration.id)
    return UpdateResult(updated=list(updated), not_updated=not_updated, registrations=registrations)


def _id_of(outcome: Outcome) -> str:
    return outcome.registration.id if outcome.registration is not None else ""


async def _tried(here: Callable[[frozenset[str]], Awaitable[None]], left: frozenset[str]) -> Outcome:
    try:
        await here(left)
    except CityloomError as error:
        return Outcome(None, left, error)
    return Outcome(None, left)


async def _tried_update(
    here: Callable[[frozenset[str]], Awaitable[UpdateResult]], left: frozenset[str]
) -> Outcome:
    try:
        return Outcome(None, left, None, await here(left))
    except CityloomError as error:
        return Outcome(None, left, error)


def _attribute_path(entity_id: str, name: str, ld_context: LdContext) -> str:
    return f"/entities/{segment(entity_id)}/attrs/{segment(ld_context.compact_key(name))}"

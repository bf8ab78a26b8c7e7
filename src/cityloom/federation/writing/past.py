"""Writing temporal evolutions that lie here and at registered sources.

What a proxied source has is written there and nowhere else, what an inclusive one has is
written there as well, as with entities; a source takes part when it names the operation
among those that it supports (no group holds them).

Source: ETSI GS CIM 009 clauses 4.3.6, 4.20, 5.6.11 to 5.6.16, 6.18 to 6.22.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from msgspec.structs import replace

from cityloom.broker.ports import Call
from cityloom.federation.asking.documents import attribute_document, version_of
from cityloom.federation.asking.forward import segment
from cityloom.federation.asking.shares import Share, Shares, shares
from cityloom.federation.writing.provision import FederatedProvision, Request, Write
from cityloom.ld.compact import Form, compact_attribute, compact_entity
from cityloom.ld.conformance import amended_instance
from cityloom.ld.context import LdContext
from cityloom.model.entity import Attribute, Entity
from cityloom.model.history import HistoryAppend, Instance

_INSTANCES = Form(instance_ids=True)
_PATH = "/temporal/entities"


class FederatedPast(FederatedProvision):
    """Writing temporal evolutions, wherever they are."""

    async def upsert_history(self, call: Call, append: HistoryAppend) -> bool:
        """5.6.11. Raises Conflict, PartlyDone."""
        names = frozenset(instance.name for instance in append.instances)
        dealt = self._dealt_past(call, "upsertTemporal", append.entity_id, append.types, names)
        made = False

        def request(share: Share, ld_context: LdContext) -> Request:
            entity = Entity(id=append.entity_id, types=append.types, scopes=append.scopes)
            body = compact_entity(entity, ld_context) | _written(append.instances, share, ld_context)
            return Request("POST", _PATH, body=body)

        async def here(left: frozenset[str]) -> None:
            nonlocal made
            part = replace(append, instances=_of(append.instances, left))
            made = await super(FederatedPast, self).upsert_history(call, part)

        outcomes = await self._write_entity(call, append.entity_id, dealt, request, here, creates=None)
        return made or any(outcome.created for outcome in outcomes)

    async def append_attributes_history(self, call: Call, entity_id: str, instances: list[Instance]) -> None:
        """5.6.12. Raises ResourceNotFound, Conflict, PartlyDone."""
        names = frozenset(instance.name for instance in instances)

        def request(share: Share, ld_context: LdContext) -> Request:
            body = _written(instances, share, ld_context)
            return Request("POST", f"{_PATH}/{segment(entity_id)}/attrs", body=body)

        async def here(left: frozenset[str]) -> None:
            append = super(FederatedPast, self).append_attributes_history
            await append(call, entity_id, _of(instances, left))

        await self._write_past(call, "appendAttrsTemporal", entity_id, names, request, here)

    async def update_instance(
        self, call: Call, entity_id: str, name: str, instance_id: str, fragment: Attribute
    ) -> None:
        """5.6.14. Raises ResourceNotFound, Conflict, PartlyDone."""

        def request(share: Share, ld_context: LdContext) -> Request:
            body = attribute_document(name, fragment, ld_context, share.registration)
            return Request("PATCH", _place(entity_id, name, instance_id, ld_context), body=body)

        async def here(left: frozenset[str]) -> None:
            update = super(FederatedPast, self).update_instance
            await update(call, entity_id, name, instance_id, fragment)

        names = frozenset({name})
        await self._write_past(call, "updateAttrInstanceTemporal", entity_id, names, request, here)

    async def delete_history(
        self,
        call: Call,
        entity_id: str,
        *,
        name: str | None = None,
        dataset_id: str | None = None,
        instance_id: str | None = None,
    ) -> None:
        """5.6.13, 5.6.15, 5.6.16. Raises ResourceNotFound, Conflict, PartlyDone."""
        params: dict[str, str] = {}
        if name is None:
            operation = "deleteTemporal"
        elif instance_id is not None:
            operation = "deleteAttrInstanceTemporal"
        else:
            operation = "deleteAttrsTemporal"
            if dataset_id is None:
                params = {"deleteAll": "true"}
            elif dataset_id:
                params = {"datasetId": dataset_id}

        def request(share: Share, ld_context: LdContext) -> Request:
            if name is None:
                return Request("DELETE", f"{_PATH}/{segment(entity_id)}")
            return Request("DELETE", _place(entity_id, name, instance_id, ld_context), params)

        async def here(left: frozenset[str]) -> None:
            delete = super(FederatedPast, self).delete_history
            await delete(call, entity_id, name=name, dataset_id=dataset_id, instance_id=instance_id)

        names = frozenset(() if name is None else (name,))
        await self._write_past(call, operation, entity_id, names, request, here)

    # -- within ------------------------------------------------------------

    async def _write_past(
        self,
        call: Call,
        operation: str,
        entity_id: str,
        names: frozenset[str],
        request: Write,
        here: Callable[[frozenset[str]], Awaitable[None]],
    ) -> None:
        """One write to an evolution that must be known: here "if it exists", and at its sources."""
        if not self.registered(call):
            await here(names)
            return
        with self._store.snapshot() as snapshot:
            held = snapshot.history_entity(call.tenant, entity_id)
        dealt = self._dealt_past(call, operation, entity_id, held.types if held is not None else (), names)
        stays = not dealt.shares or (dealt.here and held is not None)
        await self._write_entity(call, entity_id, dealt._replace(here=stays), request, here, creates=None)

    def _dealt_past(
        self, call: Call, operation: str, entity_id: str, types: Sequence[str], names: frozenset[str]
    ) -> Shares:
        registered = self.registered(call)
        if not registered:
            return Shares([], names, True)
        self._may(call, "write", entity_id)
        return shares(registered, (operation,), entity_id, types, names, past=True)


def _of(instances: Sequence[Instance], names: frozenset[str]) -> list[Instance]:
    return [instance for instance in instances if instance.name in names]


def _written(instances: Sequence[Instance], share: Share, ld_context: LdContext) -> dict[str, object]:
    """The temporal representation of a share's instances (4.5.6), in the words of the source's version."""
    version = version_of(share.registration)
    by_name: dict[str, list[Attribute]] = {}
    for instance in _of(instances, share.names):
        attribute = instance.attribute
        if version is not None:
            attribute = amended_instance(attribute, version, ld_context)
        by_name.setdefault(instance.name, []).append(attribute)
    return {
        ld_context.compact_key(name): compact_attribute(name, found, ld_context, _INSTANCES)
        for name, found in by_name.items()
    }


def _place(entity_id: str, name: str, instance_id: str | None, ld_context: LdContext) -> str:
    path = f"{_PATH}/{segment(entity_id)}/attrs/{segment(ld_context.compact_key(name))}"
    return path if instance_id is None else f"{path}/{segment(instance_id)}"

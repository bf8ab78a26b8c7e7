"""Which types and attributes there are, here and at registered sources.

Source: ETSI GS CIM 009 clauses 5.7.5 to 5.7.11. Sources are asked; of what they do not count,
the number is told as it is known here (5.7.11 allows estimates).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from cityloom.broker.ports import Call
from cityloom.federation.asking.forward import segment
from cityloom.federation.asking.warnings import Warned
from cityloom.federation.registrations.operations import supported
from cityloom.federation.registrations.registration import Registration
from cityloom.ld.context import LdContext
from cityloom.model.errors import CityloomError, SourceFailed
from cityloom.store.entity_ports import AttributeUse, TypeCount


class FederatedDiscovery(Warned):
    """Types and attributes, wherever they are in use."""

    async def entity_types(self, call: Call) -> list[TypeCount]:
        """5.7.5. A source that fails costs its own part, told as a warning."""
        here = await super().entity_types(call)
        counts = {found.type: found.count for found in here}
        for found in await self._discovered(call, "retrieveEntityTypes", self._types_of):
            counts.setdefault(found.type, 0)
        return [TypeCount(type, count) for type, count in sorted(counts.items())]

    async def attribute_uses(self, call: Call, type: str | None = None) -> list[AttributeUse]:
        """5.7.6 to 5.7.10. A source that fails costs its own part, told as a warning."""
        here = await super().attribute_uses(call, type)
        uses = {(use.type, use.name): use for use in here}

        async def of_type(call: Call, registration: Registration) -> Iterable[AttributeUse]:
            return await self._uses_of(call, registration, type or "")

        operation = "retrieveEntityTypeDetails" if type is None else "retrieveEntityTypeInfo"
        ask = self._types_of if type is None else of_type
        for found in await self._discovered(call, operation, ask):
            if found.name:
                known = uses.get((found.type, found.name))
                kinds = sorted({*found.kinds, *(known.kinds if known is not None else ())})
                count = known.count if known is not None else 0
                uses[found.type, found.name] = AttributeUse(found.type, found.name, count, kinds)
        return [uses[key] for key in sorted(uses)]

    async def _discovered(
        self,
        call: Call,
        operation: str,
        ask: Callable[[Call, Registration], Awaitable[Iterable[AttributeUse]]],
    ) -> list[AttributeUse]:
        """What the sources that support an operation tell; a use without a name tells a type alone."""

        async def one(registration: Registration) -> list[AttributeUse]:
            try:
                return [use for use in await ask(call, registration) if _is_registered(registration, use)]
            except CityloomError as error:
                self.warn(call, registration, error)
                return []

        asked = [
            registration
            for registration in self.registered(call)
            if not registration.temporal and operation in supported(registration.operations)
        ]
        return [use for found in await asyncio.gather(*map(one, asked)) for use in found]

    async def _types_of(self, call: Call, registration: Registration) -> Iterable[AttributeUse]:
        ld_context = await self.forwarder.language(call, registration)
        details = "retrieveEntityTypeDetails" in supported(registration.operations)
        params = {"details": "true"} if details else {}
        answer = await self.forwarder.ask(call, registration, "GET", "/types", ld_context, params=params)
        if answer.status == 404:
            return []
        if details and isinstance(answer.document, list):
            return [use for told in answer.document for use in _detailed(registration, told, ld_context)]
        names = answer.document.get("typeList") if isinstance(answer.document, dict) else None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise _unreadable(registration)
        return [AttributeUse(ld_context.expand_term(name), "", 0) for name in names]

    async def _uses_of(self, call: Call, registration: Registration, type: str) -> Iterable[AttributeUse]:
        ld_context = await self.forwarder.language(call, registration)
        path = f"/types/{segment(ld_context.compact_iri(type))}"
        answer = await self.forwarder.ask(call, registration, "GET", path, ld_context)
        if answer.status == 404:
            return []
        details = answer.document.get("attributeDetails") if isinstance(answer.document, dict) else None
        if not isinstance(details, list):
            raise _unreadable(registration)
        uses = []
        for told in details:
            name = told.get("attributeName", told.get("id")) if isinstance(told, dict) else None
            kinds = told.get("attributeTypes", []) if isinstance(told, dict) else None
            if not isinstance(name, str) or not isinstance(kinds, list):
                raise _unreadable(registration)
            known = [kind for kind in kinds if isinstance(kind, str)]
            uses.append(AttributeUse(type, ld_context.expand_term(name), 0, known))
        return uses


def _detailed(registration: Registration, told: Any, ld_context: LdContext) -> Iterable[AttributeUse]:
    name = told.get("typeName", told.get("id")) if isinstance(told, dict) else None
    attributes = told.get("attributeNames", []) if isinstance(told, dict) else None
    if not isinstance(name, str) or not isinstance(attributes, list):
        raise _unreadable(registration)
    type = ld_context.expand_term(name)
    yield AttributeUse(type, "", 0)
    for attribute in attributes:
        if isinstance(attribute, str):
            yield AttributeUse(type, ld_context.expand_term(attribute), 0)


def _is_registered(registration: Registration, use: AttributeUse) -> bool:
    """Whether a source registered entities of a type (and the attribute): else it is passed over."""
    return any(
        (part.entities is None or any(use.type in info.types for info in part.entities))
        and (not use.name or not part.attributes or use.name in part.attributes)
        for part in registration.information
    )


def _unreadable(registration: Registration) -> SourceFailed:
    return SourceFailed(
        f"the source of registration {registration.id} answered no list of types", unreadable=True
    )

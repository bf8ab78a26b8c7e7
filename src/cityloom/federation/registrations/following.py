"""What those who follow registrations need to know of them.

Source: ETSI GS CIM 009 clauses 5.11.2.4, 5.12.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from cityloom.federation.registrations.matching import registration_match
from cityloom.federation.registrations.read import write_registration
from cityloom.federation.registrations.registration import REGISTRATION, Counters, Registration
from cityloom.federation.registrations.registry import Registry, alive
from cityloom.ld.context import LdContext
from cityloom.model.clock import Clock
from cityloom.query.sources import SourceQuery


class RegistrationsFollowed:
    """Registrations as plain JSON values: what a subscriber to them is told.

    `kind` is that of the documents that they are kept as.
    """

    kind = REGISTRATION

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock

    def finder(self, query: SourceQuery) -> Callable[[Any], Any | None]:
        """What gives a registration with what is to the point of it; None when nothing is."""
        match = registration_match(query)

        def find(body: Any) -> Any | None:
            registration = msgspec.convert(body, Registration)
            found = match(registration) if alive(registration, self._clock.now()) else None
            return None if found is None else msgspec.to_builtins(found)

        return find

    def written(self, registration: Any, ld_context: LdContext, *, sys_attrs: bool) -> dict[str, Any]:
        """The document of a registration, in the terms of an @context."""
        read = msgspec.convert(registration, Registration)
        return write_registration(read, Counters(), ld_context, sys_attrs=sys_attrs)

    def follow(self, tenant: str, id: str, seq: int, registration: Any | None) -> None:
        """Hears that an event made this of a registration; None: it is gone."""
        read = None if registration is None else msgspec.convert(registration, Registration)
        self._registry.put(tenant, id, seq, read)

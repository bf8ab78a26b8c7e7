"""The entity maps of their own that sources use for a request, and how they are told of them.

Source: ETSI GS CIM 009 clauses 5.2.39 (linkedMaps), 5.5.14, 5.7.1.4 to 5.7.4.4, 6.4.3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cityloom.broker.ports import Call
from cityloom.federation.asking.forward import Answer, Forwarder
from cityloom.federation.registrations.operations import supported
from cityloom.federation.registrations.registration import Registration
from cityloom.ld.context import LdContext

_KEEPS: Final = frozenset({"retrieveEntityMap", "createEntityMapQueryEntity", "createEntityMapQueryTemporal"})
"""A source that has one of these operations has maps."""
NOT_KNOWN: Final = frozenset({400, 405, 501})
"""What a source answers that has no entity maps, although it says so: it is then asked without."""


class LinkedMaps:
    """Which map a source uses, by registration; what the sources answer is taken in.

    Args:
        locations: those that are known.
        wanted: whether a source whose map is not known is asked to use one, and to tell it.
    """

    def __init__(self, locations: Mapping[str, str] | None = None, *, wanted: bool = False) -> None:
        self.locations = dict(locations or {})
        self._wanted = wanted

    async def get(
        self,
        forwarder: Forwarder,
        call: Call,
        registration: Registration,
        path: str,
        ld_context: LdContext,
        params: Mapping[str, str],
    ) -> Answer:
        """As `Forwarder.ask` by GET, with the map that the source is to use.

        Raises:
            LoopDetected, SourceTimedOut, SourceFailed.
        """
        known = self.locations.get(registration.id, "")
        asks = self._wanted and not known and not _KEEPS.isdisjoint(supported(registration.operations))
        answer = await forwarder.ask(
            call,
            registration,
            "GET",
            path,
            ld_context,
            params={**params, "entityMap": "true"} if asks else params,
            entity_map=known,
            declined=NOT_KNOWN if asks else frozenset(),
        )
        if asks and answer.status in NOT_KNOWN:
            answer = await forwarder.ask(call, registration, "GET", path, ld_context, params=params)
        if answer.entity_map:
            self.locations[registration.id] = answer.entity_map
        return answer

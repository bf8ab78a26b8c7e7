"""Telling the caller that a source could not do its part.

Source: ETSI GS CIM 009 clause 6.3.17 (Table 6.3.17-1).
"""

from __future__ import annotations

from typing import Final

from cityloom.broker.ports import Call
from cityloom.federation.asking.sources import Sources
from cityloom.federation.registrations.registration import Registration
from cityloom.model.errors import CityloomError, LoopDetected, SourceTimedOut

_LONGEST: Final = 300


class Warned(Sources):
    """Base of what reads from sources: their failures are warnings."""

    def warn(self, call: Call, registration: Registration, error: CityloomError) -> None:
        """Adds a warning to what the caller is told."""
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
        call.forwarding.warnings.append(f'{code} {self.forwarder.alias(call.tenant)} "{text[:_LONGEST]}"')

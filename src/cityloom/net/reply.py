"""What a call ends with: a reply, or an address that is not called."""

from __future__ import annotations

from msgspec import Struct


class Reply(Struct, frozen=True, kw_only=True):
    """What the other side answered; header names are in lower case, `url` is where it came from at last."""

    status: int
    headers: dict[str, str]
    body: bytes
    url: str


class AddressRefused(OSError):
    """Raised where the socket is made; aiohttp carries an OSError out to the caller."""

"""From which address a request comes, where proxies stand between.

Source: X-Forwarded-For, as proxies write it (each adds the address that it was asked from at the end);
RFC 4291 2.5.5 (IPv4 addresses as IPv6), 2.5.4 (a network of /64 is one connection's).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from cityloom.web.headers import Headers

FORWARDED_FOR: Final = "x-forwarded-for"
Network = IPv4Network | IPv6Network
_ONE_CONNECTION: Final = 64


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and networks as networks. Raises ValueError."""
    return tuple(ip_network(text) for text in texts)


def source_of(peer: str, headers: Headers, trusted: Sequence[Network]) -> str:
    """Who asks: an IPv4 address, or the /64 of an IPv6 one; "" where a trusted proxy does not say.

    Args:
        peer: where the connection comes from.
        trusted: the proxies that are believed.

    The nearest address that is no trusted proxy's: what stands before it the caller may have invented.
    """
    found = _address(peer)
    hops = _hops(headers)
    while found is not None and _is_trusted(found, trusted):
        found = _address(next(hops, ""))
    if found is None:
        return ""
    if isinstance(found, IPv4Address):
        return str(found)
    return str(IPv6Network((int(found), _ONE_CONNECTION), strict=False))


def trusts(peer: str, trusted: Sequence[Network]) -> bool:
    """Whether a connection comes from a proxy that is believed."""
    address = _address(peer)
    return address is not None and _is_trusted(address, trusted)


def _is_trusted(address: IPv4Address | IPv6Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)


def _hops(headers: Headers) -> Iterator[str]:
    """The addresses that proxies wrote down, the nearest first."""
    for line in reversed(headers.getlist(FORWARDED_FOR)):
        yield from reversed(line.split(","))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address, which some write with a port or in brackets; None where it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found

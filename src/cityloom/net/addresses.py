"""Which network addresses an outgoing call may reach.

Pure functions on addresses, so that the rule can be tested without a network.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Literal

Address = IPv4Address | IPv6Address
Reach = Literal["public", "private", "loopback", "never"]

_METADATA: Final = frozenset(
    ip_address(text)
    for text in (
        "100.100.100.200",  # Alibaba Cloud; it stands in the shared range, which the settings may open
        "168.63.129.16",  # Azure: a public address that answers only inside
        "192.0.0.192",  # Oracle Cloud
        "fd00:ec2::254",  # AWS over IPv6; a unique local address, which the settings may open
        "fd20:ce::254",  # Google Cloud over IPv6
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
_THIS_NETWORK: Final = IPv4Network("0.0.0.0/8")


def embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, else the address itself.

    An IPv4 address can be written as IPv6 in five ways (mapped, compatible,
    NAT64, 6to4, Teredo); all reach the same machine, so all are judged as it.

    Source: RFC 4291 2.5.5, RFC 6052, RFC 3056, RFC 4380.
    """
    if not isinstance(address, IPv6Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    number = int(address)
    if address in _NAT64 or 1 < number < 1 << 32:
        return IPv4Address(number & 0xFFFFFFFF)
    return address


def reach(address: Address) -> Reach:
    """How far away an address is, for deciding whether it may be called.

    Returns:
        `never` for link-local, cloud metadata, multicast, unspecified and
        reserved addresses: no setting opens them.
    """
    address = embedded(address)
    if address.is_loopback:
        return "loopback"
    if (
        address in _METADATA
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or (isinstance(address, IPv4Address) and (address.is_reserved or address in _THIS_NETWORK))
        or (isinstance(address, IPv6Address) and address.is_site_local)
    ):
        return "never"
    return "public" if address.is_global else "private"

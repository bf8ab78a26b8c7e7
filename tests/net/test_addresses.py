"""Which addresses may be called, whatever their spelling."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityloom.net.addresses import reach


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8.8.8.8", "public"),
        ("2001:4860:4860::8888", "public"),
        ("127.0.0.1", "loopback"),
        ("127.255.0.3", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("2002:7f00:1::", "loopback"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("fc00::1", "private"),
        ("::ffff:10.0.0.1", "private"),
        ("169.254.169.254", "never"),
        ("169.254.0.1", "never"),
        ("::ffff:169.254.169.254", "never"),
        ("::a9fe:a9fe", "never"),
        ("64:ff9b::a9fe:a9fe", "never"),
        ("2002:a9fe:a9fe::1", "never"),
        ("fe80::1", "never"),
        ("fec0::1", "never"),
        ("fd00:ec2::254", "never"),
        ("100.100.100.200", "never"),
        ("168.63.129.16", "never"),
        ("0.0.0.0", "never"),
        ("0.1.2.3", "never"),
        ("::", "never"),
        ("224.0.0.1", "never"),
        ("240.0.0.1", "never"),
        ("255.255.255.255", "never"),
        ("ff02::1", "never"),
    ],
)
def test_reach_is_as_expected(text: str, expected: str) -> None:
    assert reach(ip_address(text)) == expected


@given(st.integers(0, 2**32 - 1))
def test_reach_is_the_same_for_every_spelling_of_an_ipv4_address(number: int) -> None:
    plain = reach(IPv4Address(number))
    assert reach(IPv6Address(0xFFFF << 32 | number)) == plain
    assert reach(IPv6Address(int(IPv6Address("64:ff9b::")) | number)) == plain
    assert reach(IPv6Address(0x2002 << 112 | number << 80)) == plain

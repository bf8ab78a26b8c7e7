"""Reports without a key: so many of one address, so many in all, and nobody else waits for it."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from structlog.testing import capture_logs

from cityloom.model.clock import SimulatedClock
from cityloom.model.settings import Settings, read_settings
from cityloom.model.time import parse_datetime
from cityloom.web.headers import Headers
from cityloom.web.keyless import Rate
from cityloom.web.source import source_of
from tests.web.node import Answer, Client, open_services, running

NOON = parse_datetime("2026-07-06T12:00:00Z")
SECOND = 1_000_000
PUBLIC: dict[str, Any] = {"public_report": True, "require_key": True, "reports_at_once": 2}


class Anyone:
    """Reports without a key, from an address that a proxy on this machine tells."""

    def __init__(self, node: Client, clock: SimulatedClock) -> None:
        self.node = node
        self.clock = clock

    async def report(self, address: str, key: str = "", **given: Any) -> Answer:
        headers = {"X-Forwarded-For": address} | ({"x-api-key": key} if key else {})
        return await self.node.post("/cases", {"type": "street-light", **given}, headers=headers)

    async def form(self, address: str, kind: str = "json") -> Answer:
        form = urlencode({"service_code": "street-light", "lat": "42.36", "long": "-71.06"}).encode()
        headers = {"X-Forwarded-For": address, "Content-Type": "application/x-www-form-urlencoded"}
        return await self.node.post(f"/open311/v2/requests.{kind}", raw=form, headers=headers)

    async def photo(self, address: str, case: str, data: bytes) -> Answer:
        headers = {"X-Forwarded-For": address, "Content-Type": "image/png"}
        return await self.node.post(f"/cases/{case}/evidence", raw=data, headers=headers)

    async def cases(self) -> int:
        told = await self.node.get("/cases?status=all", headers={"x-api-key": "intake"})
        return int(told.json["total"])


@asynccontextmanager
async def city(folder: Path, **settings: Any) -> AsyncIterator[Anyone]:
    async with open_services(folder, Settings(**settings)) as services:
        clock = SimulatedClock(NOON)
        async with running(dataclasses.replace(services, clock=clock)) as node:
            yield Anyone(node, clock)


def picture(colour: int) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (8, 8), (colour, 0, 0)).save(written, "PNG")
    return written.getvalue()


async def test_one_address_reports_so_often_by_whichever_door_and_others_and_keys_do_not_wait(
    tmp_path: Path,
) -> None:
    async with city(tmp_path, **PUBLIC) as anyone:
        # What is wrong is not counted.
        for _ in range(3):
            assert (await anyone.report("203.0.113.1", type="none-such")).status == 400
        assert (await anyone.report("203.0.113.1")).status == 201
        assert (await anyone.form("203.0.113.1")).status == 201
        refused = await anyone.report("203.0.113.1")
        assert (refused.status, refused.problem) == (429, "TooManyRequests")
        assert refused.headers["Retry-After"] == "180"
        assert refused.json["retryAfter"] == 180
        assert "one address" in refused.json["detail"]
        as_json = await anyone.form("203.0.113.1")
        assert (as_json.status, as_json.headers["Retry-After"]) == (429, "180")
        [told] = as_json.json
        assert told["code"] == 429
        as_xml = await anyone.form("203.0.113.1", "xml")
        assert [each.text for each in ElementTree.fromstring(as_xml.body).iter("code")] == ["429"]
        # Who invents what stands before the proxy's word is known by that word.
        assert (await anyone.report("198.51.100.9, 203.0.113.1")).status == 429
        assert (await anyone.report("203.0.113.2")).status == 201
        assert (await anyone.report("203.0.113.1", key="app")).status == 201
        assert await anyone.cases() == 4
        anyone.clock.advance(179)
        assert (await anyone.report("203.0.113.1")).headers["Retry-After"] == "1"
        anyone.clock.advance(1)
        assert [(await anyone.report("203.0.113.1")).status for _ in range(2)] == [201, 429]


async def test_all_addresses_together_report_so_often_and_the_log_says_so_once(tmp_path: Path) -> None:
    async with city(tmp_path, **PUBLIC, reports_in_all=12) as anyone:
        for number in range(3):
            assert (await anyone.report(f"203.0.113.{number}")).status == 201
        with capture_logs() as logs:
            refused = [await anyone.report(f"198.51.100.{number}") for number in range(2)]
        assert [(each.status, each.headers["Retry-After"]) for each in refused] == [(429, "300")] * 2
        assert "all together" in refused[0].json["detail"]
        assert len([line for line in logs if line["log_level"] == "warning"]) == 1
        assert (await anyone.report("198.51.100.1", key="app")).status == 201
        anyone.clock.advance(300)
        # A refusal for the sake of all cost the address nothing.
        assert (await anyone.report("198.51.100.0")).status == 201


async def test_photos_have_a_bound_of_their_own(tmp_path: Path) -> None:
    async with city(tmp_path, **PUBLIC, photos_per_report=1) as anyone:
        case = (await anyone.report("203.0.113.1")).json["id"]
        statuses = [(await anyone.photo("203.0.113.1", case, b"no picture")).status for _ in range(3)]
        statuses += [(await anyone.photo("203.0.113.1", case, picture(one))).status for one in range(3)]
        assert statuses == [415, 415, 415, 201, 201, 429]
        assert (await anyone.photo("203.0.113.2", case, picture(4))).status == 201
        assert (await anyone.report("203.0.113.1")).status == 201


async def test_a_proxy_that_is_not_trusted_is_one_address_and_is_told_once(tmp_path: Path) -> None:
    async with city(tmp_path, **PUBLIC, trusted_proxies=[]) as anyone:
        with capture_logs() as logs:
            statuses = [(await anyone.report(f"203.0.113.{number}")).status for number in range(4)]
        assert statuses == [201, 201, 429, 429]
        assert [line["proxy"] for line in logs if line["log_level"] == "warning"] == ["127.0.0.1"]


async def test_where_a_trusted_proxy_does_not_say_who_asks_the_bound_of_all_is_left(tmp_path: Path) -> None:
    async with city(tmp_path, **PUBLIC, reports_in_all=16) as anyone:
        assert [(await anyone.report("unknown")).status for _ in range(5)] == [201] * 4 + [429]


async def test_on_an_open_node_nothing_is_bounded(tmp_path: Path) -> None:
    async with city(tmp_path, public_report=True, reports_at_once=1) as anyone:
        assert [(await anyone.report("203.0.113.1")).status for _ in range(3)] == [201] * 3


@pytest.mark.parametrize(
    ("peer", "told", "source"),
    [
        ("203.0.113.5", [], "203.0.113.5"),
        ("203.0.113.5", ["198.51.100.1"], "203.0.113.5"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, 203.0.113.5, 10.0.0.2"], "203.0.113.5"),
        ("10.0.0.1", ["198.51.100.1", "203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["203.0.113.5:4711"], "203.0.113.5"),
        ("::ffff:10.0.0.1", ["[2001:db8:1:2:3:4:5:6]:443"], "2001:db8:1:2::/64"),
        ("2001:db8:1:2:9::1", [], "2001:db8:1:2::/64"),
        ("10.0.0.1", ["unknown"], ""),
        ("10.0.0.1", ["198.51.100.1, , 10.0.0.2"], ""),
        ("10.0.0.1", ["10.0.0.2"], ""),
        ("10.0.0.1", [], ""),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_source_is_the_nearest_address_that_is_no_trusted_proxys(
    peer: str, told: list[str], source: str
) -> None:
    headers = Headers([(b"x-forwarded-for", each.encode()) for each in told])
    assert source_of(peer, headers, [ip_network("10.0.0.0/8")]) == source


def test_a_proxy_that_is_no_network_is_refused_with_its_place() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"trustedProxies\[1\] is invalid: .*host bits"):
        read_settings({"trustedProxies": ["10.0.0.0/8", "10.0.0.1/8"]})


@given(
    hourly=st.sampled_from([1, 4, 20, 60, 600]),
    at_once=st.integers(1, 8),
    gaps=st.lists(st.integers(0, 2_000), min_size=1, max_size=60),
)
def test_rate_takes_what_a_bucket_of_tokens_would(hourly: int, at_once: int, gaps: list[int]) -> None:
    rate, now = Rate(hourly, at_once), NOON
    tokens = Fraction(at_once)
    for gap in gaps:
        now += gap * SECOND
        tokens = min(Fraction(at_once), tokens + Fraction(gap * hourly, 3600))
        wait = rate.wait("one", now)
        assert (wait == 0) == (tokens >= 1)
        if wait:
            assert tokens + Fraction(wait * hourly, 3600 * SECOND) == 1
        else:
            rate.take("one", now)
            tokens -= 1


def test_rate_forgets_who_has_rested_and_a_clock_that_went_back_locks_nobody_out() -> None:
    rate = Rate(60, 1)
    for number in range(5_000):
        rate.take(str(number), NOON + number * SECOND)
    assert rate.remembered <= 1_000
    rate.take("late", NOON + 10_000 * SECOND)
    assert rate.wait("late", NOON) == 60 * SECOND

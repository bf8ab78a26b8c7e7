"""The map page and the log: an empty city fills, a node goes away and comes back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from .browser import Visit, visiting
from .node import free_port, running

pytestmark = pytest.mark.page


def bench(number: int, **attributes: Any) -> dict[str, Any]:
    place = {"type": "Point", "coordinates": [0.001 * number, 0.0]}
    return {
        "id": f"urn:ngsi-ld:Bench:{number}",
        "type": "Bench",
        "location": {"type": "GeoProperty", "value": place},
        "seats": {"type": "Property", "value": number},
        **attributes,
    }


def count_of(visit: Visit, type_name: str) -> Any:
    return visit.layer(type_name).locator(".layer-count [aria-hidden]")


async def test_empty_city_says_so_fills_as_objects_come_and_go_and_reads_no_text_as_markup(
    built_page: None, tmp_path: Path
) -> None:
    text = '<img src=x onerror="alert(1)"><b>bold</b>'
    hostile = bench(
        3,
        name={"type": "Property", "value": text},
        note={"type": "LanguageProperty", "languageMap": {"en": text, "zh": text}},
        raw={"type": "JsonProperty", "json": {"html": text}},
    )
    with running("serve", "--data", str(tmp_path), "--port", "0") as node:
        async with visiting(node.url) as visit:
            await visit.open()
            await expect(visit.page.locator(".side")).to_contain_text("no objects yet")
            await expect(visit.page.locator(".live")).to_have_attribute("data-state", "live")
            node.create(bench(1))
            await expect(count_of(visit, "Bench")).to_have_text("1")
            node.create(bench(2))
            await expect(count_of(visit, "Bench")).to_have_text("2")
            node.delete("urn:ngsi-ld:Bench:1")
            await expect(count_of(visit, "Bench")).to_have_text("1")
            node.create(hostile)
            await visit.open(f"/?id={hostile['id']}")
            await expect(visit.page.locator(".panel h2")).to_have_text(text)
            await expect(visit.attribute("note")).to_contain_text(text)
            assert await visit.page.locator(".page img, .panel b").count() == 0


async def test_object_chosen_while_the_node_was_away_opens_when_it_is_back(
    built_page: None, tmp_path: Path
) -> None:
    arguments = ("serve", "--data", str(tmp_path), "--port", str(free_port()))
    async with visiting("http://nowhere") as visit:
        panel = visit.page.locator(".panel")
        with running(*arguments) as node:
            visit.origin = node.url
            node.create(bench(1))
            await visit.open()
            await expect(visit.page.locator(".live")).to_have_attribute("data-state", "live")
        await expect(visit.page.locator(".live")).to_have_attribute("data-state", "reconnecting")
        await visit.click_object("urn:ngsi-ld:Bench:1")
        alert = visit.page.locator(".side [role=alert]")
        await expect(alert).to_contain_text("could not be loaded")
        await alert.get_by_role("button", name="Layers and list").click()
        await expect(visit.page.locator(".layer").first).to_be_visible()
        await visit.click_object("urn:ngsi-ld:Bench:1")
        await expect(alert).to_be_visible()
        with running(*arguments):
            await expect(visit.page.locator(".live")).to_have_attribute("data-state", "live")
            await expect(panel).to_be_visible()
            await expect(visit.attribute("seats")).to_contain_text("1")
            visit.complaints = [text for text in visit.complaints if "ERR_" not in text]


async def test_code_that_the_node_has_no_more_is_had_by_loading_the_page_anew(
    built_page: None, tmp_path: Path
) -> None:
    with running("serve", "--data", str(tmp_path), "--port", "0") as node:
        node.create(bench(1))
        async with visiting(node.url) as visit:
            await visit.page.route(re.compile(r".*/assets/Panel-.*\.js"), lambda route: route.abort())
            await visit.open()
            await visit.click_object("urn:ngsi-ld:Bench:1")
            again = visit.page.locator(".side [role=alert]").get_by_role("button", name="Try again")
            await expect(again).to_be_visible()
            await expect(visit.page.locator(".live")).to_have_attribute("data-state", "live")
            async with visit.page.expect_navigation():
                await again.click()
            await visit.page.unroute_all()
            # The page may have asked for its code before that, or asks now.
            await expect(visit.attribute("seats").or_(again)).to_be_visible()
            if await again.count():
                await again.click()
            await expect(visit.attribute("seats")).to_contain_text("1")
            visit.complaints = [text for text in visit.complaints if "ERR_" not in text]


async def test_changes_missed_while_the_node_was_away_arrive_when_it_is_back(
    built_page: None, tmp_path: Path
) -> None:
    # The same port: to the browser it is the same origin that was silent for a while.
    arguments = ("serve", "--data", str(tmp_path), "--port", str(free_port()))
    async with visiting("http://nowhere") as visit:
        with running(*arguments) as node:
            visit.origin = node.url
            node.create(bench(1))
            await visit.open("/?id=urn:ngsi-ld:Bench:1")
            await expect(visit.attribute("seats")).to_contain_text("1")
            await expect(visit.page.locator(".live")).to_have_attribute("data-state", "live")
        await expect(visit.page.locator(".live")).to_have_attribute("data-state", "reconnecting")
        # The map does not call live what is not, and on a telephone the city keeps its name.
        await expect(visit.page.locator(".time-open")).to_have_text("Offline")
        await visit.page.set_viewport_size({"width": 390, "height": 844})
        await expect(visit.page.locator(".live-brief")).to_be_visible()
        assert await visit.page.locator(".top h1").evaluate("e => e.clientWidth") > 150
        with running(*arguments) as node:
            node.patch("urn:ngsi-ld:Bench:1", {"seats": {"type": "Property", "value": 7}})
            await expect(visit.page.locator(".live")).to_have_attribute("data-state", "live")
            await expect(visit.attribute("seats")).to_contain_text("7")
            await expect(visit.page.locator(".time-open")).to_have_text("Live")
            # A refused connection is what this test made: the browser writes it into its console.
            visit.complaints = [text for text in visit.complaints if "ERR_" not in text]

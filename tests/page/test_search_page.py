"""The search: objects by name and id, layers by what they are called, places by their numbers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from .browser import Visit, visiting
from .node import NodeProcess

pytestmark = pytest.mark.page

PHONE = (390, 844)


def field(visit: Visit) -> Locator:
    return visit.page.get_by_role("combobox", name=re.compile("Search for|搜索名称"))


def results(visit: Visit) -> Locator:
    return visit.page.locator("#search-list [role=option]")


async def test_search_is_a_combobox_for_objects_layers_and_places(sample_node: NodeProcess) -> None:
    # How many lights there are depends on the day; the last one's name is the beginning of no other.
    lights = sample_node.get("/ngsi-ld/v1/entities?type=Streetlight&q=name&limit=1000&pick=id,name,location")
    name = max(light["name"]["value"] for light in lights if "location" in light)
    async with visiting(sample_node.url) as visit:
        page = visit.page
        # Hidden layers are searched too.
        await visit.open("/?layers=District")
        await page.keyboard.press("/")
        await expect(field(visit)).to_be_focused()
        await expect(field(visit)).to_have_attribute("aria-expanded", "false")
        await field(visit).fill(name)
        light = page.locator(f'[data-object$="Streetlight:loomhaven:{name}"]')
        await expect(light).to_contain_text("Street lights")
        await expect(field(visit)).to_have_attribute("aria-expanded", "true")
        await page.keyboard.press("ArrowDown")
        active = await field(visit).get_attribute("aria-activedescendant")
        await expect(page.locator(f"#{active}")).to_have_attribute("aria-selected", "true")
        await page.keyboard.press("Enter")
        await expect(page.locator(".panel .id")).to_have_text(re.compile(f"{name}$"))
        # Back from the panel: at the same row, in the field.
        await page.keyboard.press("Escape")
        await expect(field(visit)).to_be_focused()
        await expect(page.locator("[role=option][aria-selected=true]")).to_have_attribute(
            "data-object", re.compile(f"{name}$")
        )
        # A layer is found in either language, and shown.
        await field(visit).fill("路灯")
        await expect(results(visit).first).to_have_attribute("data-type", "Streetlight")
        await page.keyboard.press("Enter")
        await visit.until("window.__cityloom.rendered('Streetlight') > 0")
        assert "Streetlight" in page.url
        # One without a place has a table.
        await field(visit).fill("GtfsRoute")
        await expect(results(visit).first).to_have_attribute("data-type", "GtfsRoute")
        await results(visit).first.click()
        await expect(page.locator(".table tbody tr")).to_have_count(6)
        # Two numbers are a place: the map goes there.
        await field(visit).fill("30.2001, 123.4")
        await page.keyboard.press("Enter")
        await expect(page.locator(".page")).to_have_attribute("data-page", "map")
        await visit.until("/#map=[^/]+\\/30\\.20[^/]*\\/123\\.(4|39)/.test(location.hash)")
        # What is not found is said; Escape empties the field.
        await field(visit).fill("no such thing")
        await expect(page.locator(".find")).to_contain_text("Nothing found")
        await expect(field(visit)).to_have_attribute("aria-expanded", "false")
        await page.keyboard.press("Escape")
        await expect(field(visit)).to_have_value("")


async def test_search_says_when_the_node_is_away_and_tries_again(sample_node: NodeProcess) -> None:
    async with visiting(sample_node.url) as visit:
        page = visit.page
        await visit.open()
        await page.route("**/map/search*", lambda route: route.abort())
        await field(visit).fill("L-00")
        problem = page.locator(".find [role=alert]")
        await expect(problem).to_contain_text("The search failed")
        await page.unroute("**/map/search*")
        await problem.get_by_role("button").click()
        await expect(results(visit).first).to_contain_text("L-00")
        # Only the newest text is answered, however fast it comes.
        await field(visit).fill("")
        await field(visit).press_sequentially("B1-0", delay=20)
        await expect(results(visit).first).to_contain_text("B1-0")
        # A word that is markup is a word.
        await field(visit).fill("<q>zzz")
        await expect(page.locator(".find")).to_contain_text("Nothing found for “<q>zzz”")
        visit.complaints = [text for text in visit.complaints if "ERR_FAILED" not in text]


@pytest.mark.parametrize(
    ("size", "locale", "scheme"), [((1440, 900), "en-GB", "dark"), (PHONE, "zh-CN", "light")]
)
async def test_objects_in_view_are_walked_and_axe_finds_nothing_serious(
    sample_node: NodeProcess, size: tuple[int, int], locale: str, scheme: Any
) -> None:
    found: dict[str, list[str]] = {}
    async with visiting(
        sample_node.url, size=size, locale=locale, scheme=scheme, phone=size == PHONE
    ) as visit:
        page = visit.page
        await visit.open("/?layers=AirQualityObserved,District")
        await field(visit).focus()
        await page.locator(".in-view summary").click()
        buttons = page.locator(".in-view .object")
        await expect(buttons).to_have_count(7)
        await buttons.first.focus()
        await page.keyboard.press("ArrowDown")
        await expect(buttons.nth(1)).to_be_focused()
        found["in view"] = await visit.audit()
        await field(visit).fill("大道" if size == PHONE else "avenue")
        await expect(results(visit).first).to_contain_text("大道" if size == PHONE else "Avenue")
        await page.keyboard.press("ArrowDown")
        found["results"] = await visit.audit()
        first = await results(visit).first.get_attribute("data-object")
        await results(visit).first.click()
        await expect(page.locator(".panel .id")).to_have_text(str(first))
        # j goes on through what was found.
        await page.keyboard.press("j")
        await expect(page.locator(".panel .id")).not_to_have_text(str(first))
    assert not any(found.values()), found

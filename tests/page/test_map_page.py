"""The map page on the sample city: what a person sees, chooses and is told."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.async_api import Route, expect

from .browser import visiting
from .node import NodeProcess

pytestmark = pytest.mark.page

PHONE = (390, 844)


@pytest.fixture(scope="session")
def street_light(sample_node: NodeProcess) -> dict[str, Any]:
    """A street light with a place and a history of its brightness."""
    query = "type=Streetlight&q=illuminanceLevel>0&limit=50"
    lights = sample_node.get(f"/ngsi-ld/v1/entities?{query}")
    found: dict[str, Any] = next(light for light in lights if "location" in light)
    return found


def place_of(entity: dict[str, Any]) -> tuple[float, float]:
    lon, lat = entity["location"]["value"]["coordinates"]
    return lon, lat


async def test_first_screen_shows_every_layer_and_keeps_what_is_switched_off_in_the_dark(
    sample_node: NodeProcess,
) -> None:
    layers = sample_node.get("/map/layers")
    async with visiting(sample_node.url) as visit:
        await visit.open()
        for layer in layers:
            if layer["geometry"] is None:
                continue
            shown = visit.layer(layer["type"]).locator(".layer-count [aria-hidden]")
            await expect(shown).to_have_text(f"{layer['count']:,}")
        assert await visit.rendered("Streetlight") > 100
        assert await visit.rendered("District") > 0
        # The map takes most of a desktop's screen.
        box = await visit.page.locator(".map-pane").bounding_box()
        assert box is not None
        assert box["width"] * box["height"] / (1440 * 900) >= 0.6
        assert await visit.audit() == []
        # A layer leaves the map when it is switched off, and when the system turns dark the others stay.
        await visit.layer("Streetlight").locator("input").uncheck()
        await visit.until("window.__cityloom.rendered('Streetlight') === 0")
        assert await visit.rendered("District") > 0
        await visit.until("window.__cityloom.rendered('WasteContainer') > 0")
        await visit.page.emulate_media(color_scheme="dark")
        await visit.until("window.__cityloom.ready()")
        await visit.until("window.__cityloom.rendered('WasteContainer') > 0")
        await visit.until("window.__cityloom.rendered('Streetlight') === 0")


async def test_crowd_that_would_cover_the_city_waits_until_it_is_asked_for(
    sample_node: NodeProcess,
) -> None:
    async def with_many_lights(route: Route) -> None:
        layers = await (await route.fetch()).json()
        for layer in layers:
            if layer["type"] == "Streetlight":
                layer["count"] = 80_182
        await route.fulfill(json=layers)

    async with visiting(sample_node.url) as visit:
        await visit.page.route("**/map/layers", with_many_lights)
        await visit.open()
        lights = visit.layer("Streetlight")
        await expect(lights.locator("input")).not_to_be_checked()
        await expect(visit.layer("AirQualityObserved").locator("input")).to_be_checked()
        assert await visit.rendered("Streetlight") == 0
        await lights.locator("input").check()
        # What is drawn as dots from far away says so.
        await expect(lights).to_contain_text("a dot until you zoom in")
        await expect(visit.layer("AirQualityObserved")).not_to_contain_text("a dot")
        await visit.until("window.__cityloom.rendered('Streetlight') > 100")


async def test_street_light_chosen_on_the_map_shows_its_attributes_and_history(
    sample_node: NodeProcess, street_light: dict[str, Any]
) -> None:
    lon, lat = place_of(street_light)
    async with visiting(sample_node.url) as visit:
        await visit.open(f"/#map=19/{lat}/{lon}")
        await visit.until("window.__cityloom.rendered('Streetlight') > 0")
        await visit.click_object(street_light["id"])
        await expect(visit.page.locator(".panel .id")).to_have_text(street_light["id"])
        await expect(visit.attribute("powerRating")).to_contain_text(" W")
        await expect(visit.page.locator(".history .chart canvas")).to_be_visible()
        await expect(visit.page.locator(".history")).to_contain_text(re.compile(r"\d+ values from"))
        await expect(visit.page.locator(".origins")).to_contain_text("Street lights")


async def test_live_change_arrives_in_the_open_panel_and_a_relationship_leads_on_and_back(
    sample_node: NodeProcess, street_light: dict[str, Any]
) -> None:
    async with visiting(sample_node.url) as visit:
        await visit.open(f"/?id={street_light['id']}")
        await expect(visit.page.locator(".live")).to_have_attribute("data-state", "live")
        await expect(visit.page.locator(".history .chart canvas")).to_be_visible()
        for value in (0.111, 0.222):
            now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            began = time.perf_counter()
            sample_node.patch(
                street_light["id"],
                {"illuminanceLevel": {"type": "Property", "value": value, "observedAt": now}},
            )
            await expect(visit.attribute("illuminanceLevel")).to_contain_text(f"{value:g}")
            print(f"a change was on the page after {(time.perf_counter() - began) * 1000:.0f} ms")
            # Its history follows, without a word from the reader.
            await expect(visit.page.locator(".history")).to_contain_text(f"latest {value}")
        district = street_light["refDistrict"]["object"]
        await visit.attribute("refDistrict").get_by_role("link").click()
        await expect(visit.page.locator(".panel .id")).to_have_text(district)
        await visit.page.go_back()
        await expect(visit.page.locator(".panel .id")).to_have_text(street_light["id"])


async def test_object_found_by_name_is_chosen_with_the_keyboard_alone(
    sample_node: NodeProcess, street_light: dict[str, Any]
) -> None:
    name = street_light["name"]["value"]
    async with visiting(sample_node.url) as visit:
        await visit.open()
        await visit.page.keyboard.press("Tab")
        await expect(visit.page.locator(".skip").first).to_be_focused()
        await visit.page.keyboard.press("Enter")
        await visit.page.keyboard.press("Tab")
        await visit.page.get_by_role("combobox").first.focus()
        await visit.page.keyboard.type(name)
        await expect(visit.page.locator(f'[role=option][data-object="{street_light["id"]}"]')).to_be_visible()
        await visit.page.keyboard.press("ArrowDown")
        await visit.page.keyboard.press("Enter")
        await expect(visit.page.locator(".panel .id")).to_have_text(street_light["id"])
        await expect(visit.page.locator(".panel h2")).to_be_focused()


async def test_object_without_a_place_is_found(sample_node: NodeProcess) -> None:
    async with visiting(sample_node.url) as visit:
        await visit.open()
        await visit.page.locator("#search").fill("GtfsRoute:")
        await visit.page.locator("#search-list [data-object]").first.click()
        await expect(visit.page.locator(".panel")).to_contain_text("no place on the map")


async def test_unknown_object_is_said_not_to_exist(sample_node: NodeProcess) -> None:
    async with visiting(sample_node.url) as visit:
        await visit.open("/?id=urn:ngsi-ld:Streetlight:nobody")
        await expect(visit.page.locator(".panel")).to_contain_text("does not exist")
        # The browser itself writes an answer of 404 into its console.
        visit.complaints = [text for text in visit.complaints if "404" not in text]


async def test_phone_keeps_the_map_first_and_opens_the_object_in_a_sheet(
    sample_node: NodeProcess, street_light: dict[str, Any]
) -> None:
    async with visiting(sample_node.url, size=PHONE, phone=True) as visit:
        await visit.open()
        side = await visit.page.locator(".side").bounding_box()
        top = await visit.page.locator(".top").bounding_box()
        assert side is not None
        assert top is not None
        assert (side["y"] - top["height"]) / PHONE[1] >= 0.6
        assert await visit.page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
        await visit.open(f"/?id={street_light['id']}")
        await expect(visit.page.locator(".panel h2")).to_be_in_viewport()
        await visit.page.locator(".handle").click()
        await expect(visit.page.locator(".side")).to_have_attribute("data-sheet", "full")
        await expect(visit.page.locator(".history .chart canvas")).to_be_visible()


async def test_page_speaks_chinese_and_changes_language_at_once(
    sample_node: NodeProcess, street_light: dict[str, Any]
) -> None:
    async with visiting(sample_node.url, locale="zh-CN", scheme="dark") as visit:
        await visit.open(f"/?id={street_light['id']}")
        assert await visit.page.evaluate("document.documentElement.lang") == "zh-Hans"
        await expect(visit.page.locator(".panel")).to_contain_text("路灯")
        await expect(visit.attribute("powerRating")).to_contain_text("额定功率")
        await visit.page.get_by_role("button", name="English").click()
        await expect(visit.attribute("powerRating")).to_contain_text("Power rating")
        assert await visit.page.evaluate("document.documentElement.lang") == "en"

"""The time bar: the past is shown by the path that live changes take, and never mixed with them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from .browser import Visit, visiting
from .node import NodeProcess, free_port, running

pytestmark = pytest.mark.page

PHONE = (390, 844)
BUS = "urn:ngsi-ld:Bus:1"
DAY = "2025-06-29"


def location(lon: float, observed_at: str) -> dict[str, Any]:
    point = {"type": "Point", "coordinates": [lon, 0.0]}
    return {"type": "GeoProperty", "value": point, "observedAt": observed_at}


def drive(node: NodeProcess) -> None:
    """A bus that is first seen at 06:00, drives on every hour until 18:00, and stands elsewhere today."""
    node.create({"id": BUS, "type": "Bus", "location": location(0.001 * 6, f"{DAY}T06:00:00Z")})
    for hour in range(7, 19):
        node.patch(BUS, {"location": location(0.001 * hour, f"{DAY}T{hour:02}:00:00Z")})
    node.patch(BUS, {"location": location(0.05, "2025-07-15T00:00:00Z")})
    # Something that never moves: it is there at every time.
    place = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [0.02, 0.02]}}
    node.create({"id": "urn:ngsi-ld:Bench:1", "type": "Bench", "location": place})


async def bus_at(visit: Visit, lon: float | None) -> None:
    """Waits until the map has the bus there."""
    wanted = "undefined" if lon is None else f"{lon:.6f}"
    await visit.until(f"String(window.__cityloom.placeOf('{BUS}')?.[0].toFixed(6)) === '{wanted}'")


@pytest.mark.parametrize(
    ("size", "locale", "past"), [((1440, 900), "en-GB", "Past"), (PHONE, "zh-CN", "历史")]
)
async def test_past_day_is_shown_scrubbed_and_played_while_live_changes_are_held_back(
    built_page: None, tmp_path: Path, size: tuple[int, int], locale: str, past: str
) -> None:
    with running("serve", "--data", str(tmp_path), "--port", "0") as node:
        drive(node)
        async with visiting(node.url, size=size, locale=locale, phone=size == PHONE) as visit:
            page = visit.page
            await visit.open()
            await bus_at(visit, 0.05)
            await page.locator(".time-open").click()
            await page.locator(".time-modes button").nth(2).click()
            # Today: nothing has moved, and it is said.
            await expect(page.locator(".time-said")).not_to_be_empty()
            await page.locator(".time-input[type=date]").fill(DAY)
            # At midnight the bus had not been seen yet.
            await bus_at(visit, None)
            await expect(page.locator(".live")).to_have_attribute("data-state", "past")
            await expect(page.locator(".live")).to_contain_text(past)
            slider = page.get_by_role("slider")
            await slider.focus()
            for _ in range(5):
                await page.keyboard.press("PageUp")
            # A tenth of the steps is 2 h 30: 12:30 now, and it is told in words.
            await expect(slider).to_have_attribute("aria-valuetext", re.compile(r"12:30.*UTC"))
            await bus_at(visit, 0.012)
            await page.keyboard.press("ArrowLeft")
            await page.keyboard.press("ArrowLeft")
            await page.keyboard.press("ArrowLeft")
            await bus_at(visit, 0.011)
            # What happens now does not reach the map of then.
            node.patch(BUS, {"location": location(0.06, "2025-07-16T00:00:00Z")})
            assert f"time={DAY}" in page.url
            assert f"at={DAY}T11%3A45%3A00Z" in page.url
            # Played: it goes through its hours and stops where the day ends.
            await page.evaluate(
                f"""window.seen = []; window.watch = setInterval(() => {{
                    const place = window.__cityloom.placeOf('{BUS}');
                    const lon = place && Math.round(place[0] * 1e6) / 1e6;
                    if (lon !== window.seen.at(-1)) window.seen.push(lon);
                }}, 4)"""
            )
            if size == PHONE:
                assert await page.locator(".time-choices").is_visible()
            await page.locator(".time-choices select").select_option("3600")
            await page.locator(".time-play").click()
            await expect(slider).to_have_value("86400")
            seen = await page.evaluate("window.seen")
            # One frame may span more than an hour where the machine is slow; never back, and to the end.
            assert seen == sorted(seen)
            assert seen[0] == 0.011
            assert seen[-1] == 0.018
            assert len(seen) > 2
            await expect(page.locator(".time-said")).not_to_be_empty()
            # The same address shows the same.
            await page.reload()
            await bus_at(visit, 0.018)
            await page.locator(".time-live").click()
            await bus_at(visit, 0.06)
            await expect(page.locator(".live")).to_have_attribute("data-state", "live")
            assert "time=" not in page.url
            node.patch(BUS, {"location": location(0.07, "2025-07-17T00:00:00Z")})
            await bus_at(visit, 0.07)


async def test_day_that_was_played_ends_as_the_state_that_is_read_at_its_end(
    sample_node: NodeProcess,
) -> None:
    buses = [each["id"] for each in sample_node.get("/ngsi-ld/v1/entities?type=Vehicle&limit=100")]
    end = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    begin = end - timedelta(days=1)
    where = "ids => ids.map(id => window.__cityloom.placeOf(id))"
    async with visiting(sample_node.url) as visit:
        page = visit.page
        address = f"/?layers=District,Vehicle,WeatherObserved&time={begin:%FT%TZ}/{end:%FT%TZ}&speed=21600"
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await visit.open(address)
        await visit.until("!document.querySelector('.time-said').innerText.includes('Reading')")
        # One question for all the layers, not one more with each that comes.
        assert len([url for url in asked if "/map/state" in url]) == 1
        before = await page.evaluate(where, buses)
        await page.keyboard.press("Space")
        await expect(page.get_by_role("slider")).to_have_value("86400")
        await expect(page.locator(".time-said")).not_to_be_empty()
        # Drawn with the next frame.
        await page.evaluate("() => new Promise(requestAnimationFrame)")
        played = await page.evaluate(where, buses)
        assert played != before
        await visit.open(f"{address}&at={end:%FT%TZ}")
        await expect(page.locator(".time-said")).to_contain_text("end")
        await page.evaluate("() => new Promise(requestAnimationFrame)")
        assert await page.evaluate(where, buses) == played
        # Nothing was left out, by the node's own account of the buses' last places.
        told = sample_node.get(f"/map/state?type=Vehicle&attrs=location&at={end:%FT%TZ}")["changes"]
        places = {change["entityId"]: change.get("location") for change in told}
        moved = [places[bus] for bus in buses if bus in places]
        drawn = [place for bus, place in zip(buses, played, strict=True) if bus in places]
        assert drawn == [place and place["coordinates"] for place in moved]


async def test_past_that_shows_little_says_what_there_is_and_how_to_see_it(
    built_page: None, tmp_path: Path
) -> None:
    level = {"type": "Property", "value": 5, "observedAt": f"{DAY}T08:00:00Z"}
    place = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [0.01, 0.0]}}
    with running("serve", "--data", str(tmp_path), "--port", "0") as node:
        drive(node)
        node.create({"id": "urn:ngsi-ld:Gauge:1", "type": "Gauge", "location": place, "level": level})
        async with visiting(node.url) as visit:
            said = visit.page.locator(".time-said")
            await visit.open(f"/?layers=Gauge&time={DAY}")
            await expect(said).to_contain_text("other readings were observed")
            await visit.open(f"/?layers=Gauge&colour.Gauge=level&time={DAY}")
            await visit.until("!document.querySelector('.time-said').innerText")
            await visit.open("/?layers=Gauge&time=2025-06-20")
            await expect(said).to_contain_text("nothing was observed")
            # Before it was first seen, the bus is nowhere: the bar and its layer say so.
            await visit.open(f"/?layers=Bus,Bench&time={DAY}")
            await expect(said).to_have_text("Not seen yet at this time: Bus.")
            await expect(visit.layer("Bus")).to_contain_text("0 of 1 had been seen by the time shown")
            await visit.open(f"/?layers=Bus,Bench&time={DAY}&at={DAY}T07:00:00Z")
            await bus_at(visit, 0.007)
            await visit.until("!document.querySelector('.time-said').innerText")
            await expect(visit.layer("Bus")).not_to_contain_text("had been seen")


async def test_legend_of_the_past_is_of_the_time_shown_for_whoever_opens_the_address(
    built_page: None, tmp_path: Path
) -> None:
    gauge = "urn:ngsi-ld:Gauge:1"

    def level(value: float, hour: int, day: str = DAY) -> dict[str, Any]:
        return {"level": {"type": "Property", "value": value, "observedAt": f"{day}T{hour:02}:00:00Z"}}

    def place(lon: float) -> dict[str, Any]:
        return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [lon, 0.0]}}

    then, now = ["0–19", "20–39", "40–59", "60–79", "80–100"], ["500–599", "600–699"]
    with running("serve", "--data", str(tmp_path), "--port", "0") as node:
        node.create({"id": gauge, "type": "Gauge", "location": place(0), **level(0, 6)})
        for hour, value in ((9, 100), (12, 40)):
            node.patch(gauge, level(value, hour))
        node.patch(gauge, level(500, 0, "2025-07-15"))
        other = {"id": f"{gauge}0", "type": "Gauge", "location": place(0.01)}
        node.create({**other, **level(1000, 0, "2025-07-15")})
        async with visiting(node.url) as visit:
            classes = visit.page.locator(".legend li")
            coloured = "/?layers=Gauge&colour.Gauge=equal:level"
            await visit.open(f"{coloured}&time={DAY}&at={DAY}T13:00:00Z")
            # What had no value at its beginning is told beside the classes.
            await expect(classes).to_have_text([*then, "no value"])
            await visit.until(f"window.__cityloom.colourOf('{gauge}') !== null")
            colour = await visit.page.evaluate(f"window.__cityloom.colourOf('{gauge}')")
            slider = visit.page.get_by_role("slider")
            await slider.focus()
            await visit.page.keyboard.press("Home")
            await expect(classes).to_have_text([*then, "no value"])
            await visit.page.get_by_role("button", name="Back to live").click()
            await expect(classes.nth(0)).to_have_text(now[0])
            await expect(classes.nth(1)).to_have_text(now[1])
            # Another page, at another time, sees the same.
            node.patch(gauge, level(700, 0, "2025-07-16"))
            await visit.open(coloured)
            await visit.page.goto(f"{node.url}{coloured}&time={DAY}&at={DAY}T13:00:00Z")
            await expect(classes).to_have_text([*then, "no value"])
            await visit.until(f"window.__cityloom.colourOf('{gauge}') === '{colour}'")


async def test_back_walks_through_the_times_that_were_chosen(built_page: None, tmp_path: Path) -> None:
    with running("serve", "--data", str(tmp_path), "--port", "0") as node:
        drive(node)
        async with visiting(node.url) as visit:
            page = visit.page
            await visit.open(f"/?time={DAY}T05:00:00Z/{DAY}T20:00:00Z&at={DAY}T08:30:00Z")
            await bus_at(visit, 0.008)
            # A range that ends before it begins is told, and nothing changes.
            start, end = page.get_by_label("From"), page.get_by_label("To", exact=True)
            await expect(start).to_have_value(f"{DAY}T05:00")
            # A browser's Back passes over what came without anyone's doing: a click is one.
            await end.click()
            await end.fill(f"{DAY}T04:00")
            await end.blur()
            await expect(page.get_by_role("alert")).to_contain_text("later than the beginning")
            await end.fill(f"{DAY}T10:00")
            await end.blur()
            await bus_at(visit, None)
            await page.go_back()
            await bus_at(visit, 0.008)
            # A time that has not come is told as well.
            await visit.open("/?time=2999-01-01")
            await expect(page.locator(".time-said")).to_contain_text("not come yet")


async def test_past_says_that_the_node_is_away_and_goes_on_when_it_is_back(
    built_page: None, tmp_path: Path
) -> None:
    arguments = ("serve", "--data", str(tmp_path), "--port", str(free_port()))
    async with visiting("http://nowhere") as visit:
        page = visit.page
        with running(*arguments) as node:
            visit.origin = node.url
            drive(node)
            await visit.open(f"/?time={DAY}&at={DAY}T12:10:00Z")
            await bus_at(visit, 0.012)
        await page.get_by_role("slider").focus()
        await page.keyboard.press("PageDown")
        await expect(page.locator(".time-said")).to_contain_text("does not answer")
        with running(*arguments):
            await bus_at(visit, 0.009)
            await expect(page.locator(".time-said")).to_be_empty()
        visit.complaints = [text for text in visit.complaints if "ERR_" not in text]


async def test_ages_go_by_the_clock_of_the_node_when_the_reader_s_own_is_wrong(
    built_page: None, tmp_path: Path
) -> None:
    with running("serve", "--data", str(tmp_path), "--port", "0") as node:
        drive(node)
        async with visiting(node.url) as visit:
            page = visit.page
            await page.add_init_script("const now = Date.now; Date.now = () => now() + 2 * 3600 * 1000")
            await visit.open()
            note = page.locator(".time-note")
            await expect(note).to_contain_text("2 hours fast")
            await expect(page.locator(".live")).to_have_attribute("data-state", "live")
            node.patch(BUS, {"location": location(0.08, "2025-07-18T00:00:00Z")})
            await bus_at(visit, 0.08)
            title = await page.locator(".live").get_attribute("title")
            assert title is not None
            assert re.search(r"now|second", title), title
            await note.get_by_role("button").click()
            await expect(note).to_have_count(0)
            # The last 24 hours are those of the node: it is not asked about the future.
            await page.keyboard.press("Space")
            await expect(page.locator(".live")).to_have_attribute("data-state", "past")
            await expect(page.locator(".time-said")).to_contain_text("nothing was observed")


async def test_everything_is_read_anew_when_the_log_is_not_the_one_that_was_followed(
    built_page: None, tmp_path: Path
) -> None:
    port = str(free_port())
    async with visiting("http://nowhere") as visit:
        with running("serve", "--data", str(tmp_path / "one"), "--port", port) as node:
            visit.origin = node.url
            drive(node)
            await visit.open()
            await bus_at(visit, 0.05)
            await expect(visit.page.locator(".live")).to_have_attribute("data-state", "live")
        # A city that was restored, say: its log is younger than what the page has seen.
        with running("serve", "--data", str(tmp_path / "two"), "--port", port) as node:
            node.create({"id": BUS, "type": "Bus", "location": location(0.09, "2025-07-18T00:00:00Z")})
            await bus_at(visit, 0.09)
            await expect(visit.page.locator(".live")).to_have_attribute("data-state", "live")
            visit.complaints = [text for text in visit.complaints if "ERR_" not in text]

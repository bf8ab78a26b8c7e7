"""The chosen object: its values, history, ties, origins and who is told, in both languages and sizes."""

from __future__ import annotations

import csv
import math
import re
import statistics
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import Route, expect

from .browser import Visit, visiting
from .node import NodeProcess, running

pytestmark = pytest.mark.page

PHONE = (390, 844)
HOSTILE = '<img src=x onerror="alert(1)"><b>bold</b>'
HEBREW = "גשר המלך"
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def stamp(hours: float) -> str:
    """An instant so many hours ago."""
    return (NOW - timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


def prop(value: Any, **members: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value, **members}


SENSOR: dict[str, Any] = {
    "id": "urn:ngsi-ld:Sensor:1",
    "type": "Sensor",
    "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [0.0, 0.0]}},
    "name": {"type": "LanguageProperty", "languageMap": {"en": "Bridge", "zh": "桥", "he": HEBREW}},
    "owner": prop(HEBREW),
    "note": prop("word " * 200),
    "html": prop(HOSTILE),
    "raw": {"type": "JsonProperty", "json": {"list": [{"number": n} for n in range(200)]}},
    "depth": [
        prop(1.5, unitCode="MTR", observedAt=stamp(0), accuracy=prop(0.1, unitCode="MTR")),
        prop(1.7, unitCode="MTR", observedAt=stamp(0), datasetId="urn:radar"),
    ],
    "width": prop(3.0, unitCode="MTR", observedAt=stamp(0)),
    "warmth": prop(20.0, unitCode="CEL", observedAt=stamp(0)),
    "state": prop("open", observedAt=stamp(0)),
    "dust": prop(0.0, observedAt=stamp(0)),
    "refBridge": {"type": "Relationship", "object": "urn:ngsi-ld:Bridge:9"},
    "refLost": {"type": "Relationship", "object": "urn:ngsi-ld:Bridge:nowhere"},
}
# Hours ago and value: hourly, then eight hours of silence, then hourly again; one of them came twice.
DEPTHS = [
    (20, 1.0),
    (19, 2.0),
    (18, 3.0),
    (17, 4.0),
    (9, 5.0),
    (8, 6.0),
    (7, 7.0),
    (6, 8.0),
    (5, 9.0),
    (4, 1.0),
]
DUST_STEP = timedelta(seconds=20)
DUST = [((n * 37) % 1000) / 10 for n in range(2_500)]


@pytest.fixture(scope="module")
def panel_node(built_page: None, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A node with one sensor of every kind of attribute, its past, and what it is tied to."""
    with running("serve", "--data", str(tmp_path_factory.mktemp("panel")), "--port", "0") as node:
        node.create(
            {
                "id": "urn:ngsi-ld:Bridge:9",
                "type": "Bridge",
                "name": prop("Nine"),
                "refSelf": {"type": "Relationship", "object": "urn:ngsi-ld:Sensor:1"},
            }
        )
        node.create(SENSOR)
        for number in range(5):
            node.create(
                {
                    "id": f"urn:ngsi-ld:Reading:{number}",
                    "type": "Reading",
                    "refSensor": {"type": "Relationship", "object": SENSOR["id"]},
                }
            )
        begin = NOW - timedelta(days=2)
        past: dict[str, Any] = {
            "depth": [prop(value, unitCode="MTR", observedAt=stamp(hours)) for hours, value in DEPTHS],
            "width": [prop(float(hours), unitCode="MTR", observedAt=stamp(hours)) for hours in range(1, 20)],
            "warmth": [prop(10.0 + hours, unitCode="CEL", observedAt=stamp(hours)) for hours in range(1, 20)],
            "state": [
                prop("shut" if hours % 2 else "open", observedAt=stamp(hours)) for hours in range(1, 9)
            ],
            "dust": [
                prop(value, observedAt=(begin + n * DUST_STEP).isoformat().replace("+00:00", "Z"))
                for n, value in enumerate(DUST)
            ],
        }
        for name, instances in past.items():
            for first in range(0, len(instances), 1000):
                part = {name: instances[first : first + 1000]}
                node.request("POST", f"/ngsi-ld/v1/temporal/entities/{SENSOR['id']}/attrs", part)
        node.request(
            "POST",
            "/ngsi-ld/v1/subscriptions",
            {
                "id": "urn:ngsi-ld:Subscription:depth",
                "type": "Subscription",
                "subscriptionName": "Depth watch",
                "entities": [{"type": "Sensor"}],
                "watchedAttributes": ["depth"],
                "notification": {
                    "endpoint": {"uri": "http://127.0.0.1:9/none", "accept": "application/json"}
                },
            },
        )
        yield node


def chips(visit: Visit, code: str) -> Any:
    return visit.page.locator(f'.chip[data-chart="{code}"] input')


async def test_values_have_units_times_and_languages_and_nothing_in_them_is_markup(
    panel_node: NodeProcess,
) -> None:
    async with visiting(panel_node.url) as visit:
        await visit.open(f"/?id={SENSOR['id']}")
        page = visit.page
        await expect(page.locator(".panel h2")).to_be_focused()
        depths = page.locator('.panel [data-attribute="depth"]')
        await expect(depths).to_have_count(2)
        await expect(depths.nth(0)).to_contain_text("1.5\u00a0m")
        await expect(depths.nth(0).locator("time")).to_have_attribute("datetime", stamp(0))
        await expect(depths.nth(0).locator("time")).to_contain_text("·")
        await expect(depths.nth(1)).to_contain_text("urn:radar")
        await depths.nth(0).locator("summary").click()
        await expect(depths.nth(0).locator('[data-attribute="accuracy"]')).to_contain_text("0.1\u00a0m")
        # Long texts and documents are folded, and whole when they are asked for.
        note = visit.attribute("note")
        whole = note.locator("details > span")
        await expect(whole).to_be_hidden()
        await note.locator("summary").click()
        assert len(await whole.inner_text()) >= len("word " * 200) - 1
        await visit.attribute("raw").locator("summary").click()
        await expect(visit.attribute("raw").locator("pre")).to_contain_text('"number": 199')
        await expect(visit.attribute("html")).to_contain_text(HOSTILE)
        assert await page.locator(".panel img, .panel b").count() == 0
        # A name in right-to-left script sets its own direction and disturbs no other.
        assert await visit.attribute("owner").locator("[dir=auto]").first.evaluate(
            "element => getComputedStyle(element).unicodeBidi"
        ) in ("isolate", "plaintext", "isolate-override")
        assert await visit.audit() == []


@pytest.mark.parametrize(
    ("locale", "name", "others", "phone"),
    [("zh-CN", "桥", "另有 2 种语言", True), ("en-GB", "Bridge", "In 2 more", False)],
)
async def test_whole_panel_works_in_both_sizes_and_languages(
    panel_node: NodeProcess, locale: str, name: str, others: str, phone: bool
) -> None:
    size = PHONE if phone else (1440, 900)
    async with visiting(panel_node.url, size=size, locale=locale, phone=phone, scheme="dark") as visit:
        page = visit.page
        await visit.open(f"/?id={SENSOR['id']}&chart=depth,warmth,state")
        await expect(page.locator(".panel h2")).to_have_text(name)
        await expect(page.locator(".panel h2")).to_be_focused()
        if phone:
            await page.locator(".handle").click()
            await expect(page.locator(".side")).to_have_attribute("data-sheet", "full")
            for button in await page.locator(".trace, .chip, .zoom .button").all():
                box = await button.bounding_box()
                assert box is not None
                assert box["height"] >= 42
        # Metres, degrees and states do not share an axis: they lie below each other.
        await expect(page.locator(".history .chart canvas")).to_have_count(3)
        await expect(page.locator(".history .stats thead th")).to_have_count(3)
        # All that the address asks for is drawn: there is nothing to complain of.
        await expect(page.locator(".address-note .note")).to_have_count(0)
        # The way of a value goes right on a desktop and down on a telephone.
        await page.locator(".value-lineage select").select_option("name ")
        await expect(page.locator(".value-lineage .node").last).to_contain_text(others)
        await expect(page.locator(".graph")).to_have_attribute("data-direction", "down" if phone else "right")
        first = await page.locator(".node[data-kind=activity]").bounding_box()
        last = await page.locator(".node[data-kind=value]").bounding_box()
        assert first is not None
        assert last is not None
        if phone:
            assert last["y"] >= first["y"] + first["height"]
        else:
            assert last["x"] >= first["x"] + first["width"]
        await expect(page.locator(".subscribers")).to_contain_text("Depth watch")
        assert await page.evaluate("document.documentElement.scrollWidth") == size[0]
        assert await page.locator(".side-body").evaluate("e => e.scrollWidth <= e.clientWidth")
        assert await visit.audit() == []


async def test_statistics_silences_and_the_file_agree_with_what_was_written(
    panel_node: NodeProcess, tmp_path: Path
) -> None:
    async with visiting(panel_node.url) as visit:
        page = visit.page
        await visit.open(f"/?id={SENSOR['id']}&chart=depth,width")
        await expect(page.locator(".history .chart canvas")).to_have_count(1)
        table = page.locator(".stats tbody tr")
        values = [*(value for _, value in DEPTHS), 1.5]
        told = {
            await row.locator("th").inner_text(): await row.locator("td").first.inner_text()
            for row in await table.all()
        }
        assert told["Values"] == str(len(values))
        assert float(told["Mean"]) == pytest.approx(statistics.mean(values), abs=0.006)
        assert float(told["Std. deviation"]) == pytest.approx(statistics.pstdev(values), abs=0.006)
        assert (told["Lowest"], told["Highest"], told["Latest"]) == ("1", "9", "1.5")
        # 17 to 9 hours ago nothing came: eight hours, in which seven values should have come.
        assert told["Silences"] == "1 (8 hr)" or re.match(r"1 \(8\s?h", told["Silences"])
        assert told["Missing"] == "7"
        # The table says in words what the chart draws, and the file has it all.
        await page.locator(".twin > summary").click()
        await expect(page.locator(".twin tbody tr").first).to_contain_text("1.5\u00a0m")
        async with page.expect_download() as saving:
            await page.locator(".twin button").click()
        target = tmp_path / "history.csv"
        await (await saving.value).save_as(target)
        with target.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["attribute"] == "depth"]
        assert [float(row["value"]) for row in rows] == values
        assert {row["unitCode"] for row in rows} == {"MTR"}
        assert datetime.fromisoformat(rows[0]["from"]) == NOW - timedelta(hours=20)


async def test_silence_that_lasts_is_counted_until_now(panel_node: NodeProcess) -> None:
    id, unit = "urn:ngsi-ld:Probe:quiet", "MTR"
    panel_node.create(
        {"id": id, "type": "Probe", "depth": prop(1.0, unitCode=unit, observedAt=stamp(340))},
    )
    later = [
        prop(float(340 - hours), unitCode=unit, observedAt=stamp(hours)) for hours in (339, 338, 337, 336)
    ]
    panel_node.request("POST", f"/ngsi-ld/v1/temporal/entities/{id}/attrs", {"depth": later})
    async with visiting(panel_node.url) as visit:
        page = visit.page
        await visit.open(f"/?id={id}&chart=depth")
        rows = page.locator(".stats tbody tr")
        silences = rows.filter(has=page.get_by_text("Silences", exact=True))
        await expect(silences).to_contain_text(re.compile(r"1 \(14 days"))
        missing = rows.filter(has=page.get_by_text("Missing", exact=True)).locator("td")
        # Hourly values for 336 hours, and as long as the tests have run; the first of them came.
        assert 335 <= int(await missing.inner_text()) <= 337
        await expect(page.locator(".history .notes")).to_contain_text("The silence lasts until now")
        await visit.open(f"/?id={id}&chart=depth&time={stamp(342)}/{stamp(300)}&at={stamp(310)}")
        await expect(missing).to_have_text("35")
        await expect(page.locator(".history .notes")).not_to_contain_text("until now")


async def test_chart_is_zoomed_by_dragging_and_by_buttons_and_remembers_its_attributes(
    panel_node: NodeProcess,
) -> None:
    async with visiting(panel_node.url) as visit:
        page = visit.page
        await visit.open(f"/?id={SENSOR['id']}&chart=width")
        summary = page.locator(".history .notes")
        await expect(summary).to_contain_text("20 values from")
        chart = page.locator(".history .chart .u-over")
        await chart.scroll_into_view_if_needed()
        box = await chart.bounding_box()
        assert box is not None
        middle = box["y"] + box["height"] / 2
        await page.mouse.move(box["x"] + box["width"] * 0.5, middle)
        await page.mouse.down()
        await page.mouse.move(box["x"] + box["width"] * 0.98, middle, steps=4)
        await page.mouse.up()
        await expect(summary).to_contain_text(re.compile(r"\b(9|10) values from"))
        await page.get_by_role("button", name="Farther").click()
        await expect(summary).to_contain_text(re.compile(r"\b1[3-6] values from"))
        await page.get_by_role("button", name="Whole time").click()
        await expect(summary).to_contain_text("20 values from")
        for code in ("depth", "depth urn:radar", "warmth", "state"):
            await chips(visit, code).check()
        await expect(page.locator(".history .lane")).to_have_count(3)
        await expect(chips(visit, "dust")).to_be_disabled()
        await expect(page.locator(".chips")).to_contain_text("5 at once")
        await page.reload()
        await expect(page.locator(".history .lane")).to_have_count(3)
        # The last line of a chart cannot be taken away.
        for code in ("width", "depth", "depth urn:radar", "warmth", "state"):
            await chips(visit, code).click()
        await expect(chips(visit, "state")).to_be_checked()


async def test_more_values_than_can_be_drawn_come_as_periods_from_the_node(panel_node: NodeProcess) -> None:
    async with visiting(panel_node.url) as visit:
        page = visit.page
        await visit.open(f"/?id={SENSOR['id']}&chart=dust")
        await page.locator(".depth select").select_option('{"days":7}')
        await expect(page.locator(".history .notes")).to_contain_text("more than 2,000 values")
        told = {
            await row.locator("th").inner_text(): await row.locator("td").first.inner_text()
            for row in await page.locator(".stats tbody tr").all()
        }
        values = [*DUST, 0.0]
        assert told["Values"] == f"{len(values):,}"
        assert float(told["Mean"]) == pytest.approx(statistics.mean(values), abs=0.006)
        assert float(told["Std. deviation"]) == pytest.approx(
            math.sqrt(statistics.mean([(v - statistics.mean(values)) ** 2 for v in values])), abs=0.006
        )
        assert told["Repeats"] == "0"
        await expect(page.locator(".stats")).to_contain_text("Computed by the node")


async def test_walk_goes_both_ways_along_relationships_and_back(panel_node: NodeProcess) -> None:
    async with visiting(panel_node.url) as visit:
        page = visit.page
        await visit.open(f"/?id={SENSOR['id']}")
        here = page.locator(".panel .id")
        await expect(visit.attribute("refLost")).to_contain_text("not in this city")
        link = visit.attribute("refBridge").get_by_role("link")
        await expect(link).to_contain_text("Nine")
        readings = page.locator('.pointing-group[data-type="Reading"]')
        await expect(readings).to_contain_text("(5)")
        await readings.locator("summary").click()
        await expect(readings.locator("li")).to_have_count(3)
        await readings.get_by_role("button").click()
        await expect(readings.locator("li")).to_have_count(5)
        await link.click()
        await expect(here).to_have_text("urn:ngsi-ld:Bridge:9")
        # Sensor 1 points at the bridge, and the bridge at it: it is a step of the way and a tie as well.
        await expect(page.locator(".trail a")).to_have_text(["Bridge"])
        pointing = page.locator('.pointing-group[data-type="Sensor"]')
        await expect(pointing.get_by_role("link")).to_have_text("Bridge")
        await page.go_back()
        await expect(here).to_have_text(SENSOR["id"])
        await expect(page.locator(".trail")).to_have_count(0)
        await page.go_forward()
        await page.locator(".trail a").click()
        await expect(here).to_have_text(SENSOR["id"])


async def test_part_that_fails_says_so_and_the_others_go_on(panel_node: NodeProcess) -> None:
    broken = True

    async def answer(route: Route) -> None:
        await (route.abort() if broken else route.continue_())

    async with visiting(panel_node.url) as visit:
        page = visit.page
        for part in ("/subscriptions", "/attrs/", "/temporal/"):
            await page.route(re.compile(f".*{re.escape(part)}.*"), answer)
        await visit.open(f"/?id={SENSOR['id']}&chart=depth")
        await expect(page.locator(".panel .problem")).to_have_count(3)
        await expect(visit.attribute("depth")).to_contain_text("1.5\u00a0m")
        await expect(page.locator('.pointing-group[data-type="Reading"]')).to_be_visible()
        broken = False
        for _ in range(3):
            await page.locator(".panel .problem button").first.click()
        await expect(page.locator(".panel .problem")).to_have_count(0)
        await expect(page.locator(".subscribers")).to_contain_text("Depth watch")
        await expect(page.locator(".history .chart canvas")).to_be_visible()
        # What the test broke, the browser told its console.
        visit.complaints = [text for text in visit.complaints if "ERR_FAILED" not in text]


async def test_lineage_leads_from_the_file_to_the_value(sample_node: NodeProcess) -> None:
    station = sample_node.get("/ngsi-ld/v1/entities?type=AirQualityObserved&limit=1")[0]
    told = sample_node.get(f"/lineage/{quote(station['id'])}/attrs/o3")
    (file,) = [each for each in told["entity"].values() if each["prov:type"] == "cityloom:File"]
    (derived,) = told["wasDerivedFrom"].values()
    async with visiting(sample_node.url) as visit:
        page = visit.page
        await visit.open(f"/?id={station['id']}")
        await visit.attribute("o3").get_by_role("button").click()
        await expect(page.locator(".value-lineage select")).to_be_focused()
        await expect(page.locator(".value-lineage select")).to_have_value("o3 ")
        nodes = page.locator(".value-lineage .node")
        await expect(nodes).to_have_count(4)
        # It is shown whole, not just its beginning.
        for at in range(4):
            await expect(nodes.nth(at)).to_be_in_viewport(ratio=1)
        await expect(nodes.nth(0)).to_contain_text(Path(file["prov:label"]).name)
        await expect(nodes.nth(0)).to_contain_text(f"row {derived['cityloom:row']}")
        await expect(nodes.nth(0)).to_contain_text(file["cityloom:sha256"][:8])
        await expect(nodes.nth(2)).to_contain_text("Air quality")
        await expect(nodes.nth(3)).to_contain_text(f"{station['o3']['value']:g}")
        # Every node is reached by the keyboard, in the order of the way.
        await page.keyboard.press("Tab")
        await expect(nodes.nth(0)).to_be_focused()
        await nodes.nth(2).get_by_role("link").click()
        await expect(page.locator(".panel .id")).to_have_text(re.compile("ImportRun:sample-air-readings"))


@pytest.mark.parametrize(("size", "locale"), [((1440, 900), "en-GB"), (PHONE, "zh-CN")])
async def test_panel_tells_the_object_as_of_the_past_time_that_is_shown(
    panel_node: NodeProcess, size: tuple[int, int], locale: str
) -> None:
    unknown = "当时尚无观测" if locale == "zh-CN" else "nothing observed by then"
    shown = f"time={stamp(40)}/{stamp(3)}&at="
    async with visiting(panel_node.url, size=size, locale=locale, phone=size == PHONE) as visit:
        page = visit.page
        await visit.open(f"/?id={SENSOR['id']}&chart=depth&{shown}{stamp(5.5)}")
        panel = page.locator(".panel")
        depth = page.locator('.panel [data-attribute="depth"]')
        await expect(panel).to_have_attribute("data-at", stamp(5.5))
        # Six hours ago it was 8; the radar's only value came later; the owner was never observed.
        await expect(depth.nth(0)).to_contain_text("8\u00a0m")
        await expect(depth.nth(0).locator("time")).to_have_attribute("datetime", stamp(6))
        await expect(depth.nth(1)).to_contain_text(unknown)
        await expect(visit.attribute("state").locator("time")).to_have_attribute("datetime", stamp(6))
        await expect(visit.attribute("owner")).to_contain_text(HEBREW)
        # The chart tells the same, in its own place and not somewhere over the page.
        readings, lane = page.locator(".lane .chart-legend"), page.locator(".history .lane")
        await expect(readings).to_contain_text("8\u00a0m")
        inner, outer = await readings.bounding_box(), await lane.bounding_box()
        assert inner is not None
        assert outer is not None
        assert outer["y"] <= inner["y"] <= outer["y"] + 4
        # Of the chosen time, not of the present: the value of now is not among them.
        await expect(page.locator(".history .depth")).to_have_count(0)
        await expect(page.locator(".stats tbody td").first).to_have_text(str(len(DEPTHS)))
        # The clock goes elsewhere, and the panel with it.
        await page.locator(".time-slide input").press("Home")
        await expect(depth.nth(0)).to_contain_text(unknown)
        assert await visit.audit() == []
        await page.locator(".time-live").press("Enter")
        await expect(panel).to_have_attribute("data-at", "")
        await expect(depth.nth(0)).to_contain_text("1.5\u00a0m")
        await expect(depth.nth(1)).to_contain_text("1.7\u00a0m")

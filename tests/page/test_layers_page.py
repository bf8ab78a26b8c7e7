"""The map and its catalogue: what is shown, filtered, coloured and counted, and what goes wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.async_api import Locator, Route, expect

from .browser import Visit, visiting
from .node import NodeProcess, running

pytestmark = pytest.mark.page

PHONE = (390, 844)
HEBREW = "פנס רחוב"
HOSTILE = '<img src=x onerror="alert(1)"><b>bold</b>'
LAMPS = 5_200
VIRIDIS_FIRST, VIRIDIS_LAST = "#440154", "#fde725"


def prop(value: Any, **members: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value, **members}


def at(lon: float, lat: float) -> dict[str, Any]:
    return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [lon, lat]}}


def lamp(number: int) -> dict[str, Any]:
    """A lamp of a grid of 100 columns, a thousandth of a degree apart."""
    return {
        "id": f"urn:ngsi-ld:Lamp:{number:05}",
        "type": "Lamp",
        "name": prop(HEBREW if number == 0 else HOSTILE if number == 1 else f"Lamp {number}"),
        "power": prop(50 + number % 5 * 50, unitCode="WTT"),
        "location": at(0.001 * (number % 100), 0.001 * (number // 100)),
    }


def gauge(number: int) -> dict[str, Any]:
    return {
        "id": f"urn:ngsi-ld:Gauge:{number}",
        "type": "Gauge",
        "name": prop(f"Gauge {number}"),
        "level": prop(number, unitCode="CMT", observedAt=now()),
        "state": prop("open" if number % 4 else "closed"),
        "location": at(0.0025 + 0.003 * (number % 10), 0.0025 + 0.009 * (number // 10)),
    }


def area(number: int) -> dict[str, Any]:
    """One of two areas side by side; the first six of ten columns of gauges lie in the western one."""
    west, east = (0.0, 0.019) if number == 0 else (0.019, 0.04)
    ring = [[west, 0.0], [east, 0.0], [east, 0.04], [west, 0.04], [west, 0.0]]
    return {
        "id": f"urn:ngsi-ld:Ward:{number}",
        "type": "Ward",
        "name": prop("West" if number == 0 else "East"),
        "location": {"type": "GeoProperty", "value": {"type": "Polygon", "coordinates": [ring]}},
    }


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


@pytest.fixture(scope="module")
def node(built_page: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node with more lamps than are read whole, forty gauges and two wards."""
    with running("serve", "--data", str(tmp_path_factory.mktemp("layers")), "--port", "0") as made:
        entities = [*map(lamp, range(LAMPS)), *map(gauge, range(40)), area(0), area(1)]
        for start in range(0, len(entities), 1000):
            batch = entities[start : start + 1000]
            made.request("POST", "/ngsi-ld/v1/entityOperations/upsert", batch)
        yield made


async def open_menu(visit: Visit, type_name: str) -> Locator:
    """Opens what can be done with a layer."""
    sign = visit.page.locator(f'.layer[data-type="{type_name}"] + .layer-more')
    await sign.click()
    await expect(sign).to_have_attribute("aria-expanded", "true")
    return visit.page.locator(f"#layer-menu-{type_name}")


async def shows(visit: Visit, type_name: str, count: int) -> None:
    """Waits until so many objects of a type are drawn."""
    await visit.until(f"window.__cityloom.rendered('{type_name}') === {count}")


def counted(visit: Visit, type_name: str) -> Locator:
    return visit.layer(type_name).locator(".layer-count [aria-hidden]")


@pytest.mark.parametrize(
    ("size", "locale", "phone", "words"),
    [
        ((1440, 900), "en-GB", False, ("City services", "Find a layer", "Hide all", "N, ")),
        (PHONE, "zh-CN", True, ("市政服务", "查找图层", "全部隐藏", "北纬")),
    ],
    ids=["desktop-en", "phone-zh"],
)
async def test_catalogue_groups_layers_and_is_worked_by_the_keyboard(
    sample_node: NodeProcess, size: tuple[int, int], locale: str, phone: bool, words: tuple[str, ...]
) -> None:
    services, find, hide_all, north = words
    async with visiting(sample_node.url, size=size, locale=locale, phone=phone, scheme="dark") as visit:
        await visit.open()
        page = visit.page
        await expect(page.locator(".map-foot")).to_contain_text("WGS 84")
        await expect(page.locator(".map-foot")).to_contain_text(north)
        await expect(page.locator(".map-foot .scale")).to_be_visible()
        await page.locator(".attribution summary").click()
        await expect(page.locator(".attribution li").first).to_be_in_viewport()
        await page.locator(".attribution summary").click()
        for _ in range(2 if phone else 0):
            await page.locator(".handle").click()
        group = page.locator('[data-group="services"]')
        title = group.locator(".group-title")
        await expect(title).to_contain_text(services)
        # The ground stands apart, whatever group its types are in.
        assert await page.locator('[data-group="ground"] .layer[data-type="District"]').count() == 1
        await title.focus()
        await page.keyboard.press("Enter")
        await expect(title).to_have_attribute("aria-expanded", "false")
        await expect(visit.layer("Streetlight")).to_have_count(0)
        await page.keyboard.press("Enter")
        await expect(visit.layer("Streetlight")).to_be_visible()
        await page.get_by_label(find).fill("Streetlight")
        await expect(page.locator(".layer")).to_have_count(1)
        await page.get_by_label(find).fill("")
        await group.get_by_role("button", name=hide_all).click()
        await visit.until("window.__cityloom.rendered('Streetlight') === 0")
        shown = parse_qs(urlsplit(page.url).query)["layers"][0].split(",")
        assert "District" in shown
        assert "Streetlight" not in shown
        await open_menu(visit, "Streetlight")
        await expect(page.locator(".filter")).to_be_in_viewport()
        assert await visit.audit() == []
        assert await page.evaluate("document.documentElement.scrollWidth") == size[0]


async def test_catalogue_tells_how_fresh_and_how_silent_a_layer_is(node: NodeProcess) -> None:
    node.patch("urn:ngsi-ld:Gauge:7", {"stale": prop(True)})
    async with visiting(node.url) as visit:
        await visit.open("/?layers=Gauge")
        row = visit.layer("Gauge")
        await expect(row).to_contain_text("1 of 40 silent")
        await expect(row.locator("time")).to_contain_text(re.compile(r"(second|minute)s? ago|now"))
        node.patch("urn:ngsi-ld:Gauge:7", {"stale": prop(False)})
        await expect(row).not_to_contain_text("silent")
    # What nobody calls silent is old all the same.
    relic = {"id": "urn:ngsi-ld:Relic:1", "type": "Relic", "location": at(0.02, 0.02)}
    node.create(relic | {"depth": prop(1, observedAt="2019-06-01T00:00:00Z")})
    async with visiting(node.url) as visit:
        await visit.open("/?layers=Relic")
        await expect(visit.layer("Relic")).to_contain_text(re.compile(r"2019.*old data, \d+ years ago"))
        await expect(visit.layer("Gauge")).not_to_contain_text("old data")
    node.delete(relic["id"])


async def test_filter_made_of_conditions_rules_map_count_and_address(node: NodeProcess) -> None:
    async with visiting(node.url) as visit:
        await visit.open("/?layers=Gauge,Ward#map=14/0.02/0.02")
        await shows(visit, "Gauge", 40)
        menu = await open_menu(visit, "Gauge")
        await menu.get_by_role("button", name="Add a condition").click()
        await menu.get_by_label("Attribute", exact=True).select_option("level")
        await menu.get_by_label("Comparison").select_option(">=")
        await menu.get_by_label("Value (cm)").fill("30")
        await expect(menu.get_by_role("status")).to_have_text("10 of 40 match")
        await menu.get_by_role("button", name="Add a condition").click()
        second = menu.get_by_role("group", name="Condition").nth(1)
        await second.get_by_label("Attribute").select_option("state")
        await second.get_by_label("Value").select_option("closed")
        await expect(menu.get_by_role("status")).to_have_text("2 of 40 match")
        await menu.get_by_label("How conditions are joined").select_option("OR")
        await expect(menu.get_by_role("status")).to_have_text("18 of 40 match")
        await menu.get_by_role("button", name="Show these").click()
        await shows(visit, "Gauge", 18)
        await expect(counted(visit, "Gauge")).to_have_text("18 of 40")
        asked = parse_qs(urlsplit(visit.page.url).query)["filter.Gauge"]
        assert asked == ["level >= 30 OR state = 'closed'"]
        # What enters the filter and what leaves it, the node decides.
        node.patch("urn:ngsi-ld:Gauge:1", {"level": prop(99, unitCode="CMT")})
        await shows(visit, "Gauge", 19)
        node.patch("urn:ngsi-ld:Gauge:1", {"level": prop(1, unitCode="CMT")})
        await shows(visit, "Gauge", 18)
        await visit.page.reload()
        await shows(visit, "Gauge", 18)
        menu = await open_menu(visit, "Gauge")
        await expect(menu.get_by_label("Value (cm)")).to_have_value("30")
        await menu.get_by_role("button", name="Show all").click()
        await shows(visit, "Gauge", 40)


async def test_filter_by_hand_tells_what_the_node_says_is_wrong(node: NodeProcess) -> None:
    async with visiting(node.url, size=PHONE, locale="zh-CN", phone=True) as visit:
        await visit.open("/?layers=Gauge#map=13/0.02/0.02")
        for _ in range(2):
            await visit.page.locator(".handle").click()
        menu = await open_menu(visit, "Gauge")
        await menu.get_by_role("button", name="编写 CQL2").click()
        await menu.get_by_label("CQL2 文本").fill("level > > 3")
        await expect(menu.get_by_role("status")).to_contain_text("filter is invalid at position")
        await menu.get_by_label("CQL2 文本").fill("level > 35 AND NOT state = 'closed'")
        await expect(menu.get_by_role("status")).to_have_text("40 个中 3 个符合")
        await menu.get_by_role("button", name="应用").click()
        await expect(counted(visit, "Gauge")).to_have_text("3/40")
        await shows(visit, "Gauge", 3)
        visit.complaints = [text for text in visit.complaints if "400" not in text]


async def test_colours_by_number_are_told_in_words_and_follow_the_values(node: NodeProcess) -> None:
    async with visiting(node.url) as visit:
        await visit.open("/?layers=Gauge&colour.Gauge=level#map=17/0.0025/0.0025")
        legend = visit.page.locator(".legend")
        await expect(legend).to_contain_text("Level (cm)")
        await expect(legend.locator("li").first).to_have_text("0–7")
        await expect(legend.locator("li")).to_have_count(5)
        first = "urn:ngsi-ld:Gauge:0"
        await visit.until(f"window.__cityloom.colourOf('{first}') === '{VIRIDIS_FIRST}'")
        place = await visit.page.evaluate("id => window.__cityloom.pixelOf(id)", first)
        await visit.page.mouse.move(*place)
        await expect(visit.page.locator(".tip")).to_contain_text("Level: 0 cm (class 1 of 5)")
        node.patch(first, {"level": prop(39, unitCode="CMT")})
        await visit.until(f"window.__cityloom.colourOf('{first}') === '{VIRIDIS_LAST}'")
        node.patch(first, {"level": prop(0, unitCode="CMT")})
        await visit.until(f"window.__cityloom.colourOf('{first}') === '{VIRIDIS_FIRST}'")
        menu = await open_menu(visit, "Gauge")
        await menu.get_by_label("Classes").select_option("equal")
        await expect(legend.locator("li").nth(1)).to_have_text("8–15")
        await menu.get_by_label("Colour by attribute").select_option("state")
        await expect(legend).to_contain_text("30")
        await expect(legend.locator("li")).to_have_count(2)
        await visit.until(f"window.__cityloom.colourOf('{first}') === '#d55e00'")
        assert await visit.audit() == []


async def test_classes_have_room_for_a_value_that_leaves_them_and_are_made_anew(node: NodeProcess) -> None:
    last = "urn:ngsi-ld:Gauge:39"
    async with visiting(node.url) as visit:
        await visit.open("/?layers=Gauge&colour.Gauge=equal:level")
        classes = visit.page.locator(".legend li")
        await expect(classes).to_have_text(["0–7", "8–15", "16–23", "24–31", "32–39"])
        node.patch(last, {"level": prop(1000, unitCode="CMT")})
        await expect(classes.last).to_contain_text("–1,000")
        await expect(classes).to_have_text(["0–199", "200–399", "400–599", "600–799", "800–1,000"])
        await visit.until(f"window.__cityloom.colourOf('{last}') === '{VIRIDIS_LAST}'")
        await visit.until(f"window.__cityloom.colourOf('urn:ngsi-ld:Gauge:38') === '{VIRIDIS_FIRST}'")
        # The least of the values: the first class begins with it.
        node.patch(last, {"level": prop(39, unitCode="CMT")})
        node.patch("urn:ngsi-ld:Gauge:38", {"level": prop(-61, unitCode="CMT")})
        await expect(classes.first).to_have_text("-61 to -42")
        node.patch("urn:ngsi-ld:Gauge:38", {"level": prop(38, unitCode="CMT")})


async def test_large_layer_comes_as_tiles_and_stays_live(node: NodeProcess) -> None:
    asked: list[str] = []
    async with visiting(node.url) as visit:
        visit.page.on("request", lambda request: asked.append(request.url))
        await visit.open("/?layers=Lamp&colour.Lamp=power#map=16/0.0055/0.0085")
        await visit.until("window.__cityloom.rendered('Lamp') > 50")
        assert [url for url in asked if "/collections/Lamp/items" in url] == []
        assert [url for url in asked if "/collections/Lamp/tiles/WebMercatorQuad/" in url]
        before = await visit.rendered("Lamp")
        chosen, other = lamp(405)["id"], lamp(406)["id"]
        await visit.click_object(chosen)
        await expect(visit.page.locator(".panel .id")).to_have_text(chosen)
        await visit.page.keyboard.press("Escape")
        # A value, a place, an end and a beginning.
        assert await visit.page.evaluate("id => window.__cityloom.colourOf(id)", other) != VIRIDIS_LAST
        node.patch(other, {"power": prop(250, unitCode="WTT")})
        await visit.until(f"window.__cityloom.colourOf('{other}') === '{VIRIDIS_LAST}'")
        node.patch(chosen, {"location": at(0.0085, 0.0055)})
        await visit.until(
            f"Math.abs(window.__cityloom.placeOf('{chosen}')[0] - 0.0085) < 1e-6"
            f" && window.__cityloom.rendered('Lamp') === {before}"
        )
        await visit.page.mouse.move(*await visit.page.evaluate("id => window.__cityloom.pixelOf(id)", chosen))
        await expect(visit.page.locator(".tip")).to_contain_text("Lamp 405")
        await expect(visit.page.locator(".tip")).to_contain_text("50 W")
        node.delete(other)
        await shows(visit, "Lamp", before - 1)
        node.create({**lamp(7), "id": "urn:ngsi-ld:Lamp:new", "location": at(0.0075, 0.0055)})
        await shows(visit, "Lamp", before)
        node.delete("urn:ngsi-ld:Lamp:new")
        node.create(lamp(406))
        node.patch(chosen, {"location": lamp(405)["location"]})


async def test_large_layer_keeps_to_its_filter(node: NodeProcess) -> None:
    async with visiting(node.url, scheme="dark") as visit:
        await visit.open("/?layers=Lamp&filter.Lamp=power%20%3D%2050#map=16/0.0055/0.0085")
        await expect(counted(visit, "Lamp")).to_have_text("1,040 of 5,200")
        await visit.until("window.__cityloom.rendered('Lamp') > 10")
        before = await visit.rendered("Lamp")
        node.patch(lamp(406)["id"], {"power": prop(50, unitCode="WTT")})
        await shows(visit, "Lamp", before + 1)
        await expect(counted(visit, "Lamp")).to_have_text("1,041 of 5,200")
        node.patch(lamp(406)["id"], {"power": prop(100, unitCode="WTT")})
        await shows(visit, "Lamp", before)


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
async def test_areas_are_coloured_by_what_lies_in_them(node: NodeProcess, phone: bool) -> None:
    size = PHONE if phone else (1440, 900)
    query = "/?layers=Gauge,Ward&areas=Ward:Gauge:count:&filter.Gauge=level%20%3C%2030"
    async with visiting(node.url, size=size, phone=phone) as visit:
        await visit.open(f"{query}#map=13/0.02/0.02")
        legend = visit.page.locator(".legend")
        if phone:
            await legend.locator("summary").click()
        await expect(legend).to_contain_text("Gauge: number")
        answer = node.get("/map/areas?areas=Ward&type=Gauge&filter=level%20%3C%2030")
        told = {each["id"]: each["value"] for each in answer["areas"]}
        assert told == {"urn:ngsi-ld:Ward:0": 18, "urn:ngsi-ld:Ward:1": 12}
        await expect(legend.locator('[data-legend="areas"] li').first).to_contain_text("12–")
        if phone:
            return
        await visit.until("window.__cityloom.rendered('Ward') === 2")
        x, y = await visit.page.evaluate("window.__cityloom.pixelOf('urn:ngsi-ld:Ward:1')")
        await visit.page.mouse.move(x + 17, y + 30)
        await expect(visit.page.locator(".tip")).to_contain_text("Gauge: number: 12")
        new = {**gauge(3), "id": "urn:ngsi-ld:Gauge:new", "location": at(0.021, 0.013)}
        node.create(new)
        await expect(legend.locator('[data-legend="areas"] li').first).to_have_text("13")
        node.delete(new["id"])
        menu = await open_menu(visit, "Gauge")
        await menu.get_by_label("What is told of each area").select_option("avg")
        await expect(legend).to_contain_text("Gauge: average, Level (cm)")
        await menu.get_by_label("Classes of the areas").select_option("quantile")
        await expect(visit.page).to_have_url(re.compile(r"areas=[^&]*quantile"))
        await menu.get_by_label("Areas", exact=True).select_option("")
        await expect(legend).to_have_count(0)


async def test_page_shows_everything_of_a_node_that_answers_with_little_at_a_time(
    built_page: None, tmp_path: Path
) -> None:
    def ward(number: int) -> dict[str, Any]:
        west, south = 0.01 * (number % 5), 0.01 * (number // 5)
        ring = [
            [west, south],
            [west + 0.01, south],
            [west + 0.01, south + 0.01],
            [west, south + 0.01],
            [west, south],
        ]
        place = {"type": "GeoProperty", "value": {"type": "Polygon", "coordinates": [ring]}}
        return {
            "id": f"urn:ngsi-ld:Ward:{number}",
            "type": "Ward",
            "name": prop(f"Ward {number}"),
            "location": place,
        }

    folder = tmp_path / "city"
    folder.mkdir()
    (folder / "city.yaml").write_text("settings: {itemsMax: 10}")
    with running("serve", "--data", str(folder), "--port", "0") as node:
        entities = [*map(gauge, range(40)), *map(ward, range(25))]
        node.request("POST", "/ngsi-ld/v1/entityOperations/upsert", entities)
        assert len(node.get("/ogc/collections/Gauge/items?limit=100")["features"]) == 10
        async with visiting(node.url) as visit:
            await visit.open("/?layers=Gauge,Ward&areas=Ward:Gauge:count:#map=13/0.02/0.02")
            await shows(visit, "Gauge", 40)
            await shows(visit, "Ward", 25)
            await visit.open("/?page=table&table=@areas&areas=Ward:Gauge:count:")
            names = visit.page.locator(".table tbody th")
            await expect(names).to_have_count(25)
            await expect(visit.page.locator(".table tbody")).to_contain_text("Ward 24")
            await visit.open("/?page=table&table=Gauge")
            await expect(visit.page.locator(".table-pager")).to_contain_text("1–10")
            await visit.page.get_by_role("button", name="Next page").click()
            await expect(visit.page.locator(".table-pager")).to_contain_text("11–20")


async def test_names_in_other_scripts_and_full_of_markup_are_text(node: NodeProcess) -> None:
    async with visiting(node.url) as visit:
        await visit.open("/?layers=Lamp#map=18/0/0.0005")
        for number, text in ((0, HEBREW), (1, HOSTILE)):
            place = await visit.page.evaluate("id => window.__cityloom.pixelOf(id)", lamp(number)["id"])
            await visit.page.mouse.move(*place)
            await expect(visit.page.locator(".tip bdi").first).to_have_text(text)
        assert await visit.page.locator(".page img").count() == 0


async def test_page_goes_on_when_a_layer_fails_is_broken_or_is_huge(node: NodeProcess) -> None:
    turns = [[round(0.02 + n / 1e8, 8), 0.03 + n % 1000 / 1e6] for n in range(1_000_000)]
    geometries: list[Any] = [
        {"type": "Point", "coordinates": [0.01, 0.01]},
        {"type": "Point", "coordinates": [0.01, 910]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
        {"type": "Polygon", "coordinates": None},
        {"type": "Spiral", "coordinates": [0, 0]},
        {"type": "LineString", "coordinates": turns},
        None,
    ]
    features = [
        {"type": "Feature", "id": f"urn:x:{n}", "geometry": geometry, "properties": {"name": HOSTILE}}
        for n, geometry in enumerate(geometries)
    ]
    broken = json.dumps({"type": "FeatureCollection", "features": features})
    fails = True

    async def gauges(route: Route) -> None:
        if fails:
            await route.fulfill(status=500, json={"title": "Out of order", "detail": "the disk is full"})
        else:
            await route.continue_()

    async with visiting(node.url) as visit:
        page = visit.page
        await page.route("**/ogc/collections/Gauge/items*", gauges)
        await page.route(
            "**/ogc/collections/Ward/items*",
            lambda route: route.fulfill(body=broken, content_type="application/geo+json"),
        )
        await page.goto(f"{visit.origin}/?layers=Gauge,Ward#map=14/0.02/0.02")
        await expect(visit.layer("Gauge")).to_contain_text("could not be read: the disk is full")
        await expect(visit.layer("Ward")).to_contain_text("4 objects have a place that cannot be drawn")
        await visit.until("window.__cityloom.rendered('Ward') === 2")
        fails = False
        await visit.layer("Gauge").get_by_role("button", name="Try again").click()
        await shows(visit, "Gauge", 40)
        visit.complaints = [text for text in visit.complaints if "500" not in text]


async def test_without_webgl_the_page_says_so_and_the_lists_work(node: NodeProcess) -> None:
    async with visiting(node.url, size=PHONE, phone=True) as visit:
        await visit.page.add_init_script(
            "const own = HTMLCanvasElement.prototype.getContext;"
            "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
            "  return kind.startsWith('webgl') ? null : own.call(this, kind, ...rest); };"
        )
        await visit.page.goto(f"{visit.origin}/?layers=Gauge,Lamp")
        await expect(visit.page.locator(".map-failed")).to_contain_text("WebGL is off")
        for _ in range(2):
            await visit.page.locator(".handle").click()
        await expect(counted(visit, "Gauge")).to_have_text("40")
        await expect(visit.layer("Lamp")).not_to_contain_text("loading")
        await visit.page.goto(f"{visit.origin}/?layers=Gauge&id={quote(gauge(3)['id'])}")
        await expect(visit.page.locator(".panel h2")).to_have_text("Gauge 3")


async def test_tiles_that_failed_are_read_again_when_the_reader_asks(node: NodeProcess) -> None:
    fails = True

    async def tiles(route: Route) -> None:
        await (route.abort() if fails else route.continue_())

    async with visiting(node.url) as visit:
        await visit.page.context.route("**/ogc/collections/Lamp/tiles/**", tiles)
        await visit.page.goto(f"{visit.origin}/?layers=Lamp#map=16/0.0055/0.0085")
        await expect(visit.layer("Lamp")).to_contain_text("could not be read")
        # No tile is on its way that could yet hide that the failed ones are not asked for again.
        await visit.until("window.__cityloom.resting()")
        fails = False
        await visit.layer("Lamp").get_by_role("button", name="Try again").click()
        await visit.until("window.__cityloom.rendered('Lamp') > 50")
        await expect(visit.layer("Lamp")).not_to_contain_text("could not be read")
        visit.complaints = [text for text in visit.complaints if "ERR_FAILED" not in text]


async def test_what_an_address_asks_for_in_vain_is_told_until_it_is_put_away(
    sample_node: NodeProcess,
) -> None:
    async with visiting(sample_node.url) as visit:
        note = visit.page.locator(".address-note")
        await visit.open("/?layers=Nope")
        await expect(note).to_contain_text("layers=Nope")
        assert await visit.rendered("District") > 0
        # What the map does not show is told beside its layer, and listed in the table.
        layers = {each["type"]: each for each in sample_node.get("/map/layers")}
        reports = visit.layer("Open311ServiceRequest")
        await expect(visit.layer("Streetlight")).to_contain_text("Some lie far away from the rest")
        count = layers["Open311ServiceRequest"]["noPlace"]
        assert count > 0
        await expect(reports).to_contain_text(f"{count} have no place on the map")
        # A screen reader is told so by the button beside it, not by the box as well.
        box = reports.get_by_role("checkbox", name=re.compile("^[^:]*objects?$"))
        await expect(box).to_have_accessible_name(re.compile("reports"))
        await reports.get_by_role("button", name="no place").click()
        await expect(visit.page.locator(".row-note")).to_have_text(["no place on the map"] * count)
        # The table lists these alone, the map goes on showing the others; a press lists all again.
        only = visit.page.locator("[data-only]")
        await expect(only).to_contain_text("no place on the map")
        assert "filter." not in visit.page.url
        await only.get_by_role("button").click()
        await expect(only).to_have_count(0)
        every = f"{layers['Open311ServiceRequest']['count']} objects"
        await expect(visit.page.locator(".table caption")).to_contain_text(every)
        broken = quote("powerRating >> 5")
        await visit.page.goto(
            f"{sample_node.url}/?layers=Streetlight&filter.Streetlight={broken}"
            "&colour.Streetlight=nope&time=yesterday&page=x&speed=-1&at=now"
        )
        # What empties the map comes first; what does not fit is one press away.
        await expect(note.locator("li").first).to_contain_text("filter.Streetlight=powerRating >> 5")
        await expect(note.get_by_text("speed=-1")).to_be_hidden()
        await note.get_by_text("more").click()
        await expect(note.get_by_text("speed=-1")).to_be_visible()
        for part in ("colour.Streetlight=nope", "time=yesterday", "page=x", "at=now"):
            await expect(note).to_contain_text(part)
        await note.get_by_role("button", name="Close").click()
        await expect(note).not_to_contain_text("Streetlight")
        assert await visit.page.evaluate("document.activeElement.id") == "map"
        await visit.page.goto(f"{sample_node.url}/?page=table&table=District&columns=nope&sort=-neither")
        await expect(note).to_contain_text("columns=nope")
        await expect(note).to_contain_text("sort=-neither")
        visit.complaints = [text for text in visit.complaints if "400" not in text]


async def test_coloured_areas_name_what_lies_nowhere_and_lie_under_nothing(sample_node: NodeProcess) -> None:
    told = sample_node.get("/map/areas?areas=District&type=Open311ServiceRequest&aggregate=count")
    assert told["noPlace"] > 0
    async with visiting(sample_node.url) as visit:
        await visit.open("/?areas=District:Open311ServiceRequest:count:&layers=District&time=last24h")
        pane, legend = visit.page.locator(".map-pane"), visit.page.locator(".legend")
        await expect(pane).to_contain_text(f"{told['noPlace']} have no place")
        boxes = [await visit.page.locator(each).bounding_box() for each in (".map", ".legend", ".time-bar")]
        whole, words, bar = (box for box in boxes if box)
        assert whole["width"] * whole["height"] >= 0.6 * 1440 * 900
        await expect(legend).to_have_attribute("open", "")
        for each in told["areas"]:
            x, y = await visit.page.evaluate("id => window.__cityloom.pixelOf(id)", each["id"])
            assert x > words["x"] + words["width"]
            assert y < bar["y"]

"""The table twin: the map's objects in rows, in both languages and sizes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow.parquet as parquet
import pytest
from playwright.async_api import Locator, expect

from .browser import Visit, visiting
from .node import NodeProcess, running

pytestmark = pytest.mark.page

PHONE = (390, 844)
FILTER = "powerRating > 100 AND circuit = 'C2'"
LIGHTS = f"/?page=table&table=Streetlight&filter.Streetlight={quote(FILTER)}"
HOSTILE = "<img src=x onerror=alert(1)>"
ARABIC = "مركز المدينة"


@pytest.fixture(scope="module")
def small_node(built_page: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node with a few objects that make it hard."""
    with running("serve", "--data", str(tmp_path_factory.mktemp("table")), "--port", "0") as node:
        for number in range(3):
            node.create(
                {
                    "id": f"urn:ngsi-ld:Kiosk:{number}",
                    "type": "Kiosk",
                    "name": {"type": "Property", "value": (HOSTILE, ARABIC, "Plain")[number]},
                    "note": {"type": "Property", "value": "long " * 60 if number else HOSTILE},
                    "load": {"type": "Property", "value": number * 1000.5, "unitCode": "KGM"},
                    "open": {"type": "Property", "value": number == 1},
                    "location": {
                        "type": "GeoProperty",
                        "value": {"type": "Point", "coordinates": [10.0 + number / 100, 50.0]},
                    },
                }
            )
        yield node


def rows(visit: Visit) -> Locator:
    return visit.page.locator(".table tbody tr")


def column(visit: Visit, name: str) -> Locator:
    return visit.page.locator(f'.table td[data-column="{name}"]')


def lights_of(node: NodeProcess, filter: str, **more: Any) -> list[dict[str, Any]]:
    """What the standard API says of the same question, in the order of the answer."""
    asked = "&".join(f"{name}={quote(str(value))}" for name, value in more.items())
    path = f"/ogc/collections/Streetlight/items?f=json&limit=5000&filter={quote(filter)}&{asked}"
    features: list[dict[str, Any]] = node.get(path)["features"]
    return features


async def test_table_has_the_filter_of_the_map_sorts_and_turns_pages(sample_node: NodeProcess) -> None:
    wanted = lights_of(sample_node, FILTER, sortby="-illuminanceLevel")
    assert len(wanted) > 100
    # How many lights there are depends on the day.
    every = sample_node.get("/ogc/collections/Streetlight/items?f=json&limit=1")["numberMatched"]
    async with visiting(sample_node.url) as visit:
        page = visit.page
        await page.goto(visit.origin + LIGHTS)
        await expect(page.locator(".table caption")).to_contain_text(f"{len(wanted)} of {every}")
        await expect(rows(visit)).to_have_count(100)
        assert set(await column(visit, "circuit").all_inner_texts()) == {"C2"}
        # The head tells the unit, and sorts: rising, falling, by id again.
        head = page.locator('th[data-column="illuminanceLevel"]')
        await expect(page.locator('th[data-column="powerRating"]')).to_contain_text("W")
        await head.get_by_role("button").click()
        await expect(head).to_have_attribute("aria-sort", "ascending")
        await head.get_by_role("button").click()
        await expect(head).to_have_attribute("aria-sort", "descending")
        await visit.until("!document.querySelector('.table-box[aria-busy=true]')")
        first = page.locator(".row-name").first
        await expect(first).to_have_attribute("data-object", wanted[0]["id"])
        await page.get_by_role("button", name="Next page").click()
        await expect(page.locator(".table-pager")).to_contain_text(f"101–{min(200, len(wanted))}")
        await expect(first).to_have_attribute("data-object", wanted[100]["id"])
        # All of it is in the address: a reload shows the same.
        await page.reload()
        await expect(first).to_have_attribute("data-object", wanted[100]["id"])
        await expect(head).to_have_attribute("aria-sort", "descending")
        # Another filter begins with its first row; a wrong one is told and loses nothing.
        field = page.get_by_label("Filter (CQL2)")
        # What it could be, of attributes that lights have.
        example = await field.get_attribute("placeholder")
        assert example is not None
        name = example.removeprefix("For example ").removesuffix(" > 20")
        assert name in sample_node.get("/ogc/collections/Streetlight/queryables?f=json")["properties"]
        await field.fill("powerRating >")
        await page.get_by_role("button", name="Apply").click()
        await expect(page.get_by_role("alert")).to_contain_text("does not understand this filter")
        await expect(field).to_have_value("powerRating >")
        await field.fill("circuit = 'C3'")
        await field.press("Enter")
        await expect(first).to_have_attribute(
            "data-object", lights_of(sample_node, "circuit = 'C3'", sortby="-illuminanceLevel")[0]["id"]
        )
        await page.get_by_role("button", name="Remove the filter").click()
        await expect(page.locator(".table caption")).to_contain_text(f"Street lights: {every} objects")
        assert "filter" not in page.url
        visit.complaints = [text for text in visit.complaints if "400" not in text]


async def test_files_hold_the_whole_selection_with_the_chosen_columns(
    sample_node: NodeProcess, tmp_path: Path
) -> None:
    wanted = [each["id"] for each in lights_of(sample_node, FILTER, sortby="-illuminanceLevel")]
    async with visiting(sample_node.url) as visit:
        page = visit.page
        await page.goto(f"{visit.origin}{LIGHTS}&sort=-illuminanceLevel&columns=circuit,powerRating")
        await expect(page.locator(".table thead th")).to_have_count(3)
        await page.get_by_role("button", name="Columns").click()
        await page.get_by_role("dialog").get_by_label("Brightness", exact=False).first.check()
        await page.keyboard.press("Escape")
        await expect(page.locator(".table thead th")).to_have_count(4)
        files: dict[str, Path] = {}
        for label, ending in (("CSV", "csv"), ("GeoJSON", "geojson"), ("Parquet", "parquet")):
            async with page.expect_download() as download:
                await page.get_by_role("link", name=label, exact=True).click()
            saved = await download.value
            assert saved.suggested_filename.startswith("loomhaven-sample-city-street-lights-2")
            assert saved.suggested_filename.endswith(f".{ending}")
            files[label] = tmp_path / saved.suggested_filename
            await saved.save_as(files[label])
        table = list(csv.DictReader(io.StringIO(files["CSV"].read_text("utf-8-sig"))))
        assert [row["id"] for row in table] == wanted
        assert {row["circuit"] for row in table} == {"C2"}
        assert "lampType" not in table[0]
        collection = json.loads(files["GeoJSON"].read_text())
        assert [each["id"] for each in collection["features"]] == wanted
        assert set(collection["features"][0]["properties"]) <= {
            "name",
            "circuit",
            "powerRating",
            "illuminanceLevel",
        }
        assert parquet.read_table(files["Parquet"]).column("id").to_pylist() == wanted


async def test_what_one_answer_does_not_hold_is_told_and_no_row_is_passed_over(
    built_page: None, tmp_path: Path
) -> None:
    (tmp_path / "city.yaml").write_text("settings:\n  itemsMax: 2\n")
    with running("serve", "--data", str(tmp_path), "--port", "0") as node:
        for number in range(5):
            node.create({"id": f"urn:ngsi-ld:Kiosk:{number}", "type": "Kiosk", "load": {"value": number}})
        async with visiting(node.url, size=PHONE, phone=True) as visit:
            page = visit.page
            await page.goto(f"{visit.origin}/?page=table&table=Kiosk&sort=load")
            await expect(page.locator(".table-files")).to_contain_text("The first 2 of 5 objects")
            seen: list[str] = []
            for part in ("1–2 of 5", "3–4 of 5", "5–5 of 5"):
                if seen:
                    await page.get_by_role("button", name="Next page").click()
                await expect(page.locator(".table-pager")).to_contain_text(part)
                await visit.until("!document.querySelector('.table-box[aria-busy=true]')")
                seen += await column(visit, "load").all_inner_texts()
            assert seen == ["0", "1", "2", "3", "4"]
            async with page.expect_download() as download:
                await page.get_by_role("link", name="CSV", exact=True).click()
            await (await download.value).save_as(tmp_path / "some.csv")
            assert (tmp_path / "some.csv").read_text("utf-8-sig").count("Kiosk:") == 2
            assert await page.evaluate(
                "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            )


async def test_rows_open_objects_and_are_walked_by_the_keyboard(sample_node: NodeProcess) -> None:
    async with visiting(sample_node.url) as visit:
        page = visit.page
        await page.goto(visit.origin + LIGHTS)
        names = page.locator(".row-name")
        await names.first.focus()
        await page.keyboard.press("ArrowDown")
        await expect(names.nth(1)).to_be_focused()
        await page.keyboard.press("End")
        await expect(names.nth(99)).to_be_focused()
        await page.keyboard.press("Home")
        await page.keyboard.press("Enter")
        first = await names.first.get_attribute("data-object")
        second = await names.nth(1).get_attribute("data-object")
        # The object stands at the side, the table stays.
        await expect(page.locator(".panel .id")).to_have_text(str(first))
        await expect(rows(visit)).to_have_count(100)
        await page.keyboard.press("j")
        await expect(page.locator(".panel .id")).to_have_text(str(second))
        await expect(names.nth(1)).to_have_attribute("aria-current", "true")
        await page.keyboard.press("k")
        await expect(page.locator(".panel .id")).to_have_text(str(first))
        await page.keyboard.press("Escape")
        await expect(page.locator(".panel")).to_have_count(0)


async def test_hostile_right_to_left_and_long_values_are_text_and_rows_are_live(
    small_node: NodeProcess,
) -> None:
    async with visiting(small_node.url) as visit:
        page = visit.page
        await page.goto(f"{visit.origin}/?page=table&table=Kiosk&columns=note,load,open&sort=load")
        names = page.locator(".row-name bdi")
        await expect(names.first).to_have_text(HOSTILE)
        await expect(names.nth(1)).to_have_text(ARABIC)
        assert await page.locator(".table img").count() == 0
        await expect(column(visit, "note").first).to_have_text(HOSTILE)
        await expect(column(visit, "load")).to_have_text(["0", "1,000.5", "2,001"])
        await expect(page.locator('th[data-column="load"]')).to_contain_text("kg")
        assert (
            await column(visit, "load").first.evaluate("cell => getComputedStyle(cell).textAlign") == "right"
        )
        await expect(column(visit, "open").nth(1)).to_have_text("Yes", ignore_case=True)
        # A long value is cut, and whole on demand.
        long = column(visit, "note").nth(1)
        await expect(long).to_contain_text("…")
        await long.get_by_role("button").click()
        await expect(long).to_contain_text(("long " * 60).strip())
        # A change that arrives is in its row, and where the order puts it.
        small_node.patch(
            "urn:ngsi-ld:Kiosk:0", {"load": {"type": "Property", "value": 5000, "unitCode": "KGM"}}
        )
        await expect(column(visit, "load")).to_have_text(["1,000.5", "2,001", "5,000"])
        small_node.create(
            {"id": "urn:ngsi-ld:Kiosk:9", "type": "Kiosk", "load": {"type": "Property", "value": 1}}
        )
        await expect(rows(visit)).to_have_count(4)
        small_node.delete("urn:ngsi-ld:Kiosk:9")
        await expect(rows(visit)).to_have_count(3)
        # A type that is not there is an answer, not an empty page.
        await page.goto(f"{visit.origin}/?page=table&table=Nothing")
        missing = page.get_by_role("alert")
        await expect(missing).to_contain_text("This city has no layer “Nothing”.")
        await missing.get_by_role("button", name="Kiosk").click()
        await expect(rows(visit)).to_have_count(3)


@pytest.mark.parametrize(
    ("size", "locale", "scheme"), [((1440, 900), "en-GB", "light"), (PHONE, "zh-CN", "dark")]
)
async def test_table_and_areas_at_every_size_and_nothing_serious_for_axe(
    sample_node: NodeProcess, size: tuple[int, int], locale: str, scheme: Any
) -> None:
    phone = size == PHONE
    areas = sample_node.get("/map/areas?areas=District&type=AirQualityObserved&aggregate=avg&attribute=no2")
    known = [each["value"] for each in areas["areas"] if each["value"] is not None]
    found: dict[str, list[str]] = {}
    async with visiting(sample_node.url, size=size, locale=locale, scheme=scheme, phone=phone) as visit:
        page = visit.page
        await page.goto(visit.origin + LIGHTS + "&time=last24h")
        await expect(rows(visit)).to_have_count(100)
        await expect(page.locator(".table caption")).to_contain_text("路灯" if phone else "Street lights")
        # The map is in the past; these are the values of now, and the page says so.
        await expect(page.locator(".table-page > .note")).to_contain_text(
            "当前的值" if phone else "values of now"
        )
        assert await page.evaluate("document.documentElement.scrollWidth") <= size[0]
        found["rows"] = await visit.audit()
        # Wide tables scroll in their box; the head and the names stay in sight.
        box = page.locator(".table-box")
        await box.evaluate("box => box.scrollTo(400, 600)")
        frame = await box.bounding_box()
        head = await page.locator(".table thead th").first.bounding_box()
        assert frame is not None
        assert head is not None
        assert abs(head["x"] - frame["x"]) <= 2
        assert abs(head["y"] - frame["y"]) <= 2
        assert frame["height"] >= 200
        await page.get_by_role("button", name="列" if phone else "Columns").click()
        found["columns"] = await visit.audit()
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="条件" if phone else "Conditions").click()
        await expect(page.get_by_role("dialog").locator(".filter")).to_be_visible()
        found["conditions"] = await visit.audit()
        await page.goto(
            f"{visit.origin}/?page=table&table=@areas&areas=District:AirQualityObserved:avg:no2&sort=-value"
        )
        cells = page.locator(".table tbody tr td:nth-child(2)")
        await expect(cells.first).to_have_text(f"{max(known):.10g}")
        await expect(cells).to_have_count(len(areas["areas"]))
        await expect(page.locator(".table-files")).to_contain_text("下载" if phone else "Download")
        # Areas without a value come last, whichever way the others go.
        await expect(cells.last).to_have_text("–")
        async with page.expect_download() as download:
            await page.get_by_role("button", name="CSV").click()
        assert (await download.value).suggested_filename.endswith(".csv")
        found["areas"] = await visit.audit()
        reports = "Open311ServiceRequest"
        await page.goto(f"{visit.origin}/?page=table&table=@areas&areas=District:{reports}:count:")
        told = sample_node.get(f"/map/areas?areas=District&type={reports}&aggregate=count")
        assert told["noPlace"] > 0
        rest = page.locator(".table tfoot td")
        await expect(rest).to_have_text([str(told["outside"]), str(told["noPlace"])])
    assert not any(found.values()), found


async def test_objects_without_a_name_are_called_by_what_tells_them_apart(sample_node: NodeProcess) -> None:
    kind = "Open311ServiceRequest"
    report = sample_node.get(f"/ngsi-ld/v1/entities?type={kind}&limit=1&options=keyValues")[0]
    end = report["id"].rpartition(":")[2]
    heads: dict[str, list[str]] = {}
    for locale in ("zh-CN", "en-GB"):
        async with visiting(sample_node.url, locale=locale) as visit:
            page = visit.page
            await page.goto(f"{sample_node.url}/?page=table&table={kind}&id={report['id']}")
            row = page.locator(f'.table [data-object="{report["id"]}"]')
            await expect(row).to_have_text(f"{report['service_name']} · {end}")
            await expect(page.locator(".panel h2")).to_have_text(report["service_name"])
            columns = await page.locator(".table thead th").all()
            heads[locale] = [str(await each.get_attribute("data-column")) for each in columns]
    assert heads["zh-CN"] == heads["en-GB"]
    assert heads["en-GB"][:3] == ["name", "status", "requested_datetime"]

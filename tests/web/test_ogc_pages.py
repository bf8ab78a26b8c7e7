"""The HTML pages below `/ogc`: escaped, under a strict policy, in two languages, with every link."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapbox_vector_tile import decode

from cityloom.model.errors import Unauthorized
from cityloom.model.settings import Settings
from cityloom.web.html import element, html_page
from cityloom.web.ogc_words import WORDS
from tests.web.node import Answer, Client, open_services, running
from tests.web.ogc_city import ENTITIES, ITEMS, SCRIPT, TREES, plant, tree

PAGES = [
    "/ogc",
    "/ogc/conformance",
    "/ogc/api",
    "/ogc/collections",
    TREES,
    f"{TREES}/queryables",
    ITEMS,
    f"{ITEMS}?limit=2&offset=2",
    f"{ITEMS}/urn:ngsi-ld:Tree:9",
    "/ogc/tileMatrixSets",
    "/ogc/tileMatrixSets/WebMercatorQuad",
    f"{TREES}/tiles",
    f"{TREES}/tiles/WebMercatorQuad",
]
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class Read(HTMLParser):
    """What a browser would make of a page: elements, links and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.links: dict[str, dict[str, str | None]] = {}
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs
        if tag == "a":
            self.links[str(dict(attrs)["href"])] = dict(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


async def page(node: Client, path: str, language: str = "en") -> tuple[Answer, Read]:
    answer = await node.get(path, headers={"Accept": "text/html", "Accept-Language": language})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8"), path
    return answer, Read(answer.body.decode())


@pytest.mark.parametrize("path", PAGES)
async def test_page_runs_nothing_and_loads_nothing(node: Client, path: str) -> None:
    await plant(node)
    answer, read = await page(node, path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    (style,) = re.findall(r"<style>(.*?)</style>", answer.body.decode(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert not {"script", "iframe", "img", "object", "form"} & set(read.elements)
    assert not [name for name, _ in read.attributes if name.startswith("on") or name in ("src", "style")]


@pytest.mark.parametrize("path", PAGES)
async def test_page_holds_every_link_of_its_json(node: Client, path: str) -> None:
    await plant(node)
    _, read = await page(node, path)
    told = (await node.get(path, headers={"Accept": "application/json"})).json
    wanted = [
        each["href"]
        for each in told.get("links", [])
        if each["rel"] not in ("self", "alternate") and not each.get("templated")
    ]
    # Where a page is turned, it is by pages; data are data.
    as_html = {each: {each, each.replace("f=json", "f=html"), f"{each}?f=json"} for each in wanted}
    assert [each for each, shown in as_html.items() if not shown & read.links.keys()] == []
    others = (await node.get(path, headers={"Accept": "text/html"})).headers.getall("Link")
    assert sum('rel="alternate"' in each or 'rel="self"' in each for each in others) >= 2
    for each in others:
        href = each[1 : each.index(">")]
        assert {href, f"{href}?f=json"} & read.links.keys(), each


@pytest.mark.parametrize("path", PAGES)
async def test_page_speaks_the_language_of_its_reader(node: Client, path: str) -> None:
    await plant(node)
    for language, tag in (("en-GB", "en"), ("zh-CN", "zh")):
        answer, read = await page(node, path, language)
        assert f'<html lang="{tag}">' in answer.body.decode()
        assert WORDS[tag]["collections"] in read.text
        assert answer.headers["Vary"] == "Accept, Accept-Language"
    asked = await node.get(f"{path}{'&' if '?' in path else '?'}f=html&lang=zh")
    assert '<html lang="zh">' in asked.body.decode()


async def test_data_is_shown_and_never_run(node: Client) -> None:
    await plant(node)
    evil = {"type": "Property", "value": {f"{SCRIPT}": ['"><img src=x onerror=alert(1)>']}}
    nasty = "urn:a:'><script>alert(2)</script>".replace("<", "%3C").replace(">", "%3E")
    assert (await node.post(ENTITIES, {**tree(8, bark=evil), "id": nasty})).status == 201
    for path in (ITEMS, f"{ITEMS}/urn:ngsi-ld:Tree:9", f"{ITEMS}/{quote(nasty, safe='')}"):
        answer, read = await page(node, path)
        assert not {"script", "img"} & set(read.elements), path
        assert b"<script" not in answer.body
    assert SCRIPT in (await page(node, f"{ITEMS}/urn:ngsi-ld:Tree:9"))[1].text


async def test_features_lead_to_the_map_and_to_themselves(node: Client) -> None:
    await plant(node)
    _, read = await page(node, ITEMS)
    assert f"{node.base}/?id=urn%3Angsi-ld%3ATree%3A1" in read.links
    assert (await node.get(f"{ITEMS}/urn%3Angsi-ld%3ATree%3A1")).status == 200
    assert f"{node.base}{ITEMS}/urn%3Angsi-ld%3ATree%3A1" in read.links


async def test_every_link_of_the_first_page_opens_in_a_browser(node: Client) -> None:
    await plant(node)
    _, landing = await page(node, "/ogc")
    for href in landing.links:
        answer = await node.get(href.removeprefix(node.base), headers={"Accept": BROWSER})
        assert answer.status == 200, href
        # What is told to be JSON is a page all the same, but where the address asks for JSON.
        assert "f=json" in href or answer.headers["Content-Type"].startswith("text/html"), href


async def test_tilesets_lead_to_the_map_to_a_tile_and_tell_their_address(node: Client) -> None:
    await plant(node)
    _, tilesets = await page(node, f"{TREES}/tiles")
    assert f"{node.base}{TREES}/tiles/WebMercatorQuad" in tilesets.links
    _, tileset = await page(node, f"{TREES}/tiles/WebMercatorQuad")
    assert f"{node.base}/?layers=Tree" in tileset.links
    assert f"{node.base}{TREES}/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}" in tileset.text
    (tile,) = (href for href, link in tileset.links.items() if link.get("rel") == "item")
    whole = decode((await node.get(tile.removeprefix(node.base))).body)
    assert len(whole["Tree"]["features"]) == 5
    assert "height" in tileset.text


@pytest.mark.parametrize("accept", [BROWSER, "text/html"])
@pytest.mark.parametrize(
    ("path", "status", "back"),
    [
        ("/ogc/nothing", 404, "/ogc/collections"),
        ("/nothing", 404, "/ogc"),
        ("/ogc/collections/None", 404, "/ogc/collections"),
        (f"{ITEMS}?filter=heigth%20%3E%201", 400, TREES),
        (f"{ITEMS}?limit=a", 400, TREES),
        (f"{ITEMS}?{SCRIPT}=1&f=html", 400, TREES),
    ],
)
async def test_problem_is_a_page_with_a_way_back_for_a_browser(
    node: Client, accept: str, path: str, status: int, back: str
) -> None:
    await plant(node)
    answer = await node.get(path, headers={"Accept": accept, "Accept-Language": "zh-CN"})
    assert (answer.status, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    read = Read(answer.body.decode())
    assert {node.base + back, f"{node.base}/"} <= read.links.keys()
    assert WORDS["zh"][f"problem_{status}"] in read.text
    assert "script" not in read.elements
    told = await node.get(path.removesuffix("&f=html"))
    assert (told.status, told.headers["Content-Type"]) == (status, "application/problem+json")
    assert told.json["detail"] in read.text


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        (f"{ITEMS}?f=json&filter=a%20%3D", BROWSER),
        (f"{ITEMS}?filter=a%20%3D", "application/geo+json"),
        ("/ogc/nothing", "application/json, text/html;q=0.5"),
        ("/ogc/nothing", "*/*"),
        ("/ngsi-ld/v1/nothing", BROWSER),
    ],
)
async def test_problem_is_json_for_programs(node: Client, path: str, accept: str) -> None:
    answer = await node.get(path, headers={"Accept": accept})
    assert "json" in answer.headers["Content-Type"]
    assert answer.json["status"] in (400, 404)


async def test_problem_page_does_not_tell_a_stranger_of_the_city(tmp_path: Path) -> None:
    class Closed:
        def check(self, *_: object) -> None:
            raise Unauthorized("a key is required")

    async with (
        open_services(tmp_path, Settings()) as services,
        running(dataclasses.replace(services, access=Closed())) as node,
    ):
        answer = await node.get("/ogc/collections", headers={"Accept": BROWSER})
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Testville" not in answer.body.decode()


async def test_pages_are_turned_by_links(node: Client) -> None:
    await plant(node)
    _, read = await page(node, f"{ITEMS}?limit=2&offset=2")
    turning = {each["rel"]: href for href, each in read.links.items() if each.get("rel") in ("next", "prev")}
    assert turning.keys() == {"next", "prev"}
    assert "2 of 6" in read.text
    _, second = await page(node, turning["next"])
    assert "urn:ngsi-ld:Tree:9" in second.text


async def test_page_can_be_read_on_a_phone_and_by_a_screen_reader(node: Client) -> None:
    await plant(node)
    answer, read = await page(node, ITEMS)
    assert "width=device-width" in answer.body.decode()
    assert read.elements.count("h1") == read.elements.count("main") == 1
    assert read.elements.count("caption") == read.elements.count("table")
    assert read.elements.count("th") > 0
    labels = [value for name, value in read.attributes if name == "aria-label"]
    assert len(labels) >= read.elements.count("nav")


def test_both_languages_have_the_same_words() -> None:
    assert WORDS["en"].keys() == WORDS["zh"].keys()
    assert all(WORDS["zh"].values())


@given(st.recursive(st.text() | st.integers() | st.none(), st.lists))
def test_element_escapes_whatever_it_holds(child: Any) -> None:
    page = element("p", child, title=str(child))
    read = Read(page)
    assert read.elements == ["p"]

    def flat(each: Any) -> str:
        return "".join(map(flat, each)) if isinstance(each, list) else "" if each is None else str(each)

    expected = flat(child).replace("\r\n", "\n").replace("\r", "\n")
    assert read.text.replace("\r\n", "\n").replace("\r", "\n") == expected
    assert bytes(html_page("t", "en", child).body).count(b"<p") == 0

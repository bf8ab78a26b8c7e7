"""Takes the pictures of the README and the docs from the running page: `python scripts/pictures.py`.

Starts the sample city in a folder of its own, opens its page in Chromium and writes docs/images/*.png.
Needs what the page's tests need: Debian's chromium and the built page (`make dev`).
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.async_api import Browser, Page, async_playwright

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs/images"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
DESKTOP, TALL, PHONE = (1280, 800), (1280, 1080), (390, 780)
AIR = "urn:ngsi-ld:AirQualityObserved:loomhaven:AQ-001"
REPORTS = "Open311ServiceRequest"
SAID = ["Water stands a hand deep, and rises", "The lamp before number 12 is dark"]


async def drawn(page: Page) -> None:
    """Waits until the map has drawn everything and stands still."""
    async with asyncio.timeout(90):
        while not await page.evaluate("window.__cityloom?.ready() === true"):
            await asyncio.sleep(0.1)
    await asyncio.sleep(2)


async def take(
    browser: Browser, url: str, name: str, size: tuple[int, int] = DESKTOP, **options: str
) -> None:
    """One picture of one view."""
    phone = size == PHONE
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        locale=options.get("locale", "en-GB"),
        color_scheme="dark" if options.get("scheme") == "dark" else "light",
        is_mobile=phone,
        has_touch=phone,
        device_scale_factor=2 if phone else 1,
    )
    page = await context.new_page()
    await page.goto(url)
    await drawn(page)
    await page.screenshot(path=str(IMAGES / f"{name}.png"))
    await context.close()
    print(f"docs/images/{name}.png")


def cases(origin: str) -> None:
    """Reports some cases, and moves the first ones on."""

    def ask(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(origin + path, data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read())

    types = ["flooded-road", "street-light", "blocked-sewer", "street-tree", "overflowing-bin", "pavement"]
    for index, (type_name, department) in enumerate(zip(types, ["water", "lighting"], strict=False)):
        place = {"type": "Point", "coordinates": [123.392 + 0.004 * index, 30.196 + 0.002 * index]}
        made = ask("POST", "/cases", {"type": type_name, "location": place, "description": SAID[index]})
        path = f"/cases/{made['id']}"
        for move in ("accept", "file", "dispatch"):
            whole = ask("GET", path)
            open_now = next(each for each in whole["moves"] if each["move"] == move)
            needed = {"department": department} if move == "dispatch" else {}
            if "condition" in open_now["needs"]:
                needed["condition"] = open_now["conditions"][0]
            act = {"move": move, "seen": whole["seen"], "role": open_now["role"]}
            ask("POST", f"{path}/moves", {**act, **needed})
    for index, type_name in enumerate(types[2:]):
        place = {"type": "Point", "coordinates": [123.39 + 0.006 * index, 30.206 - 0.003 * index]}
        ask("POST", "/cases", {"type": type_name, "location": place})


async def pictures(origin: str, moment: str) -> None:
    """Every picture, of a node that is running; `moment` is the instant of the past that one shows."""
    few = "District,Park,WaterBody,RoadSegment,AirQualityObserved,Vehicle,Streetlight"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)

        def at(**view: str) -> str:
            return f"{origin}/?{urlencode(view)}"

        await take(browser, at(id=AIR), "page", size=TALL)
        areas = {"areas": f"District:{REPORTS}:count:", "layers": "District,Park,WaterBody,RoadSegment"}
        await take(browser, at(**areas), "areas")
        past = {"time": "last24h", "at": moment, "layers": few, "colour.AirQualityObserved": "no2"}
        await take(browser, at(**past), "past", scheme="dark")
        await take(browser, at(page="table", table="Streetlight", sort="-powerRating"), "table")
        await take(browser, at(layers=few), "phone", size=PHONE, locale="zh-CN")
        # The last one: cases become a layer of their own.
        await asyncio.to_thread(cases, origin)
        await take(browser, at(page="cases", case=f"{datetime.now(UTC):%Y}-000001"), "cases")
        await browser.close()


def main() -> None:
    """Starts the city, takes the pictures, stops it."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).with_name("cityloom")), "up", "--city", "sample", "--port", "0"]
        node = subprocess.Popen(
            [*command, "--folder", f"{folder}/city"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert node.stdout is not None
        try:
            found = (re.search(r"page +(http://\S+?)/?\s", line) for line in node.stdout)
            origin = next(match[1] for match in found if match)
            # The sample city's buses have moved for its last three hours.
            moment = datetime.now(UTC) - timedelta(minutes=100)
            asyncio.run(pictures(origin, f"{moment:%FT%TZ}"))
        finally:
            node.terminate()
            node.wait()


if __name__ == "__main__":
    main()

"""How long a person waits for the city: from opening the page to the whole map drawn, with many objects.

The sample city gets as many street lights as asked for, beside its own. Then a fresh Chromium opens its page,
first on a node whose tiles have never been drawn, then again. "page" is the first picture of the page, "seen"
the first map with the whole ground (districts, waters, parks, roads), "drawn" the map with every shown layer;
the last two are told by the page itself.

Needs `make page` and Debian's Chromium. Its WebGL is drawn by the processor: a graphics card is quicker.

Run with: .venv/bin/python bench/first_sight.py --objects 100000
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.async_api import async_playwright

from tests.page.browser import ARGUMENTS, CHROMIUM
from tests.page.node import NodeProcess, running

CENTER = (123.4, 30.2)
BATCH = 1000
WAIT_SECONDS = 60
SIZES: dict[str, dict[str, Any]] = {
    "laptop": {"viewport": {"width": 1440, "height": 900}},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
}


def street_light(number: int, dice: random.Random) -> dict[str, Any]:
    """A street light somewhere in the city."""
    lon, lat = dice.gauss(CENTER[0], 0.012), dice.gauss(CENTER[1], 0.01)
    return {
        "id": f"urn:ngsi-ld:Streetlight:more:{number}",
        "type": "Streetlight",
        "name": {"type": "Property", "value": f"M-{number}"},
        "powerRating": {"type": "Property", "value": dice.choice([40, 70, 120]), "unitCode": "WTT"},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [lon, lat]}},
    }


def fill(node: NodeProcess, objects: int) -> int:
    """Adds street lights until the layers together hold so many objects; returns how many they hold."""
    placed = sum(layer["count"] for layer in node.get("/map/layers") if layer["geometry"])
    dice = random.Random(1)
    for start in range(0, max(0, objects - placed), BATCH):
        numbers = range(start, min(start + BATCH, objects - placed))
        lights = [street_light(number, dice) for number in numbers]
        node.request("POST", "/ngsi-ld/v1/entityOperations/upsert", lights)
    return sum(layer["count"] for layer in node.get("/map/layers") if layer["geometry"])


def browser_seconds() -> float:
    """Processor seconds that this process's browsers have used: a busy machine does not change them much."""
    spent: dict[int, tuple[int, float]] = {}
    browsers: set[int] = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        fields = rest.split()
        spent[int(path.parent.name)] = int(fields[1]), sum(map(int, fields[11:15]))
        if name.startswith("chrom"):
            browsers.add(int(path.parent.name))

    def ours(pid: int) -> bool:
        return pid == os.getpid() or (pid in spent and ours(spent[pid][0]))

    ticks = sum(spent[pid][1] for pid in browsers if ours(pid))
    return ticks / os.sysconf("SC_CLK_TCK")


async def visit(url: str, options: dict[str, Any]) -> tuple[float, ...]:
    """Milliseconds to the page, the city's ground and the whole map; megabytes; processor seconds."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await (await browser.new_context(**options)).new_page()
        # The browser itself has started, as a person's has.
        await page.goto("about:blank")
        before = browser_seconds()
        await page.goto(url)
        async with asyncio.timeout(WAIT_SECONDS):
            while not await page.evaluate("performance.getEntriesByName('city drawn').length"):
                await asyncio.sleep(0.02)
        seconds = browser_seconds() - before
        told: list[float] = await page.evaluate(
            """[performance.getEntriesByName('first-contentful-paint')[0].startTime,
                performance.getEntriesByName('city seen')[0].startTime,
                performance.getEntriesByName('city drawn')[0].startTime,
                performance.getEntriesByType('resource').reduce((sum, e) => sum + e.transferSize, 0) / 1e6]"""
        )
        await browser.close()
        return *told, seconds


async def measure(url: str, runs: int) -> None:
    """Prints one line a size: the first visit, then the median of some more."""
    for name, options in SIZES.items():
        first = await visit(url, options)
        more = [await visit(url, options) for _ in range(runs)]
        page, seen, drawn, size, seconds = (statistics.median(each) for each in zip(*more, strict=True))
        print(
            f"{name:7} first visit: page {first[0]:.0f} ms, seen {first[1]:.0f} ms, drawn {first[2]:.0f} ms; "
            f"then: page {page:.0f} ms, seen {seen:.0f} ms, drawn {drawn:.0f} ms, "
            f"{seconds:.1f} s of processor time, {size:.1f} MB "
            f"(load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)"
        )


def main() -> None:
    """Fills a city and opens its page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = ("up", "--city", "sample", "--folder", f"{folder}/sample", "--port", "0")
        with running(*command) as node:
            print(f"{fill(node, given.objects):,} objects with a place")
            # Of a crowd that would cover the city the page shows nothing by itself: all of it is asked for.
            types = [layer["type"] for layer in node.get("/map/layers") if layer["geometry"]]
            asyncio.run(measure(f"{node.url}/?layers={','.join(types)}", given.runs))


if __name__ == "__main__":
    main()

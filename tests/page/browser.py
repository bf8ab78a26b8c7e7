"""The page in a real Chromium, and what a visit must never do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    async_playwright,
    expect,
)

CHROMIUM = "/usr/bin/chromium"
AXE = Path(__file__).parents[2] / "web-ui/node_modules/axe-core/axe.min.js"
# WebGL by software: test machines have no graphics card. The rest keeps the browser from calling home.
ARGUMENTS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    # Debian's Chromium paints text and boxes by WebGL's software too: as much work again as the map's.
    "--disable-gpu-rasterization",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
WAIT_SECONDS = 180
"""How long anything of the page is waited for; nothing is asserted about how long it takes.

A machine that has other work besides shares two cores with a browser that draws by software."""
expect.set_options(timeout=WAIT_SECONDS * 1000)


@dataclass
class Visit:
    """One visit of the page; everything that went wrong in it is kept."""

    page: Page
    origin: str
    strays: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def listen(self) -> None:
        self.page.on("request", self._requested)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))

    def _requested(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("data", "blob"):
            return
        if f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.strays.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} {message.location.get('url', '')}")

    async def open(self, path: str = "/") -> None:
        """Opens the page and waits until the map has drawn every shown layer."""
        await self.page.goto(self.origin + path)
        await self.until("window.__cityloom?.ready() === true")

    async def until(self, condition: str) -> None:
        """Waits for an expression of the page to be true.

        Not `wait_for_function`: it makes code from text in the page, which the page's policy forbids.
        """
        async with asyncio.timeout(WAIT_SECONDS):
            while not await self.page.evaluate(condition):
                await asyncio.sleep(0.05)

    async def rendered(self, type_name: str) -> int:
        """How many objects of a type the map shows now."""
        count: int = await self.page.evaluate("type => window.__cityloom.rendered(type)", type_name)
        return count

    async def click_object(self, entity_id: str) -> None:
        """Clicks an object where the map has drawn it."""
        place: list[float] = await self.page.evaluate("id => window.__cityloom.pixelOf(id)", entity_id)
        await self.page.mouse.click(*place)

    async def audit(self) -> list[str]:
        """What axe-core finds serious or critical on the page as it stands (WCAG 2.2 A and AA), and where."""
        await self.page.evaluate(AXE.read_text())
        found: list[dict[str, Any]] = await self.page.evaluate(
            """tags => axe.run(document, {runOnly: tags}).then(({violations}) => violations.map(
                ({id, impact, nodes}) =>
                    ({id, impact, nodes: nodes.map(({target}) => target.join(' '))})))""",
            ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
        )
        return [
            f"{each['id']}: {', '.join(each['nodes'][:5])}"
            for each in found
            if each["impact"] in ("serious", "critical")
        ]

    def attribute(self, name: str) -> Locator:
        """The row of an attribute in the panel."""
        return self.page.locator(f'.panel [data-attribute="{name}"]').first

    def layer(self, type_name: str) -> Locator:
        """The row of a layer in the legend."""
        return self.page.locator(f'.layer[data-type="{type_name}"]')

    def assert_clean(self) -> None:
        """Nothing left the origin and nothing went wrong."""
        assert self.strays == []
        assert self.complaints == []


_chromium: Browser | None = None


@asynccontextmanager
async def browsing() -> AsyncIterator[None]:
    """Keeps one Chromium running for all visits of a session: its start costs more than most visits."""
    global _chromium
    async with async_playwright() as playwright:
        _chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield
        finally:
            await _chromium.close()
            _chromium = None


@asynccontextmanager
async def visiting(
    origin: str,
    *,
    size: tuple[int, int] = (1440, 900),
    locale: str = "en-GB",
    scheme: Literal["light", "dark"] = "light",
    phone: bool = False,
) -> AsyncIterator[Visit]:
    """A reader who was never here before, with one page; at the end the visit must be clean, but for what a
    test forgave."""
    assert _chromium, "no browser is running"
    options: dict[str, Any] = {"is_mobile": True, "has_touch": True} if phone else {}
    context = await _chromium.new_context(
        viewport={"width": size[0], "height": size[1]}, locale=locale, color_scheme=scheme, **options
    )
    # Presses, downloads and loads too: Playwright's own bound of 30 s is one of a machine at rest.
    context.set_default_timeout(WAIT_SECONDS * 1000)
    try:
        visit = Visit(await context.new_page(), origin)
        visit.listen()
        yield visit
        visit.assert_clean()
    finally:
        await context.close()

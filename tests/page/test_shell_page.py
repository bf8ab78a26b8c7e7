"""The page's frame: keys, focus, sharing, saving, printing, and what axe finds in each state."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import expect

from .browser import Visit, visiting
from .node import NodeProcess

pytestmark = pytest.mark.page

PHONE = (390, 844)
DOCS = Path(__file__).parents[2] / "docs/page.md"


async def focused(visit: Visit, selector: str) -> None:
    """Waits until what has the focus matches."""
    await visit.until(f"document.activeElement?.matches({selector!r}) === true")


async def test_keys_walk_search_and_close_and_the_focus_is_never_lost(sample_node: NodeProcess) -> None:
    async with visiting(sample_node.url) as visit:
        page = visit.page
        await visit.open()
        await page.keyboard.press("/")
        await focused(visit, "#search")
        # A letter in a field is a letter.
        await page.keyboard.type("jl?")
        assert "id=" not in page.url
        await page.locator("#search").fill("")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Shift+Tab")
        await page.locator(".map canvas").focus()
        await page.keyboard.press("j")
        await focused(visit, ".panel h2")
        first = page.url
        await page.keyboard.press("j")
        await visit.until(f"location.href !== {first!r}")
        await page.keyboard.press("k")
        await visit.until(f"location.href === {first!r}")
        # Help lies on top of the panel: Escape closes one after the other.
        await page.keyboard.press("?")
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_be_visible()
        for _ in range(4):
            await page.keyboard.press("Tab")
            await visit.until(
                "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
            )
        told = await page.evaluate(
            """[...document.querySelectorAll('.keys dt')].map(
                key => [key.innerText, key.nextElementSibling.innerText])"""
        )
        await page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        await focused(visit, ".panel h2")
        await page.keyboard.press("Escape")
        await expect(page.locator(".panel")).to_have_count(0)
        await focused(visit, ".map canvas")
        # The time bar takes the keyboard with it, live and past, and gives it back.
        for presses in (0, 1):
            await page.locator(".time-open").focus()
            await page.keyboard.press("Enter")
            await focused(visit, '.time-modes [aria-pressed="true"]')
            for _ in range(presses):
                await page.keyboard.press("Tab")
                await page.keyboard.press("Enter")
                await expect(page.locator(".live")).to_have_attribute("data-state", "past")
                await page.locator(".time-slide input").focus()
            await page.keyboard.press("Escape")
            await focused(visit, ".time-open")
            assert "time=" not in page.url
        # So do whose data it is, and what can be done with a layer.
        await page.locator(".attribution summary").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator(".attribution ul")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator(".attribution ul")).not_to_be_visible()
        await focused(visit, ".attribution summary")
        await page.keyboard.press("l")
        await focused(visit, ".layer input")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.locator(".layer-menu select").first.focus()
        await page.keyboard.press("Escape")
        await expect(page.locator(".layer-menu")).to_have_count(0)
        await focused(visit, ".layer-more")
        # What the manual says is what the page does.
        section = DOCS.read_text().partition("## Keys")[2].partition("## ")[0]
        table = re.findall(r"^\| `(.+?)` \| (.+?) \|$", section, re.MULTILINE)
        assert sorted(map(tuple, told)) == sorted(table)


async def test_focus_returns_to_the_row_that_an_object_was_chosen_from(sample_node: NodeProcess) -> None:
    async with visiting(sample_node.url) as visit:
        page = visit.page
        await visit.open()
        await page.locator(".in-view summary").click()
        row = page.locator(".in-view [data-object]").first
        chosen = await row.get_attribute("data-object")
        await row.focus()
        await page.keyboard.press("Enter")
        await focused(visit, ".panel h2")
        await page.keyboard.press("Escape")
        await focused(visit, f'[data-object="{chosen}"]')


async def test_view_is_shared_saved_and_printed(sample_node: NodeProcess, tmp_path: Path) -> None:
    async with visiting(sample_node.url, scheme="dark", locale="zh-CN") as visit:
        page = visit.page
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await visit.open("/?time=last24h")
        await expect(page.locator(".live")).to_have_attribute("data-state", "past")
        menu = page.locator(".menu-button")
        await menu.click()
        await page.get_by_role("button", name="网址").click()
        await expect(page.locator(".notice")).to_contain_text("已复制")
        # It covers neither the time bar nor its way back to live.
        said, bar = [await page.locator(each).bounding_box() for each in (".notice", ".time-bar")]
        assert said is not None
        assert bar is not None
        assert said["y"] + said["height"] < bar["y"]
        await focused(visit, ".menu-button")
        copied = await page.evaluate("navigator.clipboard.readText()")
        # The hours that were seen, not "the last 24" of whoever opens it; and in the same language.
        assert re.search(r"time=\d{4}-\d\d-\d\dT.*%2F\d{4}.*&at=\d{4}.*#map=", copied)
        assert "lang=zh" in copied
        await menu.click()
        async with page.expect_download() as download:
            await page.get_by_role("button", name="PNG").click()
        saved = await download.value
        assert re.fullmatch(r"织港-示例城市-\d{4}-\d\d-\d\d-\d{4}\.png", saved.suggested_filename)
        picture = tmp_path / "map.png"
        await saved.save_as(picture)
        assert picture.read_bytes().startswith(b"\x89PNG")
        # The map is in it, not an empty canvas: as many colours as a drawn city has.
        colours = await page.evaluate(
            """async () => {
                const blob = await new Promise(done => {
                    const make = URL.createObjectURL;
                    URL.createObjectURL = blob => { done(blob); return make.call(URL, blob); };
                    document.querySelector('.menu-button').click();
                    document.querySelectorAll('.menu-item')[1].click();
                });
                const bitmap = await createImageBitmap(blob);
                const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
                const pen = canvas.getContext('2d');
                pen.drawImage(bitmap, 0, 0);
                const {data} = pen.getImageData(0, 100, bitmap.width, bitmap.height - 250);
                const seen = new Set();
                for (let at = 0; at < data.length; at += 4) {
                    seen.add(data[at] << 16 | data[at + 1] << 8 | data[at + 2]);
                }
                return seen.size;
            }"""
        )
        assert colours > 50
        paper = await page.pdf(prefer_css_page_size=True)
        assert len(re.findall(rb"/Type /Page\b(?!s)", paper)) == 1
        # Nothing of it stays on the screen.
        await expect(page.locator("#print > *")).to_have_count(0)


async def test_address_can_be_copied_by_hand_where_the_browser_gives_no_other_way(
    sample_node: NodeProcess,
) -> None:
    async with visiting(sample_node.url) as visit:
        page = visit.page
        await page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
        await visit.open("/?id=urn:ngsi-ld:Nothing:1")
        await page.locator(".menu-button").click()
        await page.get_by_role("button", name="Copy").click()
        field = page.get_by_role("dialog").get_by_role("textbox")
        await expect(field).to_have_value(re.compile(r"id=urn%3Angsi-ld%3ANothing%3A1&?.*#map="))
        visit.complaints = [text for text in visit.complaints if "404" not in text]


@pytest.mark.parametrize(
    ("size", "locale", "scheme"), [((1440, 900), "en-GB", "light"), (PHONE, "zh-CN", "dark")]
)
async def test_nothing_serious_for_axe_in_any_state_of_the_shell(
    sample_node: NodeProcess, size: tuple[int, int], locale: str, scheme: Literal["light", "dark"]
) -> None:
    async with visiting(
        sample_node.url, size=size, locale=locale, scheme=scheme, phone=size == PHONE
    ) as visit:
        page = visit.page
        found: dict[str, list[str]] = {}
        await visit.open()
        await page.locator(".time-open").click()
        found["time bar"] = await visit.audit()
        await page.locator(".time-modes button").nth(3).click()
        await expect(page.locator(".live")).to_have_attribute("data-state", "past")
        found["past"] = await visit.audit()
        await page.locator(".menu-button").click()
        found["menu"] = await visit.audit()
        await page.locator(".menu-item").last.click()
        found["help"] = await visit.audit()
        await page.keyboard.press("Escape")
        await page.keyboard.press("j")
        await expect(page.locator(".panel h2")).to_be_visible()
        found["panel"] = await visit.audit()
        for name in await page.locator(".pages a").all_inner_texts():
            await page.locator(".pages a", has_text=name).click()
            found[name] = await visit.audit()
        assert {name: places for name, places in found.items() if places} == {}


async def test_page_reflows_on_the_narrowest_screen_and_at_double_size(sample_node: NodeProcess) -> None:
    async with visiting(sample_node.url, size=(320, 640), phone=True) as visit:
        page = visit.page
        await visit.open("/?time=last24h")
        # The width of a telephone; a laptop at 200 % and at 400 %.
        for width, height in ((320, 640), (720, 450), (360, 225)):
            await page.set_viewport_size({"width": width, "height": height})
            for tab in await page.locator(".pages a").all():
                await tab.click()
                assert await page.evaluate("document.documentElement.scrollWidth") <= width
            await page.locator(".pages a").first.click()
            for part in (".time-play", ".time-live", ".menu-button", ".handle"):
                # Within the width, and under nothing else; where it is very low the page scrolls.
                await page.locator(part).click(trial=True)
                box = await page.locator(part).bounding_box()
                assert box is not None
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= width

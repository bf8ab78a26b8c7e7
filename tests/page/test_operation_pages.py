"""The pages of whoever keeps the city running: its sources, and the node itself."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Route, expect

from cityloom.model.clock import SystemClock
from cityloom.store.log_ports import Delivery
from cityloom.store.sqlite import SqliteStore

from .browser import WAIT_SECONDS, visiting
from .node import NodeProcess, running

pytestmark = pytest.mark.page

DESKTOP, PHONE = (1440, 900), (390, 844)
LANGUAGES = [("en-GB", DESKTOP, False), ("zh-CN", PHONE, True)]
HTML = '<img src=x onerror="alert(1)">'


@pytest.mark.parametrize(("locale", "size", "phone"), LANGUAGES)
async def test_sources_page_tells_each_run_and_shows_what_was_refused(
    sample_node: NodeProcess, locale: str, size: tuple[int, int], phone: bool
) -> None:
    sources = sample_node.get("/sources")

    async def with_a_long_row(route: Route) -> None:
        body = await (await route.fetch()).json()
        body["rejects"][0]["raw"] = {"text": "x" * 5_000 + "end"}
        await route.fulfill(json=body)

    async with visiting(sample_node.url, size=size, locale=locale, phone=phone) as visit:
        await visit.page.route("**/sources/sample-service-requests/rejects?limit=*", with_a_long_row)
        await visit.page.goto(f"{sample_node.url}/?page=sources")
        cards = visit.page.locator(".source-card")
        await expect(cards).to_have_count(len(sources))
        # The problems come first: the two sources with refused rows.
        first = {await cards.nth(place).get_attribute("data-source") for place in (0, 1)}
        assert first == {each["id"] for each in sources if each["rejected"]}
        # A source that promised nothing is neither on time nor late, and is counted apart.
        promised = [each for each in sources if each["expectedInterval"]]
        open_cards = visit.page.locator('.source-card[data-status="open"]')
        await expect(open_cards).to_have_count(len(sources) - len(promised))
        assert 0 < len(promised) < len(sources)
        card = visit.page.locator('[data-source="sample-service-requests"]')
        report = next(each for each in sources if each["id"] == "sample-service-requests")["report"]
        await expect(card.locator(".outcomes")).to_contain_text(str(report["created"]))
        await card.locator("details").first.locator("summary").click()
        rejects = card.locator(".rejects > li")
        await expect(rejects).to_have_count(2)
        await expect(rejects.first).to_contain_text("lon, lat is invalid")
        reason = "坐标无效" if phone else "invalid coordinates"
        await expect(rejects.first.locator("p.strong")).to_have_text(reason)
        await expect(card.locator("p.warn")).to_contain_text(reason)
        assert "xend" not in await rejects.first.inner_text()
        await rejects.first.get_by_role("button", expanded=False).click()
        await expect(rejects.first.locator("pre")).to_contain_text("xend")
        async with visit.page.expect_download() as waiting:
            await card.locator("a[download]").click()
        download = await waiting.value
        assert download.suggested_filename.startswith("sample-service-requests-rejects")
        kept = await asyncio.to_thread(Path(await download.path()).read_text)
        assert len(kept.splitlines()) == 2
        await card.locator("details").nth(1).locator("summary").click()
        await expect(card.locator(".runs tbody tr")).to_have_count(1)
        await visit.page.locator(".source-tools select").select_option("rejects")
        await expect(cards).to_have_count(2)
        await visit.page.locator(".source-tools input").fill("Lighting")
        await expect(cards).to_have_count(1)
        assert await visit.page.evaluate("document.documentElement.scrollWidth") == size[0]
        assert await visit.audit() == []
        await card.or_(cards).locator(".source-links a").first.click()
        await expect(visit.page).to_have_url(re.compile(r"page=table.*table=Streetlight"))


class Receiver(ThreadingHTTPServer):
    """An endpoint that refuses until it is told not to."""

    def __init__(self) -> None:
        self.refuses = True
        self.got: list[str] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                if not receiver.refuses:
                    receiver.got.append(self.headers["Idempotency-Key"])
                self.send_response(500 if receiver.refuses else 200, HTML if receiver.refuses else "OK")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing: the test tells enough."""

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/told?{HTML[:4]}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def subscription(url: str) -> dict[str, Any]:
    return {
        "id": "urn:ngsi-ld:Subscription:benches",
        "type": "Subscription",
        "entities": [{"type": "Bench"}],
        "notification": {"endpoint": {"uri": url}},
    }


def bench(number: int) -> dict[str, Any]:
    return {"id": f"urn:ngsi-ld:Bench:{number}", "type": "Bench", "seats": {"type": "Property", "value": 1}}


def give_up(file: Path, count: int) -> None:
    """Leaves dead letters of long ago in a new store."""
    letters = [
        Delivery(id=f"urn:{due}", tenant="", subscription="urn:s", seq=1, body={}, due=due, dead=True)
        for due in range(count)
    ]
    with closing(SqliteStore(file, SystemClock())) as store:
        store.submit(lambda tx: [tx.put_delivery(letter) for letter in letters]).result()


@pytest.mark.parametrize(("locale", "size", "phone"), LANGUAGES)
async def test_node_page_shows_dead_notifications_and_sends_them_again(
    built_page: None,
    tmp_path: Path,
    receiver: Receiver,
    locale: str,
    size: tuple[int, int],
    phone: bool,
) -> None:
    (tmp_path / "city.yaml").write_text("settings: {notifyAttempts: 1}\n")
    give_up(tmp_path / "cityloom.sqlite", 5)
    with running("serve", "--data", str(tmp_path), "--port", "0") as node:
        node.request("POST", "/ngsi-ld/v1/subscriptions", subscription(receiver.url.partition("?")[0]))
        for number in range(3):
            node.create(bench(number))
        async with asyncio.timeout(WAIT_SECONDS):
            while len(node.get("/subscriptions/dead")) < 3:
                await asyncio.sleep(0.1)
        async with visiting(node.url, size=size, locale=locale, phone=phone) as visit:
            await visit.page.goto(f"{node.url}/?page=node")
            letters = visit.page.locator(".letters tbody tr")
            await expect(letters).to_have_count(3)
            await expect(letters.first).to_contain_text("500")
            await expect(visit.page.locator(".figures").first).to_contain_text("3")
            await expect(visit.page.locator(".lags li").first).to_contain_text("subscriptions")
            # What was given up too long ago is gone, and that is told.
            await expect(visit.page.locator(".letters-dropped")).to_contain_text("5")
            assert await visit.audit() == []
            receiver.refuses = False
            await letters.first.locator("button").click()
            await expect(visit.page.locator(".letters-said")).to_contain_text("1")
            await expect(letters).to_have_count(2)
            focused = await visit.page.evaluate("document.activeElement.id")
            assert focused == "node-letters"
            await visit.page.locator(".node-part .source-links button").click()
            await expect(letters).to_have_count(0)
            async with asyncio.timeout(WAIT_SECONDS):
                while len(set(receiver.got)) < 3:
                    await asyncio.sleep(0.1)
            assert len(receiver.got) == 3
            assert await visit.page.evaluate("document.documentElement.scrollWidth") == size[0]


async def test_page_says_who_has_no_right_that_too_many_were_sent_and_that_the_node_is_away(
    built_page: None, tmp_path: Path
) -> None:
    settings = "{publicRead: true, publicReport: true, requireKey: true, reportsInAll: 1}"
    (tmp_path / "city.yaml").write_text(f"profile: sample\nsettings: {settings}\n")
    async with visiting("http://nowhere") as visit:
        with running("serve", "--data", str(tmp_path), "--port", "0") as node:
            visit.origin = node.url
            await visit.page.goto(f"{node.url}/?page=report")
            await visit.page.locator("textarea").fill("the lamp is out")
            await visit.page.locator("[type=submit]").click()
            await expect(visit.page.locator(".report-number")).to_be_visible()
            await visit.page.get_by_role("button", name="Report something else").click()
            await visit.page.locator("textarea").fill("another lamp is out")
            await visit.page.locator("[type=submit]").click()
            await expect(visit.page.locator(".report .note.warn")).to_contain_text("in about 60 minutes")
            # What was written stays, to be sent again.
            await expect(visit.page.locator("textarea")).to_have_value("another lamp is out")
            await visit.page.goto(f"{node.url}/?page=node")
            await expect(visit.page.locator(".sheet-page [role=alert]").first).to_contain_text("right")
        await expect(visit.page.locator(".live")).to_have_attribute("data-state", "reconnecting")
        # What an anonymous reader may not see, and the node that is gone, are told to the console too.
        visit.complaints.clear()

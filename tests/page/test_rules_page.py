"""Rules on the page: a clerk's change from a draft to its adoption, and a key without the right to it."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page, expect

from .browser import WAIT_SECONDS, visiting
from .node import CITYLOOM, NodeProcess, running
from .test_cases_page import CALENDAR, CASES, PHONE, PROFILE, act, report

pytestmark = pytest.mark.page

TODAY = datetime.now(ZoneInfo("Asia/Shanghai")).date()
TOMORROW = (TODAY + timedelta(days=1)).isoformat()
ROUTING: dict[str, Any] = {
    "decisionTable": "who-comes",
    "kind": "routing",
    "version": "1",
    "title": {"en": "Who comes", "zh": "谁来处理"},
    "hitPolicy": "FIRST",
    "inputs": [{"name": "type", "optional": True}],
    "outputs": [{"name": "department"}],
    "rows": [
        {"id": "lamps", "when": {"type": "street-light"}, "then": {"department": "lighting"}},
        {"id": "else", "then": {"department": "roads"}, "note": "whoever is near"},
    ],
}
DRAFT = {**ROUTING, "version": "2"}


def folder_of(place: Path) -> Path:
    profile = place / "profile"
    profile.mkdir()
    cases = CASES.replace("rules: [who.yaml]\n", "")  # the rules are adopted here
    for name, text in (("profile", PROFILE), ("cases", cases), ("calendar", CALENDAR)):
        (profile / f"{name}.yaml").write_text(text)
    (place / "city.yaml").write_text(f"profile: {profile}\n")
    return place


@pytest.fixture(scope="module")
def city(built_page: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A city whose rule of dispatch is in force since today, and a lamp and a cover that went by it."""
    with running("serve", "--data", str(folder_of(tmp_path_factory.mktemp("rules"))), "--port", "0") as node:
        node.request("POST", "/rules", ROUTING)
        node.request("POST", "/rules/who-comes/versions/1/adopt", {"from": TODAY.isoformat()})
        yield node


def dispatched(node: NodeProcess, type_name: str, condition: str) -> str:
    """A case that was sent where the rule said; its number."""
    number = report(node, type_name, 10.05, 50.05)
    act(node, number, "accept", role="intake")
    act(node, number, "file", role="shiftLeader", condition=condition)
    act(node, number, "dispatch", role="dispatcher")
    return number


def cell(page: Page, row: int, column: str) -> Any:
    return page.locator(f'.rule-grid [data-row="{row}"] [data-column="{column}"]')


async def test_clerk_drafts_mends_replays_and_adopts_a_rule(city: NodeProcess) -> None:
    lamp = dispatched(city, "street-light", "light-out")
    cover = dispatched(city, "sewage-cover", "cover-missing")
    async with visiting(city.url) as visit:
        page, press = visit.page, visit.page.keyboard.press
        # From the case to the row that sent it.
        await visit.open(f"/?page=cases&case={lamp}")
        await expect(page.locator('[data-clock="handle"] a')).to_contain_text(": One lamp is out")
        await page.locator('[data-ruled="routing"] a').click()
        await expect(page.locator('[data-mark="pointed"]')).to_contain_text("lamps")
        # The map and its layers have no part in rules.
        await expect(page.locator("#side")).to_be_hidden()
        await expect(page.locator(".rule-input")).to_have_count(0)
        assert await visit.audit() == []

        await page.get_by_role("button", name="New version").click()
        # Enter makes the draft at once: its name has the focus, not the button that closes the dialog.
        await expect(page.locator('dialog [name="version"]')).to_be_focused()
        await page.locator('dialog [name="version"]').fill("2")
        await page.keyboard.press("Enter")
        await expect(page.locator(".rule-badge")).to_have_text("draft")
        # Typed as into a spreadsheet, without a pause: the row of lamps gives way, one for covers comes.
        await cell(page, 1, "id").click()
        await page.keyboard.type("covers")
        await press("Tab")
        await page.keyboard.type("sewage cover")
        await press("Tab")
        await page.keyboard.type("lightning")
        await press("Enter")
        await expect(page.locator(".rule-faults")).to_have_attribute("data-faults", "1")
        await expect(cell(page, 1, "type")).to_have_attribute("data-fault", "true")
        await expect(cell(page, 1, "department")).not_to_have_attribute("data-fault", "true")
        # What cannot be read is not saved, and nothing of it is lost.
        await page.locator('[data-act="save"]').click()
        await expect(page.locator(".rules > .note.warn")).to_contain_text("what you typed is still here")
        assert len(visit.complaints) == 1
        assert "400" in visit.complaints.pop()
        await cell(page, 1, "type").click()
        await page.keyboard.type("sewage-cover")
        await press("Tab")
        # One fault is mended, the next one shows: there is no such department.
        await expect(cell(page, 1, "department")).to_have_attribute("data-fault", "true")
        await expect(cell(page, 1, "type")).to_contain_text("Sewage manhole cover")
        assert await visit.audit() == []
        await page.keyboard.type("lighting")
        await press("Enter")
        await expect(page.locator(".rule-faults")).to_have_attribute("data-faults", "0")
        await expect(page.locator(".rule-changes")).to_contain_text("1 is new and 1 is gone")
        # Looked away and back: what is not saved is there.
        await page.get_by_role("link", name="Sources").click()
        await page.go_back()
        await expect(cell(page, 1, "type")).to_contain_text("sewage-cover")
        await page.locator('[name="try-type"]').select_option("sewage-cover")
        await expect(page.locator(".rule-decision")).to_contain_text("Department: Lighting")
        await expect(page.locator('.rule-grid [data-row="1"]')).to_have_attribute("data-mark", "hit")

        await page.locator('[name="replay-until"]').fill(TODAY.isoformat())
        await page.locator('[data-act="replay"]').click()
        await expect(page.locator(".rule-outcome")).to_have_attribute("data-changed", "2")
        cases = page.locator(".rule-cases > li")
        await expect(cases.locator(f'xpath=self::*[@data-case="{lamp}"]')).to_contain_text("Lighting → Roads")
        await expect(cases.locator(f'xpath=self::*[@data-case="{cover}"]')).to_contain_text(
            "Roads → Lighting"
        )
        kept = city.get("/rules/who-comes/versions/2")
        assert kept["table"]["rows"][0] == {
            "id": "covers",
            "when": {"type": "sewage-cover"},
            "then": {"department": "lighting"},
        }
        assert await visit.audit() == []

        await expect(page.locator('[name="adopt-from"]')).to_have_value(TOMORROW)
        await page.locator('[data-act="adopt"]').click()
        await expect(page.locator("dialog")).to_contain_text("Who comes 1 decides until")
        await page.locator('[data-act="confirm"]').click()
        await expect(page.locator('.rule-badge[data-state="adopted"]')).to_be_visible()
        assert city.get("/rules/who-comes/versions/2")["from"] == TOMORROW
        await page.get_by_role("button", name="All rules").click()
        routing = page.locator('[data-kind="routing"]')
        await expect(routing.locator('[data-when="now"] a')).to_contain_text("1")
        await expect(routing.locator('.rule-versions [data-when="coming"] a')).to_contain_text("2")
        assert await visit.audit() == []


def key_of(folder: Path, party: str, role: str) -> str:
    """A new key of a city."""
    command = [CITYLOOM, "key", "add", party, "--role", role, "--data", str(folder)]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    return next(word for word in made.stdout.split() if word.startswith("cl_"))


async def test_who_has_no_right_is_told_and_loses_nothing(built_page: None, tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    keys = {party: key_of(folder, party, role) for party, role in (("clerk", "writer"), ("head", "admin"))}
    (folder / "city.yaml").write_text(f"profile: {folder / 'profile'}\nsettings: {{requireKey: true}}\n")
    with running("serve", "--data", str(folder), "--port", "0") as node:
        async with visiting(node.url, size=PHONE, locale="zh-CN", phone=True) as visit:
            page = visit.page

            async def give(party: str) -> None:
                await page.locator('dialog [name="key"]').fill(keys[party])
                await page.locator("dialog [type=submit]").click()
                await expect(page.locator('dialog [name="key"]')).to_have_count(0)

            await page.goto(f"{node.url}/?page=rules")
            await page.get_by_role("button", name="输入密钥").click()
            assert all("401" in each for each in visit.complaints)
            await give("clerk")
            await page.locator('[data-kind="escalation"] button').click()
            await page.locator("dialog [type=submit]").click()
            await expect(page.locator(".rule-badge")).to_have_text("草稿")
            assert await page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
            assert await visit.audit() == []
            await page.locator('[data-act="adopt"]').click()
            await page.locator('[data-act="confirm"]').click()
            await expect(page.locator("dialog .note")).to_contain_text("admin")
            assert "403" in visit.complaints[-1]
            await page.locator("dialog .note button").click()
            await give("head")
            await page.locator('[data-act="confirm"]').click()
            await expect(page.locator('.rule-badge[data-state="adopted"]')).to_be_visible()
            # A key lasts as long as its tab, and no longer than its reader wants.
            assert await page.evaluate("Object.keys(localStorage).concat(document.cookie)") == [""]
            visit.complaints.clear()


OPENING: dict[str, Any] = {
    "decisionTable": "live",
    "kind": "opening",
    "version": "1",
    "hitPolicy": "COLLECT",
    "inputs": [{"name": "entityType"}, {"name": "attribute"}, {"name": "value", "type": "any"}],
    "outputs": [{"name": name} for name in ("caseType", "caseCondition", "description")],
    "rows": [
        {
            "id": "dark",
            "when": {"entityType": "Streetlight", "attribute": "illuminanceLevel", "value": "< 0.1"},
            "then": {"caseType": "street-light", "caseCondition": "light-out", "description": "dark"},
        }
    ],
}


async def test_case_of_a_rule_shows_what_fired(city: NodeProcess) -> None:
    city.request("POST", "/rules", OPENING)
    city.request("POST", "/rules/live/versions/1/adopt", {"from": TODAY.isoformat()})
    lamp = {
        "id": "urn:ngsi-ld:Streetlight:fired:7",
        "type": "Streetlight",
        "name": {"type": "Property", "value": "Lamp seven"},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [10.05, 50.05]}},
        "illuminanceLevel": {
            "type": "Property",
            "value": 0.02,
            "unitCode": "LUX",
            "observedAt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
    }
    city.request("POST", "/ngsi-ld/v1/entities", lamp)

    def opened() -> list[str]:
        found = city.get("/cases?status=all")["cases"]
        return [one["id"].rpartition(":")[2] for one in found if one.get("about") == lamp["id"]]

    async with asyncio.timeout(WAIT_SECONDS):
        while not opened():
            await asyncio.sleep(0.1)
    [number] = opened()
    async with visiting(city.url) as visit:
        await visit.open(f"/?page=cases&case={number}")
        fired = visit.page.locator(".case-fired")
        await expect(fired.get_by_role("link")).to_have_text("Lamp seven")
        await expect(fired.locator('[data-attribute="illuminanceLevel"]')).to_contain_text("0.02 lx since")
        history = visit.page.locator('.case-history [data-move="report"]')
        await expect(history).to_contain_text("Found:")
        await expect(history).not_to_contain_text("light-out")
        assert await visit.audit() == []

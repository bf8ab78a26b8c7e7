"""Cases on the page: from a citizen's report on a telephone to the evaluation, through its buttons."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from PIL import Image
from playwright.async_api import FilePayload, Page, Route, expect

from cityloom.app import Node
from cityloom.cases.desk.wishes import MoveWish, Report
from cityloom.cases.looks.surges_told import SurgeWish
from cityloom.folder import CityFolder
from cityloom.model.clock import SimulatedClock

from .browser import WAIT_SECONDS, visiting
from .node import NodeProcess, running

pytestmark = pytest.mark.page

PHONE = (390, 844)
DISTRICT = [[10.0, 50.0], [10.1, 50.0], [10.1, 50.1], [10.0, 50.1], [10.0, 50.0]]
PROFILE = """
name: testville
title: {en: Testville, zh: 测试城}
center: [10.05, 50.05]
bbox: [10.0, 50.0, 10.1, 50.1]
timeZone: Asia/Shanghai
languages: [en, zh]
cases: cases.yaml
"""
CASES = """
calendar: calendar.yaml
departments:
  roads: {title: {en: Roads, zh: 道路}}
  lighting: {title: {en: Lighting, zh: 路灯}}
areas: {type: District}
landmarks: [Road]
rules: [who.yaml]
"""
WHO = """
decisionTable: who-comes
kind: routing
version: "3"
title: {en: Who comes, zh: 谁来处理}
hitPolicy: FIRST
inputs: [{name: type, optional: true}]
outputs: [{name: department}]
rows: [{id: paths, when: {type: pavement}, then: {department: roads}}]
"""
CALENDAR = """
calendar: always
timeZone: Asia/Shanghai
workDay: PT24H
week: {mon-sun: ["00:00-24:00"]}
years: {2020..2040: {}}
"""


DAY = 86_400.0


async def past(folder: CityFolder) -> None:
    """Twelve days of a city: one lamp that was mended, and a night on which many drains were reported."""
    began = datetime.now(UTC) - timedelta(days=12)
    clock = SimulatedClock(int(began.timestamp() * 1e6))
    node = Node(folder, folder.settings(), clock)
    cases, insights = node.case_parts.cases, node.case_parts.insights
    assert cases is not None
    assert insights is not None
    call = node.own_call("test")
    node.prepare()

    async def made(text: str, kind: str, *moves: dict[str, Any]) -> None:
        case = (await cases.report(call, Report(type=kind, description=text))).id
        for seen, given in enumerate(moves, 1):
            await cases.move(call, case, MoveWish(seen=seen, **given))

    proof = ("urn:ngsi-ld:Photo:1",)
    async with node.running():
        await made(
            "the lamp is dark",
            "street-light",
            {"move": "accept"},
            {"move": "file", "condition": "light-out"},
            {"move": "dispatch", "department": "lighting"},
            {"move": "handled", "role": "department", "acting_for": "lighting", "evidence": proof},
            {"move": "askCheck"},
            {"move": "passCheck", "finding": "it is lit", "evidence": proof},
            {"move": "close", "closing_condition": "lamp lit"},
        )
        clock.advance(10 * DAY)
        # The last one, half a day later, tells that the time of the others is over.
        for seconds in (*[30] * 12, DAY / 2):
            clock.advance(seconds)
            await made("", "sewage-cover", {"move": "reject", "reason": "it is there"})
        async with asyncio.timeout(WAIT_SECONDS):
            while not (await insights.surges.surges(call, SurgeWish(status="closed"))).total:
                await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def city(built_page: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A small city with cases: one district, two departments."""
    folder = tmp_path_factory.mktemp("cases")
    profile = folder / "profile"
    profile.mkdir()
    for name, text in (("profile", PROFILE), ("cases", CASES), ("calendar", CALENDAR), ("who", WHO)):
        (profile / f"{name}.yaml").write_text(text)
    (folder / "city.yaml").write_text(f"profile: {profile}\n")
    asyncio.run(past(CityFolder(folder)))
    with running("serve", "--data", str(folder), "--port", "0") as node:
        node.create(
            {
                "id": "urn:ngsi-ld:District:north",
                "type": "District",
                "name": {"type": "LanguageProperty", "languageMap": {"en": "North", "zh": "北区"}},
                "location": {"type": "GeoProperty", "value": {"type": "Polygon", "coordinates": [DISTRICT]}},
            }
        )
        along = [[10.05, 50.0], [10.05, 50.1]]
        node.create(
            {
                "id": "urn:ngsi-ld:Road:mill",
                "type": "Road",
                "name": {"type": "LanguageProperty", "languageMap": {"en": "Mill Road", "zh": "磨坊路"}},
                "location": {"type": "GeoProperty", "value": {"type": "LineString", "coordinates": along}},
            }
        )
        yield node


def photo(colour: str) -> FilePayload:
    held = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(held, "JPEG")
    return {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": held.getvalue()}


def report(node: NodeProcess, type_name: str, lon: float, lat: float, **more: Any) -> str:
    """Reports a case; its number."""
    place = {"type": "Point", "coordinates": [lon, lat]}
    made = node.request("POST", "/cases", {"type": type_name, "location": place, **more})
    return str(made["id"]).rpartition(":")[2]


def act(node: NodeProcess, number: str, name: str, **more: Any) -> None:
    seen = node.get(f"/cases/{number}")["seen"]
    node.request("POST", f"/cases/{number}/moves", {"move": name, "seen": seen, **more})


async def move(page: Page, role: str, name: str, **fields: str) -> None:
    """Makes a move in a role by its button and, where it asks for something, its form."""
    await page.locator(".case-pane .case-role select").select_option(role)
    await expect(page.locator(".case-move-group")).to_have_count(1)
    await page.locator(f'.case-moves button[data-move="{name}"]').click()
    form = page.locator(".case-moves form")
    for field, value in fields.items():
        place = form.locator(f'[name="{field}"]')
        if field == "photos":
            await place.set_input_files(photo(value))
        elif field in ("department", "condition"):
            await place.select_option(value)
        else:
            await place.fill(value)
    if fields:
        await form.locator("[type=submit]").click()
    await expect(page.locator(f'.case-history [data-move="{name}"]')).to_have_count(1)


async def test_case_goes_from_a_citizens_report_to_its_evaluation_on_a_telephone(city: NodeProcess) -> None:
    async with visiting(city.url, size=PHONE, locale="zh-CN", phone=True) as visit:
        page = visit.page
        await visit.open("/?page=report")
        # Without anything said, nothing is sent.
        await page.get_by_role("button", name="提交").click()
        await expect(page.locator(".report-number")).to_have_count(0)
        # Why is said in the page's language, whatever the browser speaks.
        said = "one => one.validationMessage"
        assert await page.locator('textarea[name="description"]').evaluate(said) == "请填写此项。"
        box = await page.locator(".map canvas").bounding_box()
        assert box is not None
        await page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        place = page.locator("[data-place]")
        await expect(place).to_contain_text("北纬")
        await expect(place.locator("[data-near]")).to_have_text("磨坊路附近")
        lon, lat = map(float, str(await place.get_attribute("data-place")).split())
        near = report(city, "blocked-sewer", lon + 0.0002, lat, description="says Jane Roe")
        # Of what nobody wrote before, no type is suggested, which is said.
        await page.locator("textarea").fill("asdf qwer")
        await expect(page.locator("[data-unknown-words]")).to_contain_text("没有认出")
        await expect(page.locator("[data-offer]")).to_have_count(0)
        await page.locator("textarea").fill("<b>路灯</b>不亮")
        # The likeliest types are offered for what she wrote: one press takes one, or she leaves it open.
        offer = page.locator('[data-offer="street-light"]')
        await expect(offer).to_be_visible()
        await offer.press("Enter")
        await expect(page.locator(".case-chosen")).to_contain_text("路灯")
        # What was pressed has gone: the keyboard is where it goes on.
        await expect(page.locator(".case-chosen > span")).to_be_focused()
        await expect(page.locator(".nearby")).to_have_count(0)
        await page.get_by_role("button", name="重新选择").press("Enter")
        await expect(page.get_by_role("searchbox")).to_be_focused()
        await page.locator("[data-unknown]").click()
        await expect(page.locator(".case-chosen")).to_contain_text("由受理员确定")
        await page.get_by_role("button", name="还是自己选").click()
        # A type is found by its name in either language.
        found = page.locator(".case-types [data-type]")
        await page.get_by_role("searchbox").fill("tree")
        await expect(found.first).to_have_attribute("data-type", "street-tree")
        # What people call by another word is found, too.
        await page.get_by_role("searchbox").fill("lamp")
        await expect(found.first).to_have_attribute("data-type", "street-light")
        await page.get_by_role("searchbox").fill("sewer")
        await page.locator('[data-type="blocked-sewer"]').click()
        await expect(page.locator(".case-chosen")).to_contain_text("排水管道堵塞")
        # What is open of that type near by is told, by its number alone; she may report all the same.
        await expect(page.locator(".nearby")).to_contain_text("距此 14米")
        await expect(page.locator(".nearby a")).to_contain_text(near)
        await expect(page.locator(".nearby")).not_to_contain_text("Jane")
        note: FilePayload = {"name": "note.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}
        # The photos open as a button does.
        for key in ("Enter", "Space"):
            async with page.expect_file_chooser() as choosing:
                await page.locator('[name="photos"]').press(key)
        await (await choosing.value).set_files([photo("navy"), note])
        await page.locator('[name="phone"]').fill("555 0100")
        assert await visit.audit() == []
        await page.get_by_role("button", name="提交").click()
        number = await page.locator(".report-number").inner_text()
        assert re.fullmatch(r"\d{4}-\d{6}", number)
        kept = city.get(f"/cases/{number}")
        assert kept["case"]["location"] == pytest.approx([lon, lat])
        assert kept["case"]["reportedBy"] == ["phone"]
        assert len(kept["evidence"]) == 1
        # What was not taken is told by its name, with why; another photo takes its place.
        await expect(page.locator(".report .note.warn")).to_contain_text("note.jpg: 不是 JPEG")
        await page.locator('[name="another"]').set_input_files(photo("teal"))
        await expect(page.get_by_text("已发送 1 张照片")).to_be_visible()
        # The browser itself writes an answer of 415 into its console.
        visit.complaints = [text for text in visit.complaints if "415" not in text]
        await expect(page.locator(".report .note.warn")).to_have_count(0)
        assert len(city.get(f"/cases/{number}")["evidence"]) == 2

        await page.get_by_role("link", name="办理进度").press("Enter")
        await expect(page.locator("#page-title")).to_be_focused()
        looked = page.locator('.status [name="number"]')
        await looked.fill("2020-999999")
        await looked.press("Enter")
        await expect(page.locator(".status [role=alert]")).to_have_text("没有案件 2020-999999。")
        await expect(looked).to_be_focused()
        visit.complaints = [text for text in visit.complaints if "404" not in text]
        await looked.fill(number)
        await looked.press("Enter")
        await expect(page.locator("#page-title")).to_be_focused()
        await expect(page.locator('[aria-current="step"]')).to_have_attribute("data-step", "collect")
        await expect(page.locator(".status")).to_contain_text("已上报")
        told = await page.locator(".status").inner_text()
        assert "不亮" not in told
        assert "555" not in told
        assert await visit.audit() == []

        await page.get_by_role("link", name="案件", exact=True).click()
        # The case that was looked up is open.
        await page.get_by_role("button", name="返回案件列表").click()
        await expect(page.locator(".case-pane")).to_have_count(0)
        assert await visit.audit() == []
        # The first case is on the first screen; the filters lie behind a button that counts them.
        first = await page.locator(".case-row").first.bounding_box()
        assert first is not None
        assert first["y"] + first["height"] < PHONE[1]
        status = page.locator('.case-filters [name="status"]')
        await expect(status).to_be_hidden()
        await page.get_by_role("button", name="筛选").click()
        await status.select_option("closed")
        await expect(page.get_by_role("button", name="筛选（1）")).to_have_attribute("aria-expanded", "true")
        assert await visit.audit() == []
        await status.select_option("open")
        await page.get_by_role("button", name="筛选").click()
        await expect(status).to_be_hidden()
        # A number is typed, and Enter opens its case; one that does not exist is said.
        typed = page.locator(".case-find input")
        await typed.fill("2020-999999")
        await typed.press("Enter")
        await expect(page.locator(".case-find [role=alert]")).to_have_text("没有案件 2020-999999。")
        visit.complaints = [text for text in visit.complaints if "404" not in text]
        await typed.fill(f" ＃{number} ")
        await typed.press("Enter")
        await expect(page.locator("#case-title")).to_contain_text(number)
        await page.get_by_role("button", name="返回案件列表").click()
        await page.locator(f'[data-case="{number}"]').click()
        await expect(page.locator(".case-text")).to_have_text("<b>路灯</b>不亮")
        # What the city itself alone does is offered to nobody.
        await expect(page.locator('[data-move="accept"]')).to_be_visible()
        await expect(page.locator('[data-move="closeElsewhere"]')).to_have_count(0)
        # On a telephone the map lies under the case: a sketch tells where the other one is.
        await page.locator(".case-pane .case-role select").select_option("intake")
        await expect(page.locator("[data-alike]")).to_contain_text("相距 14米")
        await expect(page.locator(".case-sketch circle")).to_have_count(2)
        assert await visit.audit() == []
        await page.locator("[data-not-same]").click()
        await expect(page.locator("[data-alike]")).to_have_count(0)
        assert city.get(f"/cases/{near}/duplicates")["duplicates"] == []
        await move(page, "intake", "askVerify")
        await move(page, "collector", "verify", finding="属实", photos="red")
        await move(page, "shiftLeader", "file", condition="sewer-overflows")
        await move(page, "dispatcher", "dispatch", department="lighting")
        await move(page, "department:lighting", "handled", photos="green")
        await move(page, "intake", "askCheck")
        await move(page, "collector", "passCheck", finding="已修好", photos="blue")
        await move(page, "shiftLeader", "close", closingCondition="已修好")
        await move(page, "hotline", "followUp", finding="满意")
        await move(page, "evaluator", "evaluate")
        await expect(page.locator('.case-steps [data-state="done"]')).to_have_count(7)
        await expect(page.locator(".case-photos img")).to_have_count(5)
        await visit.until(
            "[...document.querySelectorAll('.case-photos img')].every(({naturalWidth: w}) => w)"
        )
        assert await visit.audit() == []
        assert await page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
        moves = [each["move"] for each in city.get(f"/cases/{number}")["transitions"]]
        assert moves == [
            "report",
            "askVerify",
            "verify",
            "file",
            "dispatch",
            "handled",
            "askCheck",
            "passCheck",
            "close",
            "followUp",
            "evaluate",
        ]
        await page.get_by_role("button", name="返回案件列表").click()
        # What is done leaves the queue.
        await expect(page.locator(f'[data-case="{number}"]')).to_have_count(0)

        # It is counted where it was filed, and found again behind that figure.
        await page.get_by_role("link", name="考核评价").click()
        await page.locator('[name="period"]').select_option("month")
        card = page.locator('.figure-card[data-figure="UM-FILE-ONTIME"]')
        await expect(card).to_contain_text("100%")
        await expect(card).to_contain_text("1 件中 1 件")
        # Its promise has not ended: that is nothing to count, and neither none nor all.
        late = page.locator('.figure-card[data-figure="UM-CLOSE-ONTIME"]')
        await expect(late).to_contain_text("无可统计")
        await expect(late).not_to_contain_text("%")
        assert await visit.audit() == []
        assert await page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
        await card.click()
        await expect(page.locator('.formula [data-part="numerator"]')).to_have_text("1 在时限内立案的")
        await expect(page.locator('.formula [data-part="denominator"]')).to_contain_text("本期首次立案的案件")
        code = page.locator(".figure-pane code")
        await expect(code).to_be_hidden()
        await page.get_by_text("计算式").click()
        await expect(code).to_be_visible()
        assert await visit.audit() == []
        await page.locator(f'.figure-pane [data-case="{number}"]').click()
        await expect(page.locator("#case-title")).to_contain_text(number)
        await page.get_by_role("button", name="返回案件列表").click()
        await expect(page.locator(f'.figure-pane [data-case="{number}"]')).to_be_focused()
        await page.get_by_role("button", name="返回指标").click()
        await expect(card).to_be_focused()


async def test_evaluator_reads_figures_with_the_keyboard_and_takes_them_along(city: NodeProcess) -> None:
    number = report(city, "street-light", 10.06, 50.06)
    act(city, number, "accept", role="intake")
    act(city, number, "file", role="shiftLeader", condition="light-out")
    act(city, number, "dispatch", role="dispatcher", department="lighting")
    act(city, number, "assign", role="department", actingFor="lighting", worker="crew-1")
    async with visiting(city.url) as visit:
        page = visit.page
        await page.goto(f"{city.url}/?page=evaluation&period=month&by=type")
        row = page.locator('[data-group="street-light"]')
        filed = row.locator('[data-figure="UM-FILE-ONTIME"]')
        await filed.focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#figure-title")).to_be_focused()
        await expect(page.locator(".figure-pane")).to_contain_text("filed by the deadline")
        assert {"group=street-light", "figure=UM-FILE-ONTIME"} <= set(urlsplit(page.url).query.split("&"))
        assert await visit.audit() == []
        await page.locator(f'.figure-pane [data-case="{number}"]').focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#case-title")).to_contain_text(number)
        await page.keyboard.press("Escape")
        await expect(page.locator(f'.figure-pane [data-case="{number}"]')).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(filed).to_be_focused()
        # The cards tell of the same type; nobody keeps what patrols miss, and no share is made of that.
        await expect(page.locator("#evaluation-headline")).to_have_text("At a glance: Street light")
        await page.locator('[data-by="role"]').click()
        missed = page.locator('[data-role="collector"] [data-figure="UM-MISSED"]')
        await expect(missed).to_contain_text("Not reported")
        await expect(missed).not_to_contain_text("%")
        # What is counted since is told, and counted when it is wished for.
        await page.locator('[data-by="department"]').click()
        before = city.get("/cases?status=all")["total"]
        counted = page.locator(".evaluation-count")
        await expect(counted).to_contain_text(re.compile(f"^{before} cases? "))
        undispatched = report(city, "street-light", 10.07, 50.07)
        act(city, undispatched, "accept", role="intake")
        act(city, undispatched, "file", role="shiftLeader", condition="light-out")
        await expect(counted).to_contain_text("Cases have changed since.")
        await counted.get_by_role("button").click()
        await expect(counted).to_contain_text(re.compile(f"^{before + 1} cases "))
        # The table is ordered by its heads, and saved with every count.
        await page.locator('[data-column="name"] button').click()
        names = page.locator(".evaluation-table tbody .row-name")
        told = await names.all_inner_texts()
        assert told.pop() == "Without a department"
        assert told == sorted(told, reverse=True)
        async with page.expect_download() as saved:
            await page.get_by_role("button", name="Download: CSV").click()
        text = await asyncio.to_thread(Path(await (await saved.value).path()).read_text, "utf-8")
        figures = {(one["group"], one["indicator"]): one for one in csv.DictReader(io.StringIO(text))}
        month = datetime.now(ZoneInfo("Asia/Shanghai")).replace(day=1, hour=0, minute=0, second=0)
        since = month.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        lit = city.get(f"/cases?status=all&department=lighting&since={since}")["total"]
        assert figures["lighting", "UM-FILE-ONTIME"]["numerator"] == str(lit)
        assert figures["", "UM-MISSED"]["value"] == ""
        for (group, indicator), whole in figures.items():
            rows = [one for (of, each), one in figures.items() if of and each == indicator]
            if not group:
                for column in ("numerator", "denominator"):
                    assert sum(int(one[column]) for one in rows) == int(whole[column]), indicator
        # Paper has no choices to look at: it says the days, the division and when it was made.
        paper = page.locator(".evaluation-paper")
        await expect(paper).to_be_hidden()
        await page.emulate_media(media="print")
        made = datetime.fromisoformat(figures["", "UM-MISSED"]["evaluatedAt"])
        day = made.astimezone(ZoneInfo("Asia/Shanghai")).day
        await expect(paper).to_have_text(
            re.compile(
                rf"^Period: 1 – \d\d \w+ {month:%Y} · Who: Whole city"
                rf" · By: Departments · Made: {day} \w+ {month:%Y}, "
            )
        )
        await expect(page.locator(".evaluation-choices")).to_be_hidden()
        await page.emulate_media(media="screen")
        # A period without cases leads to one that has some.
        await page.goto(f"{city.url}/?page=evaluation&period=2020-01-01/2020-01-31")
        await page.get_by_role("button", name="Show that month").click()
        await expect(page.locator('.figure-card[data-figure="UM-FILE-ONTIME"]')).to_contain_text("%")
        assert await visit.audit() == []


async def test_duty_officer_sees_what_is_due_first_and_is_told_who_was_faster(city: NodeProcess) -> None:
    late = report(city, "sewage-cover", 10.02, 50.02, reporter={"name": "Ada", "phone": "555"})
    soon = report(city, "burst-water-main", 10.08, 50.08)
    act(city, late, "accept", role="intake")
    async with visiting(city.url, scheme="dark") as visit:
        page = visit.page
        await visit.open("/?page=cases&as=dispatcher")
        rows = page.locator(".case-row")
        wanted = [each["id"].rpartition(":")[2] for each in city.get("/cases?limit=100")["cases"]]
        await expect(rows).to_have_count(len(wanted))
        shown = [await rows.nth(index).get_attribute("data-case") for index in range(len(wanted))]
        assert shown == wanted
        await expect(rows.first.locator(".light")).to_have_text("In time")
        await expect(rows.first.locator(".case-left")).to_contain_text("left")
        assert await visit.audit() == []
        # A mark on the map is chosen as a row is.
        await visit.until("window.__cityloom.resting()")
        await visit.click_object(f"urn:ngsi-ld:Case:{soon}")
        await expect(page.locator("#case-title")).to_contain_text(soon)
        await expect(page.locator(f'[data-case="{soon}"]')).to_have_attribute("aria-pressed", "true")
        await page.keyboard.press("Escape")
        await expect(page.locator(".case-pane")).to_have_count(0)
        # The keyboard walks the queue.
        await page.keyboard.press("j")
        await expect(page.locator("#case-title")).to_contain_text(wanted[0])
        await page.keyboard.press("j")
        await expect(page.locator("#case-title")).to_contain_text(wanted[1])
        await page.keyboard.press("Escape")
        await expect(page.locator(".case-pane")).to_have_count(0)
        # What happens meanwhile is in the queue by itself.
        third = report(city, "street-light", 10.05, 50.05)
        await expect(page.locator(f'[data-case="{third}"]')).to_be_visible()
        await page.locator(f'[data-case="{late}"]').click()
        await expect(page.locator("#case-title")).to_contain_text(late)
        await page.locator('[name="as"]').first.select_option("shiftLeader")
        assert "as=shiftLeader" in page.url

        # Somebody else moves the case between the look and the press.
        async def be_faster(route: Route) -> None:
            act(city, late, "void", role="shiftLeader", reason="twice the same")
            await route.continue_()

        await page.route("**/moves", be_faster)
        await page.locator('button[data-move="verifyAgain"]').click()
        await page.locator('.case-moves [name="reason"]').fill("look again")
        await page.locator(".case-moves [type=submit]").click()
        await expect(page.locator(".case-moves .warn")).to_contain_text("Somebody else")
        await expect(page.locator('.case-history [data-move="void"]')).to_contain_text("twice the same")
        await expect(page.locator(".case-pane [data-state=voided]")).to_be_visible()
        assert len(visit.complaints) == 1
        assert "409" in visit.complaints.pop()
        await page.unroute("**/moves")

        # Who reported is told for a purpose, to a role that needs it.
        await page.locator('[name="as"]').first.select_option("intake")
        assert "555" not in await page.locator(".case-pane").inner_text()
        await page.locator('[name="purpose"]').fill("to ask where exactly")
        await page.locator("[aria-labelledby=case-reporter] button").click()
        await expect(page.locator(".case-facts")).to_contain_text("Ada")
        assert await visit.audit() == []

        # What a role may move on, in every department.
        await page.keyboard.press("Escape")
        await page.locator('[name="as"]').first.select_option("shiftLeader")
        await page.get_by_role("button", name="For me").click()
        states = "state=pendingFile,pendingClose"
        mine = [each["id"].rpartition(":")[2] for each in city.get(f"/cases?limit=100&{states}")["cases"]]
        act(city, soon, "accept", role="intake")
        await expect(page.locator(f'[data-case="{soon}"]')).to_be_visible()
        await expect(rows).to_have_count(len(mine) + 1)
        assert "mine=1" in page.url
        await page.get_by_role("button", name="For me").click()
        await expect(rows).not_to_have_count(len(mine) + 1)

        # A department's own list.
        for name, more in (("file", {}), ("dispatch", {"department": "roads"})):
            role = {"file": "shiftLeader", "dispatch": "dispatcher"}[name]
            act(city, soon, name, role=role, **more)
        await page.locator('[name="as"]').first.select_option("department:roads")
        await page.get_by_role("button", name="My department").click()
        await expect(rows).to_have_count(1)
        await expect(rows.first).to_have_attribute("data-case", soon)
        assert "department=roads" in page.url
        # Whoever fills in a form is told when the case is moved meanwhile.
        await rows.first.click()
        await page.locator('button[data-move="requestReturn"]').click()
        # Escape closes the form, not the case.
        await page.locator('.case-moves [name="reason"]').press("Escape")
        await expect(page.locator(".case-moves form")).to_have_count(0)
        await page.locator('button[data-move="requestReturn"]').click()
        await page.locator('.case-moves [name="reason"]').fill("not ours")
        act(city, soon, "assign", role="department", actingFor="roads", worker="crew-7")
        await expect(page.locator(".case-moves .warn")).to_contain_text("not open any more")
        await expect(page.locator(".case-moves form")).to_have_count(0)


async def test_intake_is_helped_by_what_the_node_sees_and_decides_itself(city: NodeProcess) -> None:
    first, second = (
        report(city, "street-light", lon, 50.03, description="the lamp is dark") for lon in (10.03, 10.0302)
    )
    place = {"type": "Point", "coordinates": [10.06, 50.03]}
    told = {"description": "The street lamp near the school is dark", "location": place}
    untyped = str(city.request("POST", "/cases", told)["id"]).rpartition(":")[2]
    path = report(city, "pavement", 10.08, 50.03)
    act(city, path, "accept", role="intake")
    act(city, path, "file", role="shiftLeader")
    async with visiting(city.url) as visit:
        page = visit.page
        await visit.open(f"/?page=status&case={untyped}")
        await expect(page.locator(".status .case-facts")).to_contain_text("Not classified yet")
        # What may be the same is proposed; one key opens the form of the move, which a person makes.
        await visit.open(f"/?page=cases&as=intake&case={second}")
        alike = page.locator(f'[data-alike="{first}"]')
        await expect(alike).to_contain_text("14 m away")
        await expect(alike).to_contain_text("(Street light)")
        await visit.until("window.__cityloom.resting()")
        before = await page.locator(".map canvas").screenshot()
        await alike.locator(".case-option").click()
        await visit.until("window.__cityloom.resting()")
        assert await page.locator(".map canvas").screenshot() != before
        assert await visit.audit() == []
        await page.keyboard.press("m")
        form = page.locator(".case-moves form")
        await expect(form.locator('[name="into"]')).to_have_value(first)
        await expect(form.locator('[name="reason"]')).to_have_value(re.compile(f"{first}.*14 m away"))
        assert city.get(f"/cases/{second}")["case"]["state"] == "reported"
        await form.locator('[name="reason"]').fill("one lamp, two callers")
        await form.locator("[type=submit]").click()
        await expect(page.locator('.case-history [data-move="merge"]')).to_contain_text("one lamp, two")
        assert city.get(f"/cases/{second}")["case"]["into"] == f"urn:ngsi-ld:Case:{first}"
        await expect(page.locator(".case-links")).to_contain_text(f"Merged into case {first}")
        # Everyone is led to the one that goes on, and told nothing that did not happen.
        await page.get_by_role("link", name="How the case goes").click()
        await expect(page.locator(".status .case-steps li")).to_have_count(1)
        await expect(page.locator(".status")).not_to_contain_text("promised")
        await expect(page.locator(".side")).to_be_hidden()
        assert await visit.audit() == []
        await page.locator("[data-into] a").click()
        await expect(page.locator("#page-title")).to_contain_text(first)
        await expect(page.locator(".status .case-steps li")).to_have_count(7)
        await visit.open(f"/?page=cases&as=intake&case={second}")
        await expect(page.locator("[data-alike]")).to_have_count(0)

        # The suggested type is taken with one key, and its conditions alone can be chosen.
        await visit.open(f"/?page=cases&as=intake&case={untyped}")
        await page.locator('button[data-move="accept"]').click()
        await expect(form.locator('[name="type"] option').first).to_have_text("not set")
        await form.get_by_role("button", name="Cancel").press("Enter")
        await expect(page.locator("#case-moves")).to_be_focused()
        act(city, untyped, "accept", role="intake")
        await page.locator('[name="as"]').first.select_option("shiftLeader")
        await page.locator('button[data-move="file"]').click()
        # The areas of this city have no grades.
        await expect(form.locator('[name="grade"]')).to_have_count(0)
        offer = page.locator('[data-offer="street-light"]')
        await expect(offer).to_contain_text(re.compile(r"likely, \d+%"))
        await expect(offer).to_contain_text("“lamp”")
        await page.keyboard.press("1")
        await expect(form.locator('[name="type"]')).to_have_value("street-light")
        await expect(form.locator('[name="condition"]')).to_be_focused()
        codes = "one => [...one.options].map(({value}) => value)"
        known = [one for one in city.get("/cases/types")["types"] if one["code"] == "street-light"]
        wanted = ["", *(one["code"] for one in known[0]["conditions"])]
        assert await form.locator('[name="condition"]').evaluate(codes) == wanted
        await form.locator('[name="condition"]').select_option("light-out")
        await form.locator("[type=submit]").click()
        await expect(page.locator('.case-history [data-move="file"]')).to_have_count(1)
        # The department that mended the lamp is suggested; another one can be chosen.
        await page.locator('[name="as"]').first.select_option("dispatcher")
        await page.locator('button[data-move="dispatch"]').click()
        await expect(page.locator('[data-offer="lighting"]')).to_contain_text("Street light")
        await page.keyboard.press("0")
        await expect(page.locator("[data-offer]")).to_have_count(0)
        await expect(form).to_contain_text("it is kept that this was suggested")
        await form.locator('[name="department"]').select_option("roads")
        await form.locator("[type=submit]").click()
        await expect(page.locator('.case-history [data-move="dispatch"]')).to_have_count(1)
        assert city.get(f"/cases/{untyped}")["case"]["department"] == "roads"
        await page.keyboard.press("Escape")
        # Where a rule names the department it comes first, without a text, also where several are to come.
        await visit.open(f"/?page=cases&as=dispatcher&case={path}")
        await page.locator('button[data-move="split"]').click()
        offer = page.locator('[data-offer="roads"]')
        await expect(offer).to_contain_text("by the rule in force")
        await expect(offer).to_contain_text("Who comes, version 3, row paths")
        await page.keyboard.press("1")
        await expect(form.locator('[value="roads"]')).to_be_checked()
        await expect(offer).to_have_attribute("aria-pressed", "true")
        await form.locator('[value="lighting"]').check()
        assert await visit.audit() == []
        await form.locator("[type=submit]").click()
        await expect(page.locator('.case-history [data-move="split"]')).to_have_count(1)
        assert {part["department"] for part in city.get(f"/cases/{path}")["parts"]} == {"roads", "lighting"}
        await page.keyboard.press("Escape")

        # Many reports of one kind are told above the queue as they come; a press shows them alone.
        await expect(page.locator('.surges [data-surge="flooded-road"]')).to_have_count(0)
        floods = {report(city, "flooded-road", 10.03 + step / 500, 50.04) for step in range(12)}
        alarm = page.locator('.surges [data-surge="flooded-road"][data-area$="north"]')
        await expect(alarm).to_contain_text("Flooded road · North")
        await alarm.click()
        await expect(page.locator(".case-row")).to_have_count(len(floods))
        assert {
            await row.get_attribute("data-case") for row in await page.locator(".case-row").all()
        } == floods
        await expect(page.locator(".case-scope")).to_contain_text("in North")
        await page.locator(".surges-ended > summary").click()
        ended = page.locator('.surges-ended [data-surge="sewage-cover"]')
        await expect(ended).to_contain_text("up to 12 since")
        assert await visit.audit() == []
        # Of one that has ended, whatever has become of its cases.
        await ended.click()
        await expect(page.locator(".case-row")).to_have_count(12)
        await ended.click()
        await expect(page.locator(".case-scope")).to_have_count(0)
        assert "reportedSince" not in page.url


async def test_city_without_cases_has_no_page_of_them(built_page: None, tmp_path: Path) -> None:
    with running("serve", "--data", str(tmp_path), "--port", "0") as node:
        assert node.get("/city")["cases"] is False
        async with visiting(node.url) as visit:
            await visit.page.goto(node.url)
            await expect(visit.page.locator(".pages a")).to_have_count(4)
            await expect(visit.page.get_by_role("link", name="Cases")).to_have_count(0)

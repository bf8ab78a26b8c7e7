"""`/rules`: tables by HTTP, and who may adopt them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.rules.opened import RULES
from tests.rules.tables import ROUTING, routing
from tests.web.node import Client

ONE = "/rules/who-comes/versions/1"
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()


async def test_a_table_is_written_checked_edited_adopted_and_asked(node: Client) -> None:
    made = await node.post("/rules", ROUTING)
    assert (made.status, made.headers["Location"]) == (201, ONE)
    assert (made.json["state"], made.json["rows"], made.json["table"]["rows"][3]["note"]) == (
        "draft",
        4,
        "whoever is near",
    )
    assert (await node.put(ONE, routing(title={"en": "Who"}))).status == 204
    assert (await node.get(ONE)).json["title"] == {"en": "Who"}
    gap = await node.post("/rules/check", routing(rows=ROUTING["rows"][:3]))
    assert [(one["level"], one["place"]) for one in gap.json] == [("warning", "rows")]
    assert (gap.json[0]["fault"], gap.json[0]["at"]) == (
        "gap",
        {"type": "not(sewage-cover, street-light, water-cover)"},
    )
    asked = {"kind": "routing", "inputs": {"type": "street-light"}}
    assert (await node.post("/rules/decide", asked)).status == 404
    drafted = await node.post("/rules/decide", {**asked, "decisionTable": "who-comes", "version": "1"})
    assert drafted.json["hits"][0]["row"] == "lamps"
    assert drafted.json["hits"][0]["why"] == [
        {"input": "type", "value": "street-light", "test": "street-light"}
    ]
    # A table that somebody is writing decides, too, and is not kept.
    written = routing(rows=[{"id": "all", "then": {"department": "gardens"}}])
    decided = await node.post("/rules/decide", {**asked, "table": written})
    assert decided.json["hits"][0]["outputs"] == {"department": "gardens"}
    assert (await node.get(ONE)).json["rows"] == 4
    adopted = await node.post(ONE + "/adopt", {"from": TOMORROW})
    assert (adopted.status, adopted.json["from"], adopted.json["until"]) == (200, TOMORROW, None)
    assert (await node.post("/rules/decide", {**asked, "day": TOMORROW})).json["version"] == "1"
    assert (await node.put(ONE, routing())).status == 409
    assert (await node.delete(ONE)).status == 409
    listed = await node.get("/rules")
    assert [(one["version"], one["state"]) for one in listed.json] == [("1", "adopted")]


async def test_what_is_wrong_is_answered_with_its_place(node: Client) -> None:
    for path, body, status, says in (
        ("/rules", [], 400, "a decision table is required"),
        ("/rules", {"decisionTable": "x"}, 400, "missing required field"),
        ("/rules", routing(rows=[{"when": {"type": "a b"}}]), 400, "row 1, type is invalid at position 3"),
        ("/rules/decide", {"kind": "routing"}, 400, "inputs"),
        ("/rules/decide", {"kind": "x", "inputs": {}}, 400, "kind is invalid"),
        (ONE + "/adopt", {"from": TOMORROW}, 404, "does not exist"),
        (ONE + "/adopt", {"since": TOMORROW}, 400, "unknown field"),
        (ONE + "/replays", {}, 404, "does not exist"),
    ):
        answer = await node.post(path, body)
        assert (answer.status, says in answer.json["detail"]) == (status, True), (path, answer.json)
    assert (await node.get("/rules/replays/none")).status == 404
    assert (await node.post("/rules", ROUTING)).status == 201
    other = await node.post("/rules", routing(title={"en": "Else"}))
    assert (other.status, "already exists with other content" in other.json["detail"]) == (409, True)
    unwhole = routing(version="2", rows=[ROUTING["rows"][3], ROUTING["rows"][1]])
    assert (await node.post("/rules", unwhole)).status == 201
    refused = await node.post("/rules/who-comes/versions/2/adopt", {"from": TOMORROW})
    assert (refused.status, "row lamps: is never reached" in refused.json["detail"]) == (400, True)


async def test_every_entry_that_cannot_be_read_is_told_with_its_row_and_column(node: Client) -> None:
    rows = [
        {"id": "a", "when": {"type": "street light", "area": "[1..2]"}, "then": {"department": "lamps"}},
        {"id": "a", "then": {"department": "streets"}},
    ]
    found = (await node.post("/rules/check", routing(rows=rows))).json
    assert [(one["number"], one["column"], one["fault"]) for one in found] == [
        (1, "type", "unreadable"),
        (1, "area", "unreadable"),
        (2, "id", "twice"),
    ]
    rows[0]["when"] = {"type": "street-light"}
    rows[0]["then"] = {}
    rows[1]["id"] = "b"
    rows.append({"id": "c", "then": {"department": "never"}})
    found = (await node.post("/rules/check", routing(rows=rows))).json
    assert [(one["number"], one["column"], one["fault"]) for one in found] == [
        (1, "department", "required"),
        (3, "", "unreached"),
    ]


async def test_kinds_say_what_a_table_may_ask_for(node: Client) -> None:
    kinds = {one["kind"]: one for one in (await node.get("/rules/kinds")).json}
    assert kinds["routing"]["inputs"]["area"] == "string"
    assert kinds["limits"]["required"] == ["limit"]
    assert [name for name, one in kinds.items() if not one["alone"]] == ["opening"]


async def test_a_draft_goes(node: Client) -> None:
    await node.post("/rules", ROUTING)
    assert (await node.delete(ONE)).status == 204
    assert (await node.get(ONE)).status == 404


async def test_a_replay_is_asked_for_and_read(node: Client) -> None:
    await node.post("/rules", RULES)
    asked = await node.post("/rules/live/versions/1/replays", {})
    assert asked.status == 202
    async with asyncio.timeout(20):
        while (told := (await node.get(asked.headers["Location"])).json)["status"] == "running":
            await asyncio.sleep(0.01)
    assert (told["status"], told["progress"], told["result"]["opened"]) == ("done", 1.0, [])
    listed: list[dict[str, Any]] = (await node.get("/rules/replays")).json
    assert [one["id"] for one in listed] == [told["id"]]
    assert "result" not in listed[0]

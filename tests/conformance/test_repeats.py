"""Instances that a source delivered again: kept, flagged, and left out where asked (our own parameter)."""

from pathlib import Path

from cityloom.broker.ports import Call
from cityloom.ld.context import LdContext
from cityloom.model.entity import Attribute
from cityloom.model.events import Cause
from cityloom.model.history import HistoryAppend, Instance
from tests.web.node import running_node

COUNTER = "urn:ngsi-ld:Counter:1"
PATH = f"/ngsi-ld/v1/temporal/entities/{COUNTER}"


async def test_repeats_are_flagged_and_left_out_where_asked(tmp_path: Path) -> None:
    name = LdContext.core.expand_term("count")
    stamps = [("2026-05-01T10:00:00Z", 0), ("2026-05-01T10:15:00Z", 0), ("2026-05-01T10:15:00Z", 1)]
    instances = [
        Instance(
            name=name,
            attribute=Attribute(kind="Property", value=5 + index, observed_at=stamp),
            occurrence=occurrence,
        )
        for index, (stamp, occurrence) in enumerate(stamps)
    ]
    cause = Cause(kind="run", id="urn:ngsi-ld:ImportRun:counter:1", source="counter")
    async with running_node(tmp_path) as node:
        append = HistoryAppend(
            entity_id=COUNTER, types=[LdContext.core.expand_term("Counter")], instances=instances
        )
        await node.services.broker.append_history(Call(cause=cause), [append])
        kept = (await node.get(PATH)).json["count"]
        assert [one.get("occurrence", {}).get("value") for one in kept] == [None, None, 1]
        assert [one["value"] for one in kept] == [5, 6, 7]
        omitted = (await node.get(f"{PATH}?repeats=omit")).json["count"]
        assert [one["value"] for one in omitted] == [5, 6]
        aggregated = f"{PATH}?options=aggregatedValues&aggrMethods=totalCount,sum&aggrPeriodDuration=PT0S"
        whole = (await node.get(aggregated)).json["count"]
        assert (whole["totalCount"][0][0], whole["sum"][0][0]) == (3, 18)
        without = (await node.get(f"{aggregated}&repeats=omit")).json["count"]
        assert (without["totalCount"][0][0], without["sum"][0][0]) == (2, 11)
        assert (await node.get(f"{PATH}?repeats=maybe")).status == 400

"""The past in bulk: the same rows give the same history as when they are appended one by one."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityloom.broker.ports import Call
from cityloom.connect.past import PastImport
from cityloom.connect.past_file import PastFile
from cityloom.connect.report import Report
from cityloom.model.entity import Attribute, Entity
from cityloom.model.errors import ConfigurationError, StoreFailed
from cityloom.model.events import Cause
from cityloom.model.history import HistoryAppend, Instance
from cityloom.model.time import format_datetime
from cityloom.store.history_ports import Window
from tests.connect.conftest import NOON, TestCity, expand

ROOT = Path(__file__).parents[2]
DAY = 86_400_000_000
OLD = NOON - 30 * DAY
"""What is older goes to the tables."""
SENSOR = expand("Sensor")
NAMES = ("id", "type", "attribute", "observedAt", "value", "datasetId", "unitCode")
Row = tuple[str, str, str, int, Any, str | None, str | None]

values = st.sampled_from([1, 2.5, -3, 0.1, 2**53 + 1, -(2**63)])
rows = st.tuples(
    st.sampled_from(["urn:ngsi-ld:Sensor:1", "urn:ngsi-ld:Sensor:2", "urn:x:ä"]),
    st.just("Sensor"),
    st.sampled_from(["level", "rate"]),
    st.sampled_from([OLD + n * DAY // 2 for n in (-90, -61, -60, -2, -1, 0, 1, 5)]),
    values,
    st.sampled_from([None, None, "urn:d:1"]),
    st.sampled_from([None, "CEL"]),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("file"), st.lists(rows, max_size=12)),
        st.tuples(st.just("delete"), st.integers(0, 5)),
        st.tuples(st.sampled_from(["make", "remove", "move", "compact", "shift"]), st.integers(0, 5)),
    ),
    min_size=1,
    max_size=6,
)


def past(city: TestCity, **more: Any) -> PastImport:
    return PastImport(city.importer, city.store.cold, OLD, **{"chunk": 3, **more})


def written(path: Path, told: list[Row]) -> Path:
    """The rows as a CSV file, which holds values of all kinds."""
    lines = [",".join(NAMES)]
    for entity_id, type, name, time, value, dataset, unit in told:
        cell = value if isinstance(value, str) else json.dumps(value)
        lines.append(f"{entity_id},{type},{name},{format_datetime(time)},{cell},{dataset or ''},{unit or ''}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def told(city: TestCity) -> dict[str, Any]:
    """All history, but for the times of writing."""
    found: dict[str, Any] = {}
    with city.store.snapshot() as snapshot:
        for entity in snapshot.history_entities(""):
            told = snapshot.instances("", entity.id, Window(with_repeats=True))
            found[entity.id] = (
                entity.types,
                {
                    name: [
                        (
                            one.attribute.instance_id,
                            one.attribute.observed_at,
                            json.dumps(one.attribute.value),
                            one.attribute.dataset_id,
                            one.attribute.unit_code,
                            one.occurrence,
                            one.row,
                        )
                        for one in instances
                    ]
                    for name, instances in told.items()
                },
                snapshot.count_observed("", entity.id, Window()),
            )
    return found


async def appended(city: TestCity, source: str, told: list[Row]) -> None:
    """The rows one by one, as a connector would bring them."""
    seen: Counter[tuple[Any, ...]] = Counter()
    call = Call(tenant="", party="", cause=Cause(kind="run", id="urn:run", source=source, file="f"))
    for number, (entity_id, type, name, time, value, dataset, unit) in enumerate(told, 1):
        key = (entity_id, name, time, dataset)
        attribute = Attribute(
            kind="Property",
            value=value,
            observed_at=format_datetime(time),
            dataset_id=dataset or "",
            unit_code=unit,
        )
        instance = Instance(name=expand(name), attribute=attribute, occurrence=seen[key], row=number)
        seen[key] += 1
        await city.broker.append_history(
            call, [HistoryAppend(entity_id=entity_id, types=[expand(type)], instances=[instance])]
        )


async def change(city: TestCity, kind: str, number: int) -> None:
    """Something that happens between two files, to the same thing in both cities."""
    call = Call(tenant="", party="", cause=Cause(kind="request", id="r"))
    entity_id = f"urn:ngsi-ld:Sensor:{1 + number % 2}"
    match kind:
        case "make":
            await city.broker.batch(call, "upsert-update", [Item(entity_id)])  # type: ignore[list-item]
        case "move" | "compact":
            city.store.cold.move(OLD) if kind == "move" else city.store.cold.compact()


@settings(max_examples=15, deadline=None)
@given(steps)
async def test_files_of_the_past_give_the_history_that_appends_give(plan: Any) -> None:
    pass

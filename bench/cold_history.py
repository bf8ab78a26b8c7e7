"""Old history in the cold tables: bytes of an instance, one sensor over a year, a thousand over a month.

A year of irregular readings (every ten minutes, a minute more or less, in milliseconds; one decimal) is
written as the mover writes it, month by month, beside a store that knows the sensors. Then, through the
broker and the store, in this process:

- one sensor, a year, hourly mean (aggregated temporal evolution, the answer's values);
- all sensors, a month, hourly mean, as Arrow: `one_history` of the store, and a bare scan of the files;
- the latest value of each sensor at an instant of the past.

And, through the mover: how long the writer is held up by one step of it.

Run with: .venv/bin/python bench/cold_history.py --sensors 1000 --each 50000
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import polars as pl

from cityloom.broker.local import LocalBroker
from cityloom.broker.ports import Call
from cityloom.model.clock import SimulatedClock
from cityloom.model.entity import Entity
from cityloom.model.events import Cause
from cityloom.model.time import format_datetime
from cityloom.query.values import TemporalQuery
from cityloom.store.cold.schema import frame_schema
from cityloom.store.sqlite import SqliteStore, one_history
from cityloom.store.sqlite.cold_changes import MOST
from cityloom.store.sqlite.mover import SHARE
from cityloom.store.tables.cold_rows import month_after, month_begins, month_of
from tests.laws.values import HOUR, LEVEL, RUN, SENSOR, append, do, prop, put, reading

DAY = 24 * HOUR
MINUTE = 60_000_000
BEGIN = 1_735_689_600_000_000  # 2025-01-01
NOW = BEGIN + 420 * DAY


class Everyone:
    """Whoever asks, may."""

    def check(self, *_: Any) -> None:
        """Refuses nothing."""


def fill(store: SqliteStore, sensors: int, each: int) -> None:
    """A year of history, as the mover would have moved it."""
    for number in range(sensors):
        stamp = format_datetime(NOW - DAY)
        put(
            store,
            Entity(id=sensor(number), types=[SENSOR], attributes={LEVEL: [prop(1.5, observed_at=stamp)]}),
        )
    rows = do(store, lambda tx: tx.db.rows("SELECT row FROM entity ORDER BY id"))  # type: ignore[attr-defined]
    name = do(store, lambda tx: tx.db.names.find(LEVEL))  # type: ignore[attr-defined]
    tables, draw, written, version = store.cold._tables, np.random.default_rng(1), 0, 0
    per = each // 12
    for month in range(12):
        begin = month_begins(f"2025-{month + 1:02}")
        times = np.linspace(begin + MINUTE, month_after(begin) - MINUTE, per, endpoint=False)[None, :] // 1000
        noise = draw.integers(-60_000, 60_000, (sensors, per))
        times = np.sort((times + noise).astype(np.int64), axis=1) * 1000
        values = np.round(20 + np.cumsum(draw.normal(0, 0.1, (sensors, per)), axis=1), 1)
        events = np.argsort(np.argsort(times.ravel())).reshape(times.shape) + written + sensors
        written += times.size
        late = draw.integers(50_000, 500_000, times.shape)
        # As compaction leaves a month: in sorted files of about a million rows.
        for some in np.array_split(np.arange(sensors), max(1, times.size // (MOST * SHARE))):
            frame = pl.DataFrame({"time": times[some].ravel()}).with_columns(
                entityId=pl.Series([sensor(number) for number in some]).gather(
                    np.repeat(np.arange(len(some)), per)
                ),
                incarnation=np.repeat(np.array([row for (row,) in rows])[some], per),
                number=values[some].ravel(),
                event=events[some].ravel(),
                modifiedAt=(times[some] + late[some]).ravel(),
                month=pl.lit(f"2025-{month + 1:02}"),
                tenant=pl.lit(None, pl.String),
                type=pl.lit(SENSOR),
                attribute=pl.lit(LEVEL),
                observed=pl.lit(True),
                kind=pl.lit("Property"),
                whole=pl.lit(False),
                deleted=pl.lit(False),
                tie=pl.lit(0),
                occurrence=pl.lit(0),
                change=pl.lit(month + 1),
            )
            schema = frame_schema()
            missing = [
                pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in frame.columns
            ]
            frame = frame.with_columns(*missing)
            version = tables.append(
                frame.select(pl.col(name).cast(kind) for name, kind in schema.items()), month + 1
            )

    def known(tx: Any) -> None:
        tx.db.run("UPDATE cold SET version = ?, number = 12, reach = ?", (version, BEGIN + 366 * DAY))
        tx.db.connection.executemany(
            "INSERT INTO cold_series VALUES (?, ?, 0, ?, ?, ?, ?)",
            [(row, name, BEGIN - DAY, BEGIN + 366 * DAY, each, each) for (row,) in rows],
        )

    do(store, known)


def sensor(number: int) -> str:
    return f"urn:ngsi-ld:Sensor:{number:05}"


def median(work: Callable[[int], Any], times: int) -> str:
    """The median of some runs, the quickest, and the processor's time, which others' work does not change."""
    took, worked = [], []
    work(0)
    for number in range(times):
        start, begin = time.perf_counter(), time.process_time()
        work(number + 1)
        took.append((time.perf_counter() - start) * 1000)
        worked.append((time.process_time() - begin) * 1000)
    return (
        f"p50 {statistics.median(took):.0f} ms, best {min(took):.0f} ms,"
        f" {statistics.median(worked):.0f} ms of the processors"
    )


def sizes(store: SqliteStore) -> None:
    """Bytes of an instance, by column."""
    import pyarrow.parquet as pq

    version = store.cold._tables.latest()
    assert version is not None
    parts = store.cold._tables.files(version)
    rows, size = sum(part.rows for part in parts), sum(part.bytes for part in parts)
    by_column: dict[str, int] = {}
    for part in parts:
        told = pq.ParquetFile(part.uri).metadata
        for group in range(told.num_row_groups):
            for index in range(told.num_columns):
                column = told.row_group(group).column(index)
                by_column[column.path_in_schema] = (
                    by_column.get(column.path_in_schema, 0) + column.total_compressed_size
                )
    identity = (
        "type",
        "attribute",
        "entityId",
        "incarnation",
        "datasetId",
        "source",
        "event",
        "idEvent",
        "tie",
        "instanceId",
        "time",
        "number",
        "whole",
        "json",
    )
    print(
        f"{rows:,} instances in {len(parts)} files: {size / rows:.2f} bytes each, of which id, time and value"
    )
    print(
        f"  {sum(by_column[name] for name in identity) / rows:.2f};",
        ", ".join(f"{name} {total / rows:.2f}" for name, total in by_column.items() if total / rows > 0.05),
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sensors", type=int, default=1000)
    parser.add_argument("--each", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=11)
    given = parser.parse_args()
    gc.set_threshold(50_000, 20, 20)  # as the command line does
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "city.db", SimulatedClock(NOW))
        fill(store, given.sensors, given.each)
        sizes(store)
        broker = LocalBroker(store, Everyone(), SimulatedClock(NOW))  # type: ignore[arg-type]
        hourly = TemporalQuery(
            timerel="between", time_at=BEGIN, end_time_at=NOW, aggr_methods=["avg"], period=(0, HOUR)
        )
        call = Call(tenant="", party="", cause=Cause(kind="request", id="bench"))

        loop = asyncio.new_event_loop()

        def year(number: int) -> None:
            one = sensor(number * 83 % given.sensors)
            page = loop.run_until_complete(broker.retrieve_history(call, one, hourly, [LEVEL]))
            assert len(page.aggregated[0].attributes[LEVEL, ""]["avg"]) > 8000

        print("one sensor, a year, hourly mean:", median(year, given.runs))
        start, end = BEGIN + 120 * DAY, BEGIN + 150 * DAY
        mean = (pl.col("time").dt.truncate("1h").alias("hour"), pl.col("number").mean().alias("mean"))

        def month(_: int) -> None:
            with store.snapshot() as snapshot:
                rows = one_history(snapshot, "", SENSOR, [LEVEL], start, end)
                rows.group_by("entityId", mean[0]).agg(mean[1]).collect().to_arrow()

        def bare(_: int) -> None:
            uris = [
                part.uri
                for part in store.cold._tables.files(store.cold._tables.latest() or 0)
                if month_of(start) <= part.month <= month_of(end)
            ]
            of_month = pl.scan_parquet(uris).filter(
                pl.col("time").cast(pl.Int64).is_between(start, end, closed="left"),
                pl.col("attribute") == LEVEL,
            )
            of_month.group_by("entityId", mean[0]).agg(mean[1]).collect().to_arrow()

        print("all sensors, a month, hourly mean, as Arrow:", median(month, given.runs))
        print("  a bare Polars scan:", median(bare, given.runs))

        def state(_: int) -> None:
            with store.snapshot() as snapshot:
                assert snapshot.latest_before("", SENSOR, [LEVEL], start)[0]

        print("1,000 sensors as of an instant of the past:", median(state, given.runs))
        stalls(store)
        loop.close()
        store.close()


def stalls(store: SqliteStore) -> None:
    """How long a write waits while history moves."""
    for entity in range(200):
        append(
            store, f"urn:x:{entity}", *(reading(n / 10, NOW + n * 60_000_000) for n in range(1000)), cause=RUN
        )
    import threading

    waits: list[float] = []
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            start = time.perf_counter()
            number += 1
            put(store, Entity(id="urn:writer", types=[SENSOR], attributes={LEVEL: [prop(number)]}))
            waits.append((time.perf_counter() - start) * 1000)
            time.sleep(0.005)

    writer = threading.Thread(target=write)
    writer.start()
    start = time.perf_counter()
    moved = store.cold.move(NOW + 900 * 60_000_000)
    took = time.perf_counter() - start
    done.set()
    writer.join()
    waits.sort()
    print(
        f"{moved:,} instances moved in {took:.1f} s; writes meanwhile: p50 {waits[len(waits) // 2]:.0f} ms,"
        f" longest {waits[-1]:.0f} ms"
    )


if __name__ == "__main__":
    main()

"""What is measured of history: the import of the past, reads of a year and of a month, bytes on disk."""

from __future__ import annotations

import json
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode
from urllib.request import urlopen

import polars as pl
import pyarrow.parquet as pq

from bench.load import paced
from bench.past import BEGIN, DAY, LEVEL, SENSOR, SENSORS, empty_city, imported, past_city, sensor, year_file
from bench.processes import node
from bench.works import ROOT, Bench
from cityloom.folder import COLD, STORE
from cityloom.model.clock import SystemClock
from cityloom.model.entity import Attribute, Entity
from cityloom.model.events import Cause
from cityloom.model.history import HistoryAppend, Instance
from cityloom.model.time import format_datetime
from cityloom.store.cold.schema import ROW_GROUP
from cityloom.store.ports import Transaction
from cityloom.store.sqlite import SqliteStore, read_database
from cityloom.store.tables.history.cold_rows import month_of
from cityloom.store.tables.tiering.one_history import one_history

IMPORTED: Final = 5_000_000
"""Instances of one round of the import."""
_MONTH: Final = (BEGIN + 120 * DAY, BEGIN + 150 * DAY)
_READS_A_SECOND: Final = 4
_IDENTITY: Final = (
    "type", "attribute", "entityId", "incarnation", "datasetId", "source", "event", "idEvent", "tie",
    "instanceId", "time", "number", "whole", "json",
)  # fmt: skip
"""The columns of id, time and value."""


class Figure(NamedTuple):
    """One round of a row: the figure, and others beside it by what they are."""

    value: float
    beside: dict[str, float] = {}  # noqa: RUF012


class PastWork(NamedTuple):
    """One row of the table of history; `form` writes its figure."""

    name: str
    title: str
    form: str
    goal: str
    run: Callable[[Bench, ExitStack], Callable[[], Figure]]


def bring(bench: Bench, stack: ExitStack) -> Callable[[], Figure]:
    """The import of a file into a city that has none of it, beside a bare sort and write of it."""
    count = min(IMPORTED, bench.instances)
    file = year_file(bench.folder, count)

    def figure() -> Figure:
        took = imported(empty_city(bench.folder / "import"), file, count)
        sorted_in = _alone(_sort, file)
        return Figure(
            count / took.seconds,
            {
                "a CPU-second": count / took.worked,
                "a bare Polars sort and write, a second": count / sorted_in,
            },
        )

    return figure


def year(bench: Bench, stack: ExitStack) -> Callable[[], Figure]:
    """One sensor, a year, hourly mean, from a node."""
    server = stack.enter_context(node(past_city(bench.folder, bench.instances)))

    def figure() -> Figure:
        seconds, before = max(5, 2 * bench.seconds), server.cpu()
        told = paced(server.port, _years(), _READS_A_SECOND, seconds)
        worked = (server.cpu() - before) / (_READS_A_SECOND * seconds)
        return Figure(told.p50, {"p99, ms": told.p99, "ms of the processors": worked * 1000})

    paced(server.port, _years(), _READS_A_SECOND, 2)
    return figure


def _years() -> Iterator[bytes]:
    while True:
        for number in range(0, SENSORS, 83):
            path = f"{ROOT}/temporal/entities/{sensor(number)}?{_hourly(BEGIN, BEGIN + 365 * DAY)}"
            yield f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def _hourly(start: int, end: int, **more: object) -> str:
    words = {
        "attrs": "level",
        "timerel": "between",
        "timeAt": format_datetime(start),
        "endTimeAt": format_datetime(end),
        "aggrMethods": "avg",
        "aggrPeriodDuration": "PT1H",
        "options": "aggregatedValues",
    }
    return urlencode({**words, **more})


def month(bench: Bench, stack: ExitStack) -> Callable[[], Figure]:
    """All sensors, a month, hourly mean, as Arrow, beside a bare scan of the same files."""
    city = past_city(bench.folder, bench.instances)

    def figure() -> Figure:
        ours, bare = _alone(_months, city)
        return Figure(ours, {"ms, a bare Polars scan": bare, "of it": ours / bare})

    return figure


def pages(bench: Bench, stack: ExitStack) -> Callable[[], Figure]:
    """The same as NGSI-LD, from page to page by their links."""
    server = stack.enter_context(node(past_city(bench.folder, bench.instances)))

    def figure() -> Figure:
        begun, took, found = time.perf_counter(), [], 0
        page = f"{ROOT}/temporal/entities?{_hourly(*_MONTH, type='Sensor', limit=100)}"
        while page:
            one = time.perf_counter()
            with urlopen(server.url + page) as answer:
                found += sum(len(entity["level"]["avg"]) for entity in json.load(answer))
                links = answer.headers.get_all("Link") or []
            page = next((link[1 : link.index(">")] for link in links if 'rel="next"' in link), "")
            took.append((time.perf_counter() - one) * 1000)
        if found < SENSORS * 400:
            raise RuntimeError(f"{found} means were told")
        return Figure((time.perf_counter() - begun) * 1000, {"ms, a page of 100": median(took)})

    return figure


def size(bench: Bench, stack: ExitStack) -> Callable[[], Figure]:
    """Bytes of an instance in the tables."""
    city = past_city(bench.folder, bench.instances)

    def figure() -> Figure:
        files = sorted((city / COLD).glob("instances/**/*.parquet"))
        rows, identity = 0, 0
        for file in files:
            told = pq.ParquetFile(file).metadata
            rows += told.num_rows
            for group in range(told.num_row_groups):
                for index in range(told.num_columns):
                    column = told.row_group(group).column(index)
                    identity += column.total_compressed_size * (column.path_in_schema in _IDENTITY)
        whole = sum(file.stat().st_size for file in files)
        return Figure(whole / rows, {"id, time and value": identity / rows})

    return figure


def stalls(bench: Bench, stack: ExitStack) -> Callable[[], Figure]:
    """How long a write waits at the most while 200,000 instances move."""

    def figure() -> Figure:
        store = SqliteStore(empty_city(bench.folder / "moved") / STORE, SystemClock())
        for number in range(200):
            readings = [_reading(n / 10, BEGIN + n * 60_000_000) for n in range(1000)]
            append = HistoryAppend(entity_id=sensor(number), types=[SENSOR], instances=readings)
            cause = Cause(kind="run", id="urn:run", source="s")
            store.submit(lambda tx, append=append, cause=cause: tx.append_history("", append, cause)).result()
        waits: list[float] = []
        done = threading.Event()

        def write() -> None:
            while not done.wait(0.005):
                begun = time.perf_counter()
                store.submit(_touch).result()
                waits.append((time.perf_counter() - begun) * 1000)

        writer = threading.Thread(target=write)
        writer.start()
        begun = time.perf_counter()
        moved = store.cold.move(BEGIN + DAY)
        took = time.perf_counter() - begun
        done.set()
        writer.join()
        store.close()
        return Figure(max(waits), {"ms, the median": median(waits), "moved a second": moved / took})

    return figure


def _reading(value: float, at: int) -> Instance:
    attribute = Attribute(kind="Property", value=value, observed_at=format_datetime(at))
    return Instance(name=LEVEL, attribute=attribute)


def _touch(tx: Transaction) -> None:
    entity = Entity(id="urn:writer", types=[SENSOR], attributes={LEVEL: [_reading(tx.now, tx.now).attribute]})
    tx.write_entity("", tx.get("", entity.id), entity, Cause(kind="request", id="r"))


# -- in processes of their own ----------------------------------------------------


def _alone(run: Callable[[Path], Any], path: Path) -> Any:
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_sent, args=(send, run, path))
    process.start()
    result = receive.recv()
    process.join()
    return result


def _sent(send: Connection, run: Callable[[Path], Any], path: Path) -> None:
    send.send(run(path))


def _sort(file: Path) -> float:
    begun = time.perf_counter()
    rows = pl.read_parquet(file).sort("attribute", "id", "observedAt")
    target = file.with_suffix(".sorted")
    rows.write_parquet(target, compression="zstd", compression_level=6, row_group_size=ROW_GROUP)
    target.unlink()
    return time.perf_counter() - begun


def _months(city: Path) -> tuple[float, float]:
    """Milliseconds of ours and of the bare scan, one after the other, medians of five."""
    start, end = _MONTH
    hour = pl.col("time").dt.truncate("1h").alias("hour")
    mean = pl.col("number").mean().alias("mean")
    ours, bare = [], []
    with read_database(city / STORE, SystemClock(), str(city / COLD)) as snapshot:
        files = [
            file
            for file in sorted((city / COLD).glob("instances/**/*.parquet"))
            if month_of(start) <= file.parent.name.partition("=")[2] <= month_of(end)
        ]
        for _ in range(6):
            begun = time.perf_counter()
            rows = one_history(snapshot, "", SENSOR, [LEVEL], start, end)
            told = rows.group_by("entityId", hour).agg(mean).collect()
            told.to_arrow()
            ours.append((time.perf_counter() - begun) * 1000)
            begun = time.perf_counter()
            found = pl.scan_parquet(files, hive_partitioning=False).filter(
                pl.col("time").cast(pl.Int64).is_between(start, end, closed="left"),
                pl.col("attribute") == LEVEL,
            )
            same = found.group_by("entityId", hour).agg(mean).collect()
            same.to_arrow()
            bare.append((time.perf_counter() - begun) * 1000)
            if told.height != same.height or not told.height:
                raise RuntimeError(f"{told.height} means are not {same.height}")
    return median(ours[1:]), median(bare[1:])


PAST: Final = (
    PastWork("import", "history import in bulk, instances a second on the wall", ",.0f", "200,000", bring),
    PastWork("year", "one sensor, a year, hourly mean, p50 in ms", ",.0f", "60", year),
    PastWork(
        "month",
        "1,000 sensors, a month, hourly mean, as Arrow, p50 in ms",
        ",.0f",
        "1.5 of a bare scan",
        month,
    ),
    PastWork("pages", "the same as NGSI-LD in ten pages, ms", ",.0f", "", pages),
    PastWork("bytes", "bytes an instance, whole", ".1f", "20; 8 for id, time, value", size),
    PastWork("moving", "longest write while history moves, ms", ",.0f", "", stalls),
)

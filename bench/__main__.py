"""`make bench`: measures what a node does with a second of the processor, and writes docs/performance.md.

`python -m bench --quick` is a short run at one tenth of the size; `--only get,patch` measures some
works; `--rounds` and `--seconds` say how long.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.growth import Growth, growth
from bench.history import PAST, PastWork
from bench.limits import pace
from bench.postgres import PostgresBench, Server, binaries
from bench.table import PastRow, Row, machine, render, replace_table
from bench.works import WORKS, Bench, Work

_BEGUN = time.monotonic()
_PACES: list[float] = []
_DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"


def main() -> None:
    """Runs the works and tells the table."""
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    wanted = set(options.only.split(",")) if options.only else set()
    if "history" in wanted:
        wanted |= {work.name for work in PAST}
    unknown = wanted - {work.name for work in (*WORKS, *PAST)} - {"growth", "history"}
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}")
    sizes = (options.folder, options.seconds, options.size, options.large, options.instances)
    bench, stores = Bench(*sizes), options.stores.split(",")
    works = [work for work in WORKS if not wanted or work.name in wanted]
    rows = _rows(bench, works, options.rounds) if "sqlite" in stores else []
    on_server: list[Row] = []
    programs = binaries()
    if "postgres" in stores and works and programs is None:
        _tell("PostgreSQL with PostGIS is not installed: its column is left out")
    elif "postgres" in stores and works and programs is not None:
        with Server(programs, options.folder / "postgres") as server:
            on_server = _rows(PostgresBench(server, *sizes), works, options.rounds)
    past = [work for work in PAST if not wanted or work.name in wanted]
    told = [_past_row(bench, work, options.rounds) for work in past]
    grown: list[Growth] = []
    if not wanted or "growth" in wanted:
        for size in (10_000, 100_000, 1_000_000):
            if size <= options.large:
                _tell(f"growth: {size:,} entities")
                grown.append(growth(bench, size, options.rounds))
    _PACES.append(pace())
    found = machine(options.folder, _PACES)
    text = render(rows, on_server, told, grown, found, options.rounds, options.seconds)
    print(text)
    if options.write:
        replace_table(_DOCUMENT, text)


def _rows(bench: Bench, works: Sequence[Work], rounds: int) -> list[Row]:
    rows = []
    for work in works:
        _tell(f"{work.title} ...")
        _PACES.append(pace())
        with ExitStack() as stack:
            measure = work.run(bench, stack)
            rows.append(Row(work.title, work.goal, [measure() for _ in range(rounds)]))
        _tell(rows[-1].line())
    return rows


def _past_row(bench: Bench, work: PastWork, rounds: int) -> PastRow:
    _tell(f"{work.title} ...")
    _PACES.append(pace())
    with ExitStack() as stack:
        figure = work.run(bench, stack)
        row = PastRow(work.title, work.form, work.goal, [figure() for _ in range(rounds)])
    _tell(row.line())
    return row


def _tell(text: str) -> None:
    print(f"[{time.monotonic() - _BEGUN:5.0f} s] {text}", file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("city-data/bench"))
    parser.add_argument("--only", default="", help="names of works, with commas; all when left out")
    parser.add_argument("--quick", action="store_true", help="one short round, small cities")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--size", type=int, default=100_000, help="entities of the city written to")
    parser.add_argument("--large", type=int, help="entities of the city read")
    parser.add_argument("--instances", type=int, help="instances of the city that has a past")
    parser.add_argument("--stores", help="sqlite, postgres or both, with a comma; with --only sqlite alone")
    parser.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (2 if options.quick else 5)
    options.large = options.large or (100_000 if options.quick else 1_000_000)
    options.stores = options.stores or ("sqlite" if options.only else "sqlite,postgres")
    options.instances = options.instances or (5_000_000 if options.quick else 50_000_000)
    return options


if __name__ == "__main__":
    main()

"""`make bench`: measures what a node does with a second of the processor, and writes docs/performance.md.

`python -m bench --quick` is a short run at one tenth of the size; `--only get,patch` measures some
works; `--rounds` and `--seconds` say how long.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from bench.growth import Growth, growth
from bench.history import PAST
from bench.table import PastRow, Row, machine, render, replace_table
from bench.works import WORKS, Bench

_DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"


def main() -> None:
    """Runs the works and tells the table."""
    options = _options()
    bench = Bench(options.folder, options.seconds, options.size, options.large, options.instances)
    bench.folder.mkdir(parents=True, exist_ok=True)
    wanted = set(options.only.split(",")) if options.only else set()
    if "history" in wanted:
        wanted |= {work.name for work in PAST}
    unknown = wanted - {work.name for work in (*WORKS, *PAST)} - {"growth", "history"}
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}")
    rows = []
    for work in WORKS:
        if wanted and work.name not in wanted:
            continue
        with ExitStack() as stack:
            measure = work.run(bench, stack)
            rounds = [measure() for _ in range(options.rounds)]
        row = Row(work.title, work.goal, rounds)
        print(row.line(), file=sys.stderr, flush=True)
        rows.append(row)
    told = []
    for past in PAST:
        if wanted and past.name not in wanted:
            continue
        with ExitStack() as stack:
            figure = past.run(bench, stack)
            figures = [figure() for _ in range(options.rounds)]
        shown = PastRow(past.title, past.form, past.goal, figures)
        print(shown.line(), file=sys.stderr, flush=True)
        told.append(shown)
    grown: list[Growth] = []
    if not wanted or "growth" in wanted:
        sizes = [size for size in (10_000, 100_000, 1_000_000) if size <= options.large]
        grown = [growth(bench, size, options.rounds) for size in sizes]
    text = render(rows, told, grown, machine(options.folder), options.rounds, options.seconds)
    print(text)
    if options.write:
        replace_table(_DOCUMENT, text)


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
    parser.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (2 if options.quick else 5)
    options.large = options.large or (100_000 if options.quick else 1_000_000)
    options.instances = options.instances or (5_000_000 if options.quick else 50_000_000)
    return options


if __name__ == "__main__":
    main()

"""What size costs: start, memory, and how long a GET and a query take, at each size of the city."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

from bench.load import paced
from bench.processes import node
from bench.works import Bench, gets, queries
from cityloom.folder import STORE


class Growth(NamedTuple):
    """One size: seconds to the first answer, bytes of memory then, and medians in milliseconds."""

    size: int
    start: float
    resident: int
    get: float
    query: float


def growth(bench: Bench, size: int, rounds: int) -> Growth:
    """Starts a node on a city of `size` entities, in memory as a file, as often as there are rounds."""
    starts, residents, reads, found = [], [], [], []
    # Read once, so that size is measured and not how much of the file the last work left in memory.
    with (bench.city(size) / STORE).open("rb") as file:
        while file.read(1 << 24):
            pass
    for _ in range(rounds):
        with node(bench.city(size)) as server:
            starts.append(server.started_in)
            residents.append(server.resident())
            reads.append(paced(server.port, gets(size), 200, bench.seconds).p50)
            found.append(paced(server.port, queries(size), 20, bench.seconds).p50)
    return Growth(size, median(starts), int(median(residents)), median(reads), median(found))

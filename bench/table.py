"""The table: medians with the least and the most, ratios to the raw limits, goals, and the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import apsw

from bench.growth import Growth
from bench.history import Figure
from bench.works import Rates

_BEGIN: Final = "<!-- bench: begin -->"
_END: Final = "<!-- bench: end -->"


class Row(NamedTuple):
    """A work and its rounds."""

    title: str
    goal: str
    rounds: Sequence[Rates]

    def line(self) -> str:
        """What was found, in a line."""
        return f"{self.title}: {', '.join(cell for cell in self.cells() if cell)}"

    def cells(self) -> tuple[str, str, str]:
        """What was done, its ratios and latencies."""
        bounds = self.rounds[0].limits
        shares = [
            f"{_spread([one.done / one.limits[name] for one in self.rounds], _share)} of {name}"
            f" ({median(one.limits[name] for one in self.rounds):,.0f})"
            for name in bounds
        ]
        told = [one.latency for one in self.rounds if one.latency is not None]
        latency = (
            f"{median(each.p50 for each in told):.1f} / {median(each.p99 for each in told):.1f}"
            if told
            else ""
        )
        return _spread([one.done for one in self.rounds], _count), "; ".join(shares), latency


class PastRow(NamedTuple):
    """A work of history and its rounds."""

    title: str
    form: str
    goal: str
    rounds: Sequence[Figure]

    def line(self) -> str:
        """As a row of the table."""
        done = _spread([one.value for one in self.rounds], lambda value: format(value, self.form))
        beside = "; ".join(
            f"{_plain(median(one.beside[name] for one in self.rounds))} {name}"
            for name in self.rounds[0].beside
        )
        return f"| {self.title} | {done} | {beside} | {self.goal} |"


def render(
    rows: Sequence[Row],
    on_server: Sequence[Row],
    past: Sequence[PastRow],
    grown: Sequence[Growth],
    machine: str,
    rounds: int,
    seconds: float,
) -> str:
    """The tables as Markdown."""
    lines = [
        f"{machine}. Medians of {rounds} rounds of {seconds:g} s, in brackets the least and the most.",
        "",
    ]
    if rows or on_server:
        lines += [
            "| Work | In a file, per CPU-second | Ratio to the raw limit (per CPU-second) | p50 / p99, ms"
            " | In PostgreSQL, per CPU-second | Ratio to the raw limit | p50 / p99, ms | Goal |",
            "|---|---|---|---|---|---|---|---|",
            *_both(rows, on_server),
            "",
        ]
    if past:
        lines += [
            "| History | Found | Beside it | Goal |",
            "|---|---|---|---|",
            *(row.line() for row in past),
            "",
        ]
    if grown:
        lines += [
            "| Entities | Start, s | Resident, MB | GET p50, ms | Query p50, ms |",
            "|---|---|---|---|---|",
            *map(_grown, grown),
            "",
        ]
    return "\n".join(lines)


def _both(rows: Sequence[Row], on_server: Sequence[Row]) -> list[str]:
    """A row for each work, with what was found on each store."""
    found = [{row.title: row.cells() for row in some} for some in (rows, on_server)]
    none = ("", "", "")
    return [
        f"| {row.title} | {' | '.join((*found[0].get(row.title, none), *found[1].get(row.title, none)))}"
        f" | {row.goal} |"
        for row in rows or on_server
    ]


def replace_table(document: Path, text: str) -> None:
    """Puts the tables between the marks of the document."""
    before, _, rest = document.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    document.write_text(f"{before}{_BEGIN}\n{text}{_END}{after}", encoding="utf-8")


def machine(folder: Path, paces: Sequence[float]) -> str:
    """What was measured, and on what; `paces` were taken between the works."""
    commit = _said("git", "rev-parse", "--short", "HEAD")
    changed = " with changes" if _said("git", "status", "--porcelain", "src") else ""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    disk = _said("stat", "-f", "-c", "%T", str(folder))
    load = os.getloadavg()[0]
    return (
        f"Commit {commit}{changed}; {os.cpu_count()} cores ({model}), {memory:.0f} GiB, disk {disk}, "
        f"Linux {platform.release()}, Python {platform.python_version()}, "
        f"SQLite {apsw.sqlite_lib_version()}; "
        f"adding up a million numbers in Python took {_spread(list(paces), _plain)} ms between the works, "
        f"load {load:.1f} at the end of the run (others use the machine, too)"
    )


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _spread(values: list[float], form: Callable[[float], str]) -> str:
    if len(values) == 1:
        return form(values[0])
    return f"{form(median(values))} ({form(min(values))} - {form(max(values))})"


def _grown(one: Growth) -> str:
    megabytes = one.resident / 1e6
    return f"| {one.size:,} | {one.start:.2f} | {megabytes:.0f} | {one.get:.2f} | {one.query:.2f} |"


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _share(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"1/{1 / value:.0f}"

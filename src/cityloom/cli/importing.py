"""What `import` and `up` do: the file sources of a city, each with its bar, and what came of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.table import Table

from cityloom.app import Node
from cityloom.cli.console import err, progress_bars
from cityloom.connect.mapping import Mapping
from cityloom.connect.report import Report
from cityloom.model.errors import ConfigurationError


async def import_all(
    node: Node, wanted: list[str], *, only_new: bool, sources: Path | None = None
) -> tuple[list[Report], int]:
    """Runs the file sources of the node's profile, each with its bar.

    A source whose file is missing or unreadable is told and counted; those after it are run all the same.
    """
    place = sources or node.folder.sources
    reports: list[Report] = []
    failures = 0
    with progress_bars() as begin:
        for mapping in _chosen(node, wanted):
            if only_new and await node.importer.is_current(mapping, place):
                continue
            move = begin(mapping.source)
            try:
                reports.append(await node.importer.run(mapping, place, _fraction_of(move)))
            except ConfigurationError as error:
                failures += 1
                err.print(f"cityloom: {mapping.source}: {error.detail}", markup=False)
            move(1.0)
    return reports, failures


def _fraction_of(move: Callable[[float], None]) -> Callable[[float, int], None]:
    return lambda part, _: move(part)


def _chosen(node: Node, wanted: list[str]) -> list[Mapping]:
    mappings = [mapping for mapping in node.mappings if mapping.path]
    known = {mapping.source for mapping in mappings}
    for name in wanted:
        if name not in known:
            raise ConfigurationError(f"source {name!r} does not exist; there are {', '.join(sorted(known))}")
    return [mapping for mapping in mappings if not wanted or mapping.source in wanted]


def table(reports: list[Report]) -> Table:
    """Each source's quality report in a line."""
    shown = Table("source", "status")
    for column in ("read", "created", "updated", "unchanged", "repeated", "rejected"):
        shown.add_column(column, justify="right")
    for report in reports:
        numbers = (
            report.read,
            report.created,
            report.updated,
            report.unchanged,
            report.repeated,
            report.rejected_rows,
        )
        shown.add_row(report.source, report.status, *(f"{number:,}" for number in numbers))
    return shown

"""What every command shows in the same way: progress, results, and errors as one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_WIDEST = 1000
"""Columns of characters: more than any table of ours needs."""

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def counted(count: int, noun: str) -> str:
    """A number of things, in words: `1 page`, `1,200 pages`."""
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def print_whole(table: Table) -> None:
    """Prints a table as wide as it must be: a narrow terminal wraps its lines, no name or number is cut."""
    table.width = Measurement.get(out, out.options.update(width=_WIDEST), table).maximum
    out.print(table)


class Bar(Protocol):
    """The bar of a step."""

    def __call__(self, fraction: float, told: str = "") -> None:
        """Moves it to a fraction of 0 to 1; `told` stands beside it until something else is told."""
        ...


@contextmanager
def progress_bars() -> Iterator[Callable[[str], Bar]]:
    """Progress bars on standard error: call what it gives with a step's name to get its bar.

    Where standard error is no terminal, each step is one line when it begins and none after.
    """
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<34}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[told]}", markup=False),
    )
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:

        def begin(name: str) -> Bar:
            if not err.is_terminal:
                err.print(name)
            task = progress.add_task(name, total=1.0, told="")

            def move(fraction: float, told: str = "") -> None:
                progress.update(task, completed=min(max(fraction, 0.0), 1.0))
                if told:
                    progress.update(task, told=told)

            return move

        yield begin


__all__ = ["Bar", "err", "out", "print_whole", "progress_bars"]

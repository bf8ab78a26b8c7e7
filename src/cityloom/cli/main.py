"""`cityloom`: the commands, and how each ends."""

from __future__ import annotations

import gc
import sys

import typer

from cityloom import __version__
from cityloom.cli import care, cases, city, history, keys, open311, out_of_the_city, rules
from cityloom.cli.console import err
from cityloom.model.errors import CityloomError

app = typer.Typer(
    name="cityloom",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="A city's common digital base: one live, kept, traceable picture of the city.\n\n"
    "Example: `cityloom up --city sample --folder my-city`",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"cityloom {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Says the version."
    ),
) -> None:
    """What holds for every command."""


city.add_to(app)
out_of_the_city.add_to(app)
care.add_to(app)
history.add_to(app)
cases.add_to(app)
keys.add_to(app)
rules.add_to(app)
open311.add_to(app)


def main() -> None:
    """Runs a command; a known failure is one sentence and exit status 1."""
    # Entities are many small objects without cycles: fewer collections save a third of an import.
    gc.set_threshold(50_000, 20, 20)
    try:
        app()
    except CityloomError as error:
        err.print(f"cityloom: {error.detail}", markup=False)
        sys.exit(1)
    except OSError as error:
        # A disk that is full or read-only shows wherever a command writes.
        where = f"{error.filename} cannot be used: " if error.filename else ""
        err.print(f"cityloom: {where}{error.strerror or error}", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("cityloom: stopped", markup=False)
        sys.exit(130)

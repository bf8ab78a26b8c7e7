"""`sample`, `export` and `replay`: files and streams that come out of Cityloom."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from cityloom.cli.console import err, out, progress_bars
from cityloom.model.errors import BadRequestData, ConfigurationError
from cityloom.model.time import parse_datetime

_Data = Annotated[Path, typer.Option("--data", help="The city's folder.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command("sample")(sample)
    app.command("export")(export)
    app.command("replay")(replay)


def sample(
    output: Annotated[Path, typer.Option("--out", help="A new folder for the files.")],
    seed: Annotated[int, typer.Option(help="Another seed, another city.")] = 1,
    size: Annotated[str, typer.Option(help="small, medium or large (a million entities).")] = "small",
    end: Annotated[str | None, typer.Option(help="The last moment, ISO 8601 in UTC.")] = None,
) -> None:
    """Draws the sample city as source files, with the truth beside them in truth.json.

    Example: `cityloom sample --seed 7 --size medium --out files`
    """
    from cityloom.sample import DEFAULT_END, SIZES, SizeName, generate  # slow to import, used here alone

    if size not in SIZES:
        raise ConfigurationError(f"size {size!r} does not exist; the sizes are {', '.join(SIZES)}")
    chosen: SizeName = size
    with progress_bars() as begin:
        move = begin(f"drawing a {size} city")
        generate(output, seed=seed, size=chosen, end=end or DEFAULT_END, progress=lambda _, part: move(part))
    out.print(f"{output}: a {size} city of seed {seed}; truth.json says what was planted")


def export(
    data: _Data,
    output: Annotated[Path, typer.Option("--out", help="The file; .gz compresses, - is standard output.")],
    type: Annotated[str | None, typer.Option(help="A type selection, such as `Streetlight`.")] = None,
    form: Annotated[str, typer.Option("--format", help="jsonl (NGSI-LD, one a line) or geojson.")] = "jsonl",
    history: Annotated[bool, typer.Option("--history", help="The temporal evolution instead.")] = False,
) -> None:
    """Writes the city's entities, or their history, as they are at one moment; a node may be running.

    Example: `cityloom export --data my-city --type Streetlight --out lights.jsonl.gz`
    """
    if form not in ("jsonl", "geojson") or (history and form != "jsonl"):
        raise ConfigurationError("format is invalid: jsonl or geojson; history is jsonl only")
    from cityloom.cli.exporting import write_entities

    done = write_entities(data, output, type, geojson=form == "geojson", history=history)
    err.print(f"{done:,} entities")


def replay(
    data: _Data,
    start: Annotated[str, typer.Option("--from", help="The first moment, ISO 8601 in UTC.")],
    end: Annotated[str, typer.Option("--to", help="The last moment.")],
    speed: Annotated[
        float, typer.Option(help="How many seconds pass in one; 0 is as fast as it goes.")
    ] = 60.0,
    type: Annotated[str | None, typer.Option(help="A type selection, such as `Vehicle`.")] = None,
    into: Annotated[str | None, typer.Option(help="A node to tell, such as http://127.0.0.1:8027.")] = None,
    tenant: Annotated[str, typer.Option(help="The tenant of that node.")] = "replay",
) -> None:
    """Plays the past again: each value at its time, to standard output or into another node.

    Example: `cityloom replay --data my-city --from 2026-05-01T06:00:00Z --to 2026-05-01T09:00:00Z`
    """
    try:
        first, last = parse_datetime(start, "--from"), parse_datetime(end, "--to")
    except BadRequestData as error:
        raise ConfigurationError(error.detail) from None
    if last <= first or speed < 0:
        raise ConfigurationError("--to must be after --from, and --speed must not be negative")
    from cityloom.cli.replaying import past, play
    from cityloom.cli.snapshots import opened, selected_types

    with opened(data) as snapshot:
        moments = past(snapshot, selected_types(type), first, last)
    told = asyncio.run(play(moments, first, speed, into, tenant))
    err.print(f"{told:,} values")

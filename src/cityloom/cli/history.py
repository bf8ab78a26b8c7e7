"""`cityloom history`: the part of history that stands in tables of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from cityloom.cli.console import counted, out, print_whole, progress_bars
from cityloom.folder import CityFolder
from cityloom.model.clock import SystemClock
from cityloom.model.errors import BadRequestData, ConfigurationError, StoreInUse
from cityloom.model.time import format_datetime, parse_datetime, parse_duration

if TYPE_CHECKING:
    from cityloom.model.settings import Settings
    from cityloom.store.history_ports import ColdHistory

_BY_ITSELF = (
    "A node does this by itself: retention all the time, and where coldAfter is set, when it starts and once "
    "an hour it moves what is old enough, and once a day it compacts and removes files. "
    "To do it by this command, stop the node"
)
_IMPORT = (
    "An import needs the file for itself: stop the node, import, and start it again; "
    "`cityloom history import` killed half way goes on where it was"
)
_Data = Annotated[Path, typer.Option("--data", help="The city's folder.")]
commands = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Moves old history to open Delta Lake tables, and keeps these in order. "
    "A node that serves the city does it by itself (setting `coldAfter`); "
    "all but `status` and `export` need a city in a file to be free, one in PostgreSQL may be served.",
)


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.add_typer(commands, name="history")


@commands.command("status")
def status(data: _Data) -> None:
    """Says what of the city's history is in the tables, where they are and how large; a node may serve it.

    Example: `cityloom history status --data my-city`
    """
    from rich.table import Table as Grid

    from cityloom.broker.ageing import Ageing
    from cityloom.cli.snapshots import opened
    from cityloom.store.tables.tiering.status import cold_status

    folder = _city(data)
    settings = folder.settings()
    Ageing(None, SystemClock(), settings.cold_after, 0)  # what a node would refuse is refused
    with opened(data) as snapshot:
        found = cold_status(snapshot)
    out.print(f"setting coldAfter: {settings.cold_after or 'empty, so nothing moves by itself'}")
    out.print(f"place: {folder.cold_place(settings)}", markup=False)
    if found.version is None:
        out.print("nothing has moved yet")
        return
    out.print(
        f"{found.instances:,} instances older than {format_datetime(found.reach)}, version {found.version}"
    )
    if found.hidden:
        out.print(f"{found.hidden:,} deletions and corrections wait for `cityloom history compact`")
    table = Grid("month", "tenant", "files", "rows", "bytes")
    for month in found.months:
        table.add_row(
            month.month, month.tenant or "-", f"{month.files:,}", f"{month.rows:,}", f"{month.bytes:,}"
        )
    print_whole(table)


@commands.command("move")
def move(
    data: _Data,
    older: Annotated[
        str | None, typer.Option("--older-than", help="An age (ISO 8601 duration); the setting's else.")
    ] = None,
) -> None:
    """Moves the instances that are old enough; asked twice, it finds none.

    Example: `cityloom history move --data my-city --older-than P30D`
    """
    from cityloom.broker.ageing import Ageing

    with _opened(data) as (cold, settings):
        before = Ageing(cold, SystemClock(), _age(older) or settings.cold_after, 0).before
        if before is None:
            raise ConfigurationError("--older-than is required where the setting coldAfter is empty")
        with progress_bars() as begin:
            count = cold.move(before, begin("moving history"))
    out.print(f"{counted(count, 'instance')} older than {format_datetime(before)} moved")


@commands.command("import")
def bring(
    data: _Data,
    source: Annotated[str, typer.Option(help="The source's name: with another one, the rows are others.")],
    file: Annotated[
        Path | None,
        typer.Argument(help="The file: .parquet, .arrow, .csv or .csv.gz; a mapped source has its own."),
    ] = None,
    older: Annotated[
        str | None,
        typer.Option(
            "--older-than", help="What is older goes to the tables (ISO 8601 duration); the setting's else."
        ),
    ] = None,
    zone: Annotated[
        str, typer.Option("--time-zone", help="Of times that name none, such as `Europe/Zurich`.")
    ] = "",
    only_known: Annotated[
        bool, typer.Option("--only-known", help="Reject rows of entities that history does not know.")
    ] = False,
) -> None:
    """Imports a file of the past, a row an instance, straight into the tables; repeated, it adds nothing.

    Columns: `id`, `attribute`, `observedAt`, `value` and perhaps `type`, `datasetId`, `unitCode`. Where the
    city's profile maps the source, its files are read by the mapping.

    Example: `cityloom history import levels.parquet --data my-city --source archive --older-than P30D`
    """
    import asyncio
    from zoneinfo import available_timezones

    from cityloom.app import Node
    from cityloom.broker.ageing import Ageing
    from cityloom.connect.files import find_files, source_file
    from cityloom.connect.past import PastImport
    from cityloom.connect.past_file import ZONELESS

    folder = _city(data, empty=True)
    settings = folder.settings()
    if zone not in ("", *available_timezones()):
        raise ConfigurationError(f"--time-zone is invalid: {zone!r} is no time zone, such as Europe/Berlin")
    with _for_itself(_IMPORT):
        node = Node(folder, settings)
    try:
        cold = node.store.cold
        before = Ageing(cold, SystemClock(), _age(older) or settings.cold_after, 0).before
        if cold is None or before is None:
            raise ConfigurationError("--older-than is required where the setting coldAfter is empty")
        past = PastImport(node.importer, cold, before, make=not only_known)
        mapping = next((one for one in node.mappings if one.source == source), None)
        if file is None and mapping is None:
            raise ConfigurationError(f"a file is required: the city has no mapping of source {source!r}")
        with progress_bars() as begin:
            progress = begin(f"importing {source}")
            if mapping is not None:
                files = find_files(mapping, folder.sources) if file is None else [source_file(file)]
                report = asyncio.run(past.run_mapped(mapping, files, progress))
            elif file is not None:
                report = asyncio.run(past.run(file, source, zone, progress))
    finally:
        node.close()
    out.print(
        f"{counted(report.values_new, 'instance')} new, {report.values_known:,} known, "
        f"{counted(report.rejected_rows, 'row')} rejected, {report.seconds:,.1f} s"
    )
    for reason, count in report.rejected.items():
        advice = "; say the zone with --time-zone" if reason == ZONELESS and mapping is None else ""
        out.print(f"{count:,} rejected: {reason}{advice}", markup=False)
    if report.rejected_rows:
        out.print(f"the rejected rows stand in {folder.runs / source}, each with its reason", markup=False)
    if report.status != "ok":
        raise ConfigurationError(report.error)


@commands.command("compact")
def compact(data: _Data) -> None:
    """Writes each month as one sorted file, without what was deleted, corrected or grew too old.

    Example: `cityloom history compact --data my-city`
    """
    with _opened(data) as (cold, _), progress_bars() as begin:
        count = cold.compact(1, begin("writing months anew"))
    out.print(f"{counted(count, 'month')} written anew")


@commands.command("retain")
def retain(data: _Data) -> None:
    """Deletes what is past the retention of its type, in the store and in the tables.

    Example: `cityloom history retain --data my-city`
    """
    import asyncio

    from cityloom.app import Node

    folder = _city(data)
    with _for_itself(_BY_ITSELF):
        node = Node(folder, folder.settings())
    try:
        gone = asyncio.run(node.retaining().expire_history())
    finally:
        node.close()
    with _opened(data) as (cold, _), progress_bars() as begin:
        months = cold.compact(1, begin("writing months anew"))
    out.print(f"{counted(gone, 'instance')} deleted, {counted(months, 'month')} written anew")


@commands.command("vacuum")
def vacuum(
    data: _Data,
    keep: Annotated[
        int | None, typer.Option("--keep-hours", help="Keep what was read within them; the setting's else.")
    ] = None,
) -> None:
    """Removes files that are read no more. A backup of the store alone that is older cannot be restored then.

    Example: `cityloom history vacuum --data my-city --keep-hours 168`
    """
    with _opened(data) as (cold, settings):
        count = cold.vacuum(settings.cold_keep if keep is None else keep)
    out.print(f"{counted(count, 'file')} removed")


@commands.command("export")
def export(
    data: _Data,
    output: Annotated[Path, typer.Option("--out", help="The file: .parquet, .arrow or .csv.")],
    type: Annotated[str, typer.Option(help="The entities' type, such as `Streetlight`.")],
    attrs: Annotated[str, typer.Option(help="Attributes, between commas.")],
    start: Annotated[str, typer.Option("--from", help="The first moment, ISO 8601 in UTC.")],
    end: Annotated[str, typer.Option("--to", help="The moment before which it ends.")],
) -> None:
    """Writes the history of a type as one table, wherever it is; a node may be running.

    Example: `cityloom history export --data my-city --type Sensor --attrs level --from 2026-05-01T00:00:00Z
    --to 2026-06-01T00:00:00Z --out level.parquet`
    """
    from cityloom.cli.snapshots import opened
    from cityloom.ld.context import LdContext
    from cityloom.store.tables.tiering.one_history import collected, one_history

    if output.suffix not in (".parquet", ".arrow", ".csv"):
        raise ConfigurationError(f"--out is invalid: {output} ends in none of .parquet, .arrow, .csv")
    expand = LdContext.core.expand_term
    names = [expand(name.strip()) for name in attrs.split(",")]
    span = parse_datetime(start, "--from"), parse_datetime(end, "--to")
    if span[1] <= span[0]:
        raise ConfigurationError(f"--to must be after --from: {end} is not after {start}")
    _city(data)
    with opened(data) as snapshot:
        rows = collected(snapshot, one_history(snapshot, "", expand(type), names, *span))
    if not rows.height:
        raise ConfigurationError(
            f"nothing is exported: no entity of type {type} has instances of {attrs} from {start} to {end}"
        )
    match output.suffix:
        case ".parquet":
            rows.write_parquet(output)
        case ".arrow":
            rows.write_ipc(output)
        case _:
            rows.write_csv(output)
    out.print(f"{output}: {counted(rows.height, 'instance')}", markup=False)


def _age(older: str | None) -> str:
    if older:
        try:
            parse_duration(older, "--older-than")
        except BadRequestData as error:
            raise ConfigurationError(error.detail) from None
    return older or ""


def _city(data: Path, *, empty: bool = False) -> CityFolder:
    """The city's folder; `empty`: it may have no store yet."""
    from cityloom.cli.logs import configure_logs

    folder = CityFolder(data)
    settings = folder.settings()
    # What a command did it tells itself; a log says it once more, in words for a node.
    quiet = "warning" if settings.log_level == "info" else settings.log_level
    configure_logs(replace(settings, log_level=quiet))
    if not settings.store and not empty:
        folder.require_store()
    return folder


@contextmanager
def _for_itself(advice: str) -> Iterator[None]:
    """Says what to do where a node has the city's file."""
    try:
        yield
    except StoreInUse as error:
        raise ConfigurationError(f"{error.detail}. {advice}") from None


@contextmanager
def _opened(data: Path) -> Iterator[tuple[ColdHistory, Settings]]:
    """The city's cold history; no node may be using a file."""
    from cityloom.app.opening import open_store

    folder = _city(data)
    settings = folder.settings()
    with _for_itself(_BY_ITSELF):
        store = open_store(folder, settings, SystemClock(), shared=False)
    try:
        assert store.cold is not None
        yield store.cold, settings
    finally:
        store.close()

"""`backup`, `restore`, `move` and `doctor`: keeping a city well."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from cityloom.cli.console import counted, out, progress_bars
from cityloom.folder import COLD, CONFIGURATION, EVIDENCE, KEYS, STORE, CityFolder
from cityloom.model.clock import SystemClock
from cityloom.model.errors import ConfigurationError

if TYPE_CHECKING:
    from cityloom.store.cold.files import Kept

_Data = Annotated[Path, typer.Option("--data", help="The city's folder.")]
_PROFILE = "profile"
"""What a city's own profile is called in a backup, and in the folder that is made of it."""


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command("backup")(backup)
    app.command("restore")(restore)
    app.command("doctor")(doctor)
    app.command("move")(move)


def backup(
    data: _Data,
    output: Annotated[Path, typer.Option("--out", help="The backup's file (.tar.gz).")],
) -> None:
    """Copies a city, consistently, while it runs: store, cold history, configuration, own profile, keys,
    reject files, photos.

    Cold history in object storage is not copied: its versions are kept for `coldKeep` hours.

    Example: `cityloom backup --data my-city --out my-city-2026-05-01.tar.gz`
    """
    from cityloom.store.sqlite import copy_database

    folder = CityFolder(data)
    if folder.settings().store:
        raise ConfigurationError(
            f"the city in {data} is kept in PostgreSQL: back the database up with pg_dump --format=custom "
            "(or a base backup and the archived log), and the folder with any copy of files"
        )
    folder.require_store()
    part = output.with_name(output.name + ".part")
    try:
        with tempfile.TemporaryDirectory(dir=output.absolute().parent) as scratch, progress_bars() as begin:
            copy = Path(scratch) / STORE
            copy_database(folder.store_file, copy, begin("copying the store"), backup=output)
            move = begin("packing")
            # Keys and personal data stand in it: it is its owner's alone, as the city's file is.
            private = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with (
                os.fdopen(private, "wb") as file,
                tarfile.open(fileobj=file, mode="w:gz", compresslevel=3) as tar,
            ):
                tar.add(copy, STORE)
                for path, name in _beside_the_store(folder, Path(scratch)):
                    if path.exists():
                        tar.add(path, name)
            move(1.0)
        _sync(part)
        part.replace(output)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ConfigurationError(
            f"the backup {output} cannot be written: {error.strerror or error}"
        ) from None
    out.print(f"{output}: {output.stat().st_size:,} bytes")


def _beside_the_store(folder: CityFolder, scratch: Path) -> Iterator[tuple[Path, str]]:
    """The files of a city besides its store, and what each is called in a backup."""
    from cityloom.connect.profile import builtin_profiles
    from cityloom.store.sqlite import read_database
    from cityloom.store.tables.tiering.status import cold_files, kept_files

    configuration = folder.path / CONFIGURATION
    if folder.profile and folder.profile not in builtin_profiles():
        yield Path(folder.profile), _PROFILE
        within = CityFolder(scratch)
        within.write(msgspec.structs.replace(folder.configuration, profile=_PROFILE))
        configuration = scratch / CONFIGURATION
    yield configuration, CONFIGURATION
    place = folder.cold_place(folder.settings())
    with read_database(scratch / STORE, SystemClock(), place) as snapshot:
        files = cold_files(snapshot)
        _refuse_spoiled(Path(place), kept_files(snapshot) if files else [])
        for file, name in files:
            yield file, f"{COLD}/{name}"
    yield folder.keys_file, KEYS
    yield folder.runs, "runs"
    # Photos are never changed, and stand before a case names them: all that the copy names are here.
    yield folder.evidence, EVIDENCE


def _refuse_spoiled(place: Path, files: list[Kept]) -> None:
    """A backup of spoiled files would take the place of one that could mend them."""
    from cityloom.store.cold.files import differs

    for kept in files:
        if said := differs(place, kept):
            raise ConfigurationError(
                f"no backup is made: the file {kept.path} of the cold history {said}; bring it back from an "
                "earlier backup (cityloom doctor --deep tells of every such file)"
            )


def restore(
    backup_file: Annotated[Path, typer.Argument(metavar="BACKUP", help="A file that `backup` wrote.")],
    data: _Data,
) -> None:
    """Makes a city from a backup, in a folder that holds none.

    Example: `cityloom restore my-city-2026-05-01.tar.gz --data my-city-again`
    """
    from cityloom.store.sqlite import SqliteStore

    if not backup_file.is_file():
        raise ConfigurationError(f"the backup {backup_file} does not exist, or is no file")
    folder = CityFolder(data, make=True)
    if folder.store_file.exists() or not folder.is_new:
        raise ConfigurationError(f"a city already exists in {data}; restore into another folder")
    try:
        with tarfile.open(backup_file, "r:gz") as tar:
            if STORE not in tar.getnames():
                raise ConfigurationError(f"it is no backup of a city: it holds no {STORE}")
            with tempfile.TemporaryDirectory(dir=data, prefix=".restoring-") as scratch:
                _unpack(tar, Path(scratch))
                SqliteStore(Path(scratch) / STORE, SystemClock()).close()
                # The store comes last: a restore that was cut off has made no city.
                for name in sorted(os.listdir(scratch), key=STORE.__eq__):
                    os.replace(Path(scratch) / name, data / name)
                _sync(data)
    except ConfigurationError as error:
        raise ConfigurationError(f"{backup_file} cannot be restored: {error.detail}") from None
    except (tarfile.TarError, EOFError, OSError, io.UnsupportedOperation) as error:
        raise ConfigurationError(f"{backup_file} cannot be restored: {error}") from None
    out.print(f"{data}: restored. Next: cityloom serve --data {data}")


def _unpack(tar: tarfile.TarFile, folder: Path) -> None:
    """Writes every member to `folder`, durably."""
    with progress_bars() as begin:
        move = begin("unpacking")
        members = tar.getmembers()
        for done, member in enumerate(members, 1):
            tar.extract(member, folder, filter="data")
            if member.isfile():
                _sync(folder / member.name)
            move(done / len(members))


def _sync(path: Path) -> None:
    """Makes a file, or a folder's names, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def move(
    data: _Data,
    to: Annotated[
        str, typer.Option("--to", metavar="URL", help="An empty database (postgresql://user@host/database).")
    ],
) -> None:
    """Moves a city from its file into PostgreSQL, compares every row by checksum, and serves it from there.

    The node is stopped meanwhile; the file stays beside as it was. The open tables of history stay where
    they are and are the database's from then on. Killed half way, the command can be given again.

    Example: `cityloom move --data my-city --to postgresql://cityloom@db.example/city`
    """
    from cityloom.store.moving import COLD_TABLES, move_to_postgres
    from cityloom.store.postgres.connection import store_name, without_password

    folder = CityFolder(data)
    settings = folder.settings()
    if settings.store:
        raise ConfigurationError(f"the city in {data} is kept in PostgreSQL already")
    folder.require_store()
    cold = folder.cold_place(settings)
    store_name(to, "--to")
    folder.settings(store=to)  # refused before anything moves
    with progress_bars() as begin:
        moved = move_to_postgres(folder.store_file, to, SystemClock(), begin("moving the city"), cold=cold)
    out.print(f"{'table':18} {'rows':>12}       checksum", markup=False)
    for each in moved:
        if each.rows:
            out.print(f"{each.table:18} {each.rows:>12,} rows  {each.checksum}", markup=False)
    configuration, shown = folder.configuration, without_password(to)
    folder.write(msgspec.structs.replace(configuration, settings=configuration.settings | {"store": shown}))
    if shown != to:
        out.print("the password was not written into city.yaml: keep it in ~/.pgpass or PGPASSWORD")
    tables = [each for each in moved if each.table != COLD_TABLES]
    out.print(
        f"{counted(len(tables), 'table')} read back from the database, the same by count and checksum "
        "(those without rows are not listed)"
    )
    if len(tables) < len(moved):
        out.print(
            "the open tables of history stay where they are: each file has the checksum it was written with"
        )
    if len(tables) < len(moved) and "://" not in cold:
        out.print(f"nodes on other machines need {cold} by the same name (setting coldUrl)", markup=False)
    out.print(
        f"{data}: the city is in PostgreSQL now, and is served from there: what is written into {STORE}, "
        f"which stays as it is, is no part of it. Next: cityloom serve --data {data}",
        markup=False,
    )


def doctor(
    data: _Data,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read all of the store and of cold history, and compare checksums.")
    ] = False,
    accept: Annotated[
        bool,
        typer.Option(
            "--accept",
            help="With --deep: take damaged pages of the file as they are. "
            "Only after another program wrote to it while no node ran.",
        ),
    ] = False,
) -> None:
    """Looks at store, disk, clock, port, profile, sources, contexts and page, and says what to do.

    Example: `cityloom doctor --data my-city --deep`
    """
    from cityloom.cli.doctor import examine

    findings = list(examine(data, deep=deep, accept=accept))
    marks = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[red]FAIL[/]"}
    for finding in findings:
        out.print(marks[finding.state], finding.what)
        if finding.advice:
            out.print(f"       {finding.advice}")
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)

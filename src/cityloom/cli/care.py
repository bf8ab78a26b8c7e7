"""`backup`, `restore` and `doctor`: keeping a city well."""

from __future__ import annotations

import io
import os
import shutil
import socket
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
import typer

from cityloom.access.keys import Keys
from cityloom.cli.console import out, progress_bars
from cityloom.cli.logs import configure_logs
from cityloom.connect.files import find_files
from cityloom.connect.profile import builtin_profiles, load_profile
from cityloom.folder import CONFIGURATION, KEYS, STORE, CityFolder
from cityloom.ld.core_terms import core_context
from cityloom.model.clock import SystemClock
from cityloom.model.errors import BadRequestData, CityloomError, ConfigurationError
from cityloom.model.time import parse_duration
from cityloom.store.sqlite import SqliteStore, copy_database

_Data = Annotated[Path, typer.Option("--data", help="The city's folder.")]
_PROFILE = "profile"
"""What a city's own profile is called in a backup, and in the folder that is made of it."""
_FREE_WARN = 2 * 1024**3
_FREE_FAIL = 200 * 1024**2


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command("backup")(backup)
    app.command("restore")(restore)
    app.command("doctor")(doctor)


def backup(
    data: _Data,
    output: Annotated[Path, typer.Option("--out", help="The backup's file (.tar.gz).")],
) -> None:
    """Copies a city, consistently, while it runs: store, configuration, own profile, keys, reject files.

    Example: `cityloom backup --data my-city --out my-city-2026-05-01.tar.gz`
    """
    folder = CityFolder(data)
    if not folder.store_file.exists():
        raise ConfigurationError(f"no city exists in {data}: {STORE} is missing")
    part = output.with_name(output.name + ".part")
    try:
        with tempfile.TemporaryDirectory(dir=output.absolute().parent) as scratch, progress_bars() as begin:
            copy = Path(scratch) / STORE
            copy_database(folder.store_file, copy, begin("copying the store"))
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
    configuration = folder.path / CONFIGURATION
    if folder.profile and folder.profile not in builtin_profiles():
        yield Path(folder.profile), _PROFILE
        within = CityFolder(scratch)
        within.write(msgspec.structs.replace(folder.configuration, profile=_PROFILE))
        configuration = scratch / CONFIGURATION
    yield configuration, CONFIGURATION
    yield folder.keys_file, KEYS
    yield folder.runs, "runs"


def restore(
    backup_file: Annotated[Path, typer.Argument(metavar="BACKUP", help="A file that `backup` wrote.")],
    data: _Data,
) -> None:
    """Makes a city from a backup, in a folder that holds none.

    Example: `cityloom restore my-city-2026-05-01.tar.gz --data my-city-again`
    """
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


class Finding(NamedTuple):
    """One thing that was looked at, and what to do about it."""

    state: Literal["ok", "warn", "fail"]
    what: str
    advice: str = ""


def doctor(data: _Data) -> None:
    """Looks at store, disk, clock, port, profile, sources, contexts and page, and says what to do.

    Example: `cityloom doctor --data my-city`
    """
    findings = list(examine(data))
    marks = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[red]FAIL[/]"}
    for finding in findings:
        out.print(marks[finding.state], finding.what)
        if finding.advice:
            out.print(f"       {finding.advice}")
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)


def examine(data: Path) -> Iterator[Finding]:
    """Every finding of `doctor`, in order."""
    if not data.is_dir():
        yield Finding("fail", f"folder: {data} does not exist", f"make a city: cityloom init --data {data}")
        return
    checks: list[Callable[[CityFolder], Iterator[Finding]]] = [
        _check_folder,
        _check_store,
        _check_disk,
        _check_clock,
        _check_port,
        _check_keys,
        _check_profile,
        _check_contexts,
        _check_page,
    ]
    try:
        folder = CityFolder(data)
    except CityloomError as error:
        yield Finding("fail", error.detail, "mend the file and ask again")
        return
    for check in checks:
        try:
            yield from check(folder)
        except CityloomError as error:
            yield Finding("fail", error.detail, "mend it and ask again")


def _check_folder(folder: CityFolder) -> Iterator[Finding]:
    if not os.access(folder.path, os.W_OK):
        yield Finding("fail", f"folder: {folder.path} cannot be written", "give its owner the right to write")
    else:
        yield Finding("ok", f"folder: {folder.path}")
    settings = folder.settings()
    configure_logs(settings)  # refuses a level that does not exist
    try:
        for type, duration in settings.retention.items():
            parse_duration(duration, f"retention of {type}")
    except BadRequestData as error:
        raise ConfigurationError(f"{folder.path / CONFIGURATION}: {error.detail}") from None


def _check_store(folder: CityFolder) -> Iterator[Finding]:
    file = folder.store_file
    if not file.exists():
        yield Finding("warn", "store: none yet", f"it is made by: cityloom serve --data {folder.path}")
        return
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5) as connection:
            answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        answer = str(error)
    if answer == "ok":
        yield Finding("ok", f"store: {file.stat().st_size / 1e6:,.1f} MB, whole")
    else:
        yield Finding(
            "fail", f"store: {answer}", "restore the last backup: cityloom restore BACKUP --data NEW"
        )
    log = file.with_name(file.name + "-wal")
    if log.exists() and log.stat().st_size > 1024**3:
        yield Finding(
            "warn", "store: the write-ahead log is over 1 GB", "a reader may be stuck: restart the node"
        )


def _check_disk(folder: CityFolder) -> Iterator[Finding]:
    free = shutil.disk_usage(folder.path).free
    text = f"disk: {free / 1e9:,.1f} GB free"
    if free < _FREE_FAIL:
        yield Finding("fail", text, "free some room: writes fail when the disk is full")
    elif free < _FREE_WARN:
        yield Finding("warn", text, "free some room soon")
    else:
        yield Finding("ok", text)


def _check_clock(folder: CityFolder) -> Iterator[Finding]:
    now = time.time()
    if now < 1_700_000_000:
        yield Finding("fail", "clock: it stands before 2024", "set it, and keep it with NTP")
        return
    newest = max((path.stat().st_mtime for path in folder.path.glob(STORE + "*")), default=now)
    if newest > now + 60:
        yield Finding(
            "fail", f"clock: the store was written {newest - now:,.0f} s from now", "set the clock, with NTP"
        )
    else:
        yield Finding("ok", "clock: " + time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)))


def _check_port(folder: CityFolder) -> Iterator[Finding]:
    settings = folder.settings()
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            yield Finding(
                "warn",
                f"port: {settings.port} on {settings.host} is taken ({error.strerror})",
                "a node may be running already; else choose another with --port",
            )
        else:
            yield Finding("ok", f"port: {settings.port} on {settings.host} is free")


def _check_keys(folder: CityFolder) -> Iterator[Finding]:
    settings = folder.settings()
    count = len(Keys(folder.keys_file, SystemClock()).all())
    if not settings.loopback and not count:
        yield Finding(
            "fail",
            f"keys: none, and {settings.host} is not loopback: the node will not start",
            f"cityloom key add NAME --role admin --data {folder.path}",
        )
    else:
        yield Finding("ok", f"keys: {count}")


def _check_profile(folder: CityFolder) -> Iterator[Finding]:
    if not folder.profile:
        yield Finding("warn", "profile: none", "a city without a profile has no sources of its own")
        return
    profile = load_profile(folder.profile)
    yield Finding("ok", f"profile: {profile.profile.name}, {len(profile.mappings)} sources")
    missing: list[str] = []
    for mapping in profile.mappings:
        if mapping.path:
            try:
                find_files(mapping, folder.sources)
            except ConfigurationError:
                missing.append(mapping.source)
    if missing:
        yield Finding(
            "warn",
            f"sources: no file in {folder.sources} for {', '.join(missing[:5])}"
            + (f" and {len(missing) - 5} more" if len(missing) > 5 else ""),
            "set `sources` in city.yaml, or name the folder with --sources",
        )


def _check_contexts(_: CityFolder) -> Iterator[Finding]:
    terms = len(core_context())
    yield Finding("ok", f"contexts: the core context is built in, {terms} terms")


def _check_page(_: CityFolder) -> Iterator[Finding]:
    page = Path(__file__).parents[1] / "web" / "static" / "index.html"
    if page.exists():
        yield Finding("ok", "page: built")
    else:
        yield Finding("warn", "page: not built", "make page")

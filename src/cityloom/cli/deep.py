"""What `doctor` looks at of what a city keeps: its store and its history; with `--deep`, every byte.

Each thing is told in one line: what is damaged is not told as well in another.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from cityloom.cli.console import counted
from cityloom.cli.findings import Finding
from cityloom.folder import CityFolder
from cityloom.model.errors import CityloomError, ConfigurationError
from cityloom.store.postgres import Facts, examine_postgres, read_through

_RESTORE = "restore the last backup: cityloom restore BACKUP --data NEW"
_TOLD = 10
"""Pages and files that are named."""
_LARGE_LOG = 1024**3


def examine_kept(folder: CityFolder, *, deep: bool = False, accept: bool = False) -> Iterator[Finding]:
    """Looks at store and history.

    Args:
        deep: reads all of them, as far as something tells what it was.
        accept: with `deep`, takes pages of the file as they are, after another program wrote them.

    Raises:
        ConfigurationError: the database cannot be used, or `accept` while a node has the file open.

    Cost: of `deep`, a read of everything.
    """
    from cityloom.store.migrations import migrations

    url = folder.settings().store
    damaged = False
    if url:
        facts = examine_postgres(url)
        yield from _database(url, facts, deep)
        if facts.version != len(migrations("postgres")):
            return
    elif folder.store_file.exists():
        for finding in _pages(folder.store_file, accept) if deep else _tables(folder.store_file):
            damaged = damaged or finding.state == "fail"
            yield finding
        yield from _log(folder.store_file, deep)
    else:
        yield Finding("warn", "store: none yet", f"it is made by: cityloom serve --data {folder.path}")
        return
    try:
        yield from _history(folder, deep)
    except CityloomError as error:
        if damaged:
            yield Finding("warn", "history: not looked at, as the store does not say what there must be")
        else:
            yield Finding(
                "fail",
                f"history: {error.detail}",
                f"coldUrl must say where its tables are; when they are lost, {_RESTORE}",
            )


def _tables(file: Path) -> Iterator[Finding]:
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5) as connection:
            answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        answer = str(error)
    if answer == "ok":
        yield Finding("ok", f"{_size(file)}, its tables can be read; --deep looks at every byte")
    else:
        yield Finding("fail", f"store: {answer}", _RESTORE)


def _pages(file: Path, accept: bool) -> Iterator[Finding]:
    from cityloom.store.sqlite.checksums import accept_pages, wrong_pages
    from cityloom.store.sqlite.connection import FileLock, opening
    from cityloom.store.sqlite.integrity import unsound

    try:
        wrong = wrong_pages(file)
    except ConfigurationError as error:
        yield Finding("fail", f"store: {error.detail}", _RESTORE)
        return
    if wrong and not accept:
        yield Finding(
            "fail",
            f"store: not what was written: {counted(len(wrong), 'page')}, {_some(wrong)}",
            f"{_RESTORE}; only if another program wrote to the file while no node ran: "
            "cityloom doctor --deep --accept",
        )
        return
    if wrong:
        with opening(file):
            lock = FileLock(file)  # a node would write them again
        try:
            accept_pages(file, wrong)
        finally:
            lock.release()
    said = unsound(file)
    if said:
        yield Finding("fail", f"store: {said}", _RESTORE)
    elif wrong:
        yield Finding("warn", f"store: taken as they are: {counted(len(wrong), 'page')}, {_some(wrong)}")
    else:
        yield Finding(
            "ok", f"{_size(file)}, every page holds what was written, and the tables agree with their indexes"
        )


def _size(file: Path) -> str:
    return f"store: {file.stat().st_size / 1e6:,.1f} MB"


def _log(file: Path, deep: bool) -> Iterator[Finding]:
    from cityloom.store.sqlite.checksums import wrong_frame

    log = file.with_name(file.name + "-wal")
    frame = wrong_frame(log) if deep else None
    if frame is not None:
        yield Finding(
            "fail",
            f"log: the write-ahead log does not hold what was written, from its page {frame:,} on",
            f"what stands behind is lost when no node has the file open: {_RESTORE}",
        )
    elif log.exists() and log.stat().st_size > _LARGE_LOG:
        yield Finding(
            "warn", "log: the write-ahead log is over 1 GB", "a reader may be stuck: restart the node"
        )
    elif deep and log.exists():
        yield Finding("ok", "log: the write-ahead log holds what was written")


def _history(folder: CityFolder, deep: bool) -> Iterator[Finding]:
    from cityloom.cli.snapshots import opened
    from cityloom.store.cold.files import differs
    from cityloom.store.tables.tiering.status import cold_files, cold_status, kept_files

    place = folder.cold_place(folder.settings())
    remote = "://" in place
    files = []
    if deep and not remote:
        with opened(folder.path) as snapshot:
            files = kept_files(snapshot)
    wrong = [(kept.path, said) for kept in files if (said := differs(Path(place), kept))]
    if wrong:
        told = "; ".join(f"{path} {said}" for path, said in wrong[:_TOLD])
        yield Finding(
            "fail", f"history: {len(wrong):,} of {len(files):,} files are damaged: {told}", _RESTORE
        )
        return
    # Not the snapshot from above: it would have held the write-ahead log while all files were read.
    with opened(folder.path) as snapshot:
        found = cold_status(snapshot)
        if found.version is None:
            return
        known = {kept.path for kept in files}
        unknown = [name for _, name in cold_files(snapshot) if name not in known] if deep else []
    size = sum(month.bytes for month in found.months)
    told = f"history: {found.instances:,} instances in {place}, {size / 1e6:,.1f} MB"
    if deep and remote:
        yield Finding("warn", f"{told}; no file is looked at", "object storage minds its own checksums")
    elif unknown:
        yield Finding(
            "warn", f"{told}; {len(unknown):,} files have no checksum yet", "the next move gives them theirs"
        )
    elif deep:
        yield Finding("ok", f"{told}; {len(files):,} files hold what was written")
    else:
        yield Finding("ok", told)


def _database(url: str, facts: Facts, deep: bool) -> Iterator[Finding]:
    told = f"store: {facts.name}, {facts.server}, {facts.size / 1e6:,.1f} MB"
    if not facts.version:
        yield Finding("warn", f"{told}; no city in it yet", "cityloom serve makes an empty one there")
        return
    if facts.damaged:
        yield Finding(
            "fail",
            f"{told}; not what was written: {counted(facts.damaged, 'page')}",
            "look for them with pg_amcheck, and restore a dump",
        )
        return
    advice = "it is backed up by pg_dump, not by cityloom backup"
    if deep:
        told += f", {read_through(url):,} rows can be read"
        advice += "; indexes and pages in the server's memory are checked by pg_amcheck and pg_checksums"
    yield Finding("ok", f"{told}, durable", advice)
    if not facts.checksums:
        yield Finding(
            "warn",
            "checksums: data_checksums is off, so that a page which the disk spoiled is not noticed",
            "pg_checksums --enable, with the server stopped",
        )


def _some(numbers: list[int]) -> str:
    told = ", ".join(map(str, numbers[:_TOLD]))
    return f"number {told}" + (", ..." if len(numbers) > _TOLD else "")

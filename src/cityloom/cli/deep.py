"""What `doctor --deep` looks at: every byte that a city has, as far as something tells what it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cityloom.cli.console import counted
from cityloom.cli.findings import Finding
from cityloom.folder import CityFolder
from cityloom.model.errors import CityloomError

_RESTORE = "restore the last backup: cityloom restore BACKUP --data NEW"
_TOLD = 10
"""Pages and files that are named."""


def examine_deeply(folder: CityFolder, *, accept: bool = False) -> Iterator[Finding]:
    """Reads all of a city.

    Args:
        accept: takes pages of the file as they are, after another program wrote them.

    Cost: a read of everything.
    """
    url = folder.settings().store
    if url:
        yield from _database(url)
    elif folder.store_file.exists():
        yield from _pages(folder.store_file, accept)
        yield from _log(folder.store_file)
    else:
        return
    try:
        yield from _tables(folder)
    except CityloomError as error:
        yield Finding("fail", f"history: it cannot be looked at ({error.detail})", _RESTORE)


def _pages(file: Path, accept: bool) -> Iterator[Finding]:
    from cityloom.store.sqlite.checksums import accept_pages, wrong_pages
    from cityloom.store.sqlite.connection import FileLock, opening
    from cityloom.store.sqlite.integrity import unsound

    wrong = wrong_pages(file)
    if wrong and accept:
        with opening(file):
            lock = FileLock(file)  # a node would write them again
        try:
            accept_pages(file, wrong)
        finally:
            lock.release()
        yield Finding("warn", f"store: taken as they are: {counted(len(wrong), 'page')}, {_some(wrong)}")
    elif wrong:
        yield Finding(
            "fail",
            f"store: not what was written: {counted(len(wrong), 'page')}, {_some(wrong)}",
            f"{_RESTORE}; only if another program wrote to the file while no node ran: "
            "cityloom doctor --deep --accept",
        )
        return
    said = unsound(file)
    if said:
        yield Finding("fail", f"store: {said}", _RESTORE)
    else:
        yield Finding(
            "ok", "store: every page holds what was written, and the tables agree with their indexes"
        )


def _log(file: Path) -> Iterator[Finding]:
    from cityloom.store.sqlite.checksums import wrong_frame

    log = file.with_name(file.name + "-wal")
    frame = wrong_frame(log)
    if frame is not None:
        yield Finding(
            "fail",
            f"store: the write-ahead log does not hold what was written, from its page {frame:,} on",
            f"what stands behind is lost when no node has the file open: {_RESTORE}",
        )
    elif log.exists():
        yield Finding("ok", "store: the write-ahead log holds what was written")


def _tables(folder: CityFolder) -> Iterator[Finding]:
    from cityloom.cli.snapshots import opened
    from cityloom.store.cold.files import differs
    from cityloom.store.tables.tiering.status import cold_files, kept_files

    place = folder.cold_place(folder.settings())
    if "://" in place:
        yield Finding("warn", f"history: {place} is not looked at", "object storage minds its own checksums")
        return
    with opened(folder.path) as snapshot:
        files = kept_files(snapshot)
        known = {kept.path for kept in files}
        unknown = [name for _, name in cold_files(snapshot) if name not in known]
    wrong = [(kept.path, said) for kept in files if (said := differs(Path(place), kept))]
    if wrong:
        told = "; ".join(f"{path} {said}" for path, said in wrong[:_TOLD])
        yield Finding(
            "fail", f"history: {len(wrong):,} of {len(files):,} files are damaged: {told}", _RESTORE
        )
    elif files:
        size = sum(kept.size for kept in files)
        yield Finding("ok", f"history: {len(files):,} files hold what was written, {size / 1e6:,.1f} MB")
    if unknown:
        yield Finding(
            "warn", f"history: {len(unknown):,} files have no checksum yet", "the next move gives them theirs"
        )


def _database(url: str) -> Iterator[Finding]:
    from cityloom.store.postgres import read_through

    rows = read_through(url)
    yield Finding(
        "ok",
        f"store: {rows:,} rows can be read",
        "indexes and pages in the server's memory are checked by its own pg_amcheck and pg_checksums",
    )


def _some(numbers: list[int]) -> str:
    told = ", ".join(map(str, numbers[:_TOLD]))
    return f"number {told}" + (", ..." if len(numbers) > _TOLD else "")

"""A consistent copy of a city's file, made while it is in use, by this process or another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from cityloom.model.errors import ConfigurationError
from cityloom.store.sqlite.checksums import begin_copy
from cityloom.store.sqlite.connection import check_place, opening, reason, sync_folder

_STEP: Final = 1024
"""Pages copied between two reports of progress."""


_OF_SOURCE: Final = frozenset((apsw.SQLITE_IOERR_DATA, apsw.SQLITE_IOERR_READ, apsw.SQLITE_IOERR_SHORT_READ))


def copy_database(
    path: Path,
    target: Path,
    progress: Callable[[float], None] | None = None,
    *,
    backup: Path | None = None,
) -> None:
    """Copies the file `path` as it is at one moment.

    The copy is made under another name and gets its own when it is whole and
    durable, so a copy that exists is a good one: a page of `path` that does not hold what was
    written ends it. While it is made the
    write-ahead log of `path` grows with what is written meanwhile.

    Args:
        progress: is told the share that is done, 0 to 1.
        backup: what messages name instead of `target`, where that is a step on the way to it.

    Raises:
        ConfigurationError: `path` does not exist or is damaged; `target` exists already or cannot be written.
    """
    if not path.exists():
        raise ConfigurationError(f"the store {path} does not exist")
    if target.exists():
        raise ConfigurationError(f"the backup {target} already exists")
    check_place(target)
    called = backup or target
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    with _writing(called):
        os.close(os.open(part, os.O_RDWR | os.O_CREAT, 0o600))
    with opening(path):
        source = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        with _writing(called):
            with _reading(path):
                _copy(source, part, progress)
            os.replace(part, target)
            sync_folder(target)
    finally:
        source.close(True)
        part.unlink(missing_ok=True)


@contextmanager
def _writing(called: Path) -> Iterator[None]:
    try:
        yield
    except (apsw.Error, OSError) as error:
        why = (error.strerror or str(error)) if isinstance(error, OSError) else reason(error)
        raise ConfigurationError(f"the backup {called} cannot be written: {why}") from error


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """A step of a copy fails for its source or its target: what cannot be read is the first."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError, apsw.IOError) as error:
        if isinstance(error, apsw.IOError) and getattr(error, "extendedresult", 0) not in _OF_SOURCE:
            raise
        raise ConfigurationError(f"the store {path} cannot be used: {reason(error)}") from error


def _copy(source: apsw.Connection, part: Path, progress: Callable[[float], None] | None) -> None:
    copy = apsw.Connection(str(part))
    try:
        begin_copy(copy)
        copy.execute("PRAGMA synchronous=FULL")
        # One read transaction for all: the copy is of one moment, and writers do not make it start again.
        source.execute("BEGIN; SELECT seq FROM pulse").fetchall()
        with copy.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(_STEP)
                if progress is not None:
                    progress(1 - backup.remaining / max(1, backup.page_count))
        source.execute("COMMIT")
        copy.execute("PRAGMA journal_mode=DELETE").fetchall()
    finally:
        copy.close(True)

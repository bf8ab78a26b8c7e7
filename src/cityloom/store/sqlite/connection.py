"""Opening a city's file: the lock, the pragmas, the schema, and SQLite's errors in a sentence."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import apsw

from cityloom.model.errors import ConfigurationError, StoreFailed, StoreInUse
from cityloom.store.cold.tables import ColdTables
from cityloom.store.migrations import Migration
from cityloom.store.sqlite.checksums import seal

Synchronous = Literal["FULL", "NORMAL", "OFF"]
Fills = Mapping[str, Callable[[apsw.Connection, Path], None]]

APPLICATION_ID: Final = 0x43_4C_4F_4D
"""Marks a file as Cityloom's own ("CLOM"), so that another program's file is not taken over."""

BUSY_MS: Final = 5_000
"""How long to wait for a lock that an operator's own SQLite shell may hold."""

_REASONS: Final[tuple[tuple[type[apsw.Error], str], ...]] = (
    (apsw.FullError, "the disk is full"),
    (apsw.ReadOnlyError, "it is read-only"),
    (apsw.PermissionsError, "it may not be opened"),
    (apsw.CantOpenError, "it cannot be opened"),
    (apsw.BusyError, "it is locked by another program"),
    (apsw.LockedError, "it is locked by another program"),
    (apsw.NotADBError, "it is no SQLite database"),
    (apsw.CorruptError, "it is damaged: restore a backup"),
    (apsw.IOError, "the disk failed"),
)
_NOTHING: Final = "not an error"
"""What SQLite says where the connection that it is asked of had none: of a copy, the other one did."""


def reason(error: Exception) -> str:
    """Why SQLite failed, in words for an operator."""
    said = "" if _NOTHING in str(error) else f" ({error})"
    if getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_DATA:
        return f"it is damaged, a page does not hold what was written: see cityloom doctor --deep{said}"
    for kind, words in _REASONS:
        if isinstance(error, kind):
            return f"{words}{said}"
    return str(error) if isinstance(error, apsw.Error) else repr(error)


def failed(path: Path, error: Exception) -> StoreFailed:
    """SQLite's error (or a surprise of ours) as the house's own."""
    return StoreFailed(f"the store {path} failed: {reason(error)}")


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Turns what goes wrong while a file is opened into one sentence."""
    try:
        yield
    except apsw.Error as error:
        raise ConfigurationError(f"the store {path} cannot be used: {reason(error)}") from error
    except PermissionError as error:
        raise ConfigurationError(
            f"the store {path} cannot be used: its folder is read-only or not ours"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"the store {path} cannot be used: {error.strerror or error}") from error


class FileLock:
    """Keeps a second process (or a second store in this one) off the same file.

    Raises:
        StoreInUse: another one has it.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise StoreInUse(f"the store {path} is already in use: another node has it open") from None

    def release(self) -> None:
        """Lets others open the file."""
        os.close(self._descriptor)


def check_place(path: Path) -> None:
    """Refuses a place where no store can be, before SQLite says so less clearly.

    Raises:
        ConfigurationError: the folder does not exist, or the path is no file.
    """
    if not path.parent.is_dir():
        raise ConfigurationError(f"the store's folder {path.parent} does not exist")
    if path.exists():
        if not path.is_file():
            raise ConfigurationError(f"the store {path} is invalid: it is no file")
        if not os.access(path, os.R_OK | os.W_OK):
            raise ConfigurationError(f"the store {path} cannot be used: it is read-only or not ours")


def open_writer(path: Path, synchronous: Synchronous, vfs: str | None) -> apsw.Connection:
    """The one connection that writes.

    FULL syncs the write-ahead log at every commit: only then is a commit
    durable. Each page has a checksum (`checksums`), so that one which a disk
    spoiled is refused and never told. Checkpoints are made beside the writer and between commits, not by
    SQLite inside one, so that nobody waits for them. `temp_store` in memory keeps the
    savepoints' journal off the disk.
    """
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    connection = apsw.Connection(str(path), flags=flags, vfs=vfs, statementcachesize=512)
    connection.set_busy_timeout(BUSY_MS)
    schema_version(connection, path)  # before anything of another program's file is changed
    connection.execute("PRAGMA page_size=4096")
    seal(connection, path)
    if connection.execute("PRAGMA journal_mode=WAL").get != "wal":
        raise ConfigurationError(f"the store {path} cannot be used: its disk keeps no write-ahead log")
    for pragma in (
        f"synchronous={synchronous}",
        "fullfsync=1",
        "checkpoint_fullfsync=1",
        "wal_autocheckpoint=0",
        "journal_size_limit=67108864",
        "cache_size=-131072",
        "temp_store=MEMORY",
        "trusted_schema=0",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def open_reader(path: Path, vfs: str | None) -> apsw.Connection:
    """A connection that only reads.

    Pages are read, not mapped: what is mapped has nobody who looks at its checksum.
    """
    # One thread has it: SQLite need not lock it against others.
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOMUTEX
    connection = apsw.Connection(str(path), flags=flags, vfs=vfs, statementcachesize=256)
    connection.set_busy_timeout(BUSY_MS)
    for pragma in ("query_only=1", "cache_size=-32768", "trusted_schema=0"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def open_mover(path: Path, synchronous: Synchronous, vfs: str | None) -> apsw.Connection:
    """A connection that moves the write-ahead log into the file, and syncs both as the writer does."""
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOMUTEX
    connection = apsw.Connection(str(path), flags=flags, vfs=vfs)
    for pragma in (
        f"synchronous={synchronous}",
        "checkpoint_fullfsync=1",
        "wal_autocheckpoint=0",
        "cache_size=-64",
    ):
        connection.execute(f"PRAGMA {pragma}")
    schema_version(connection, path)  # a connection that has read nothing yet knows of no log
    return connection


def schema_version(connection: apsw.Connection, path: Path) -> int:
    """The version of the file's schema; 0 for an empty file.

    Raises:
        ConfigurationError: the file is another program's.
    """
    application = connection.execute("PRAGMA application_id").get
    if application == APPLICATION_ID:
        version: int = connection.execute("SELECT value FROM meta WHERE key = 'version'").get
        return version
    if application or connection.execute("SELECT count(*) FROM sqlite_schema").get:
        raise ConfigurationError(f"the store {path} is invalid: it is another program's database")
    return 0


def migrate(connection: apsw.Connection, path: Path, steps: Sequence[Migration], fills: Fills) -> None:
    """Brings the schema to the last of `steps`, all or nothing.

    Args:
        fills: what follows a step's SQL, by the step's name.

    Raises:
        ConfigurationError: the file is another program's, or a newer version's.
    """
    version = schema_version(connection, path)
    if version > len(steps):
        raise ConfigurationError(
            f"the store {path} was written by a newer version of Cityloom: "
            f"its schema is {version}, this one knows {len(steps)}"
        )
    if version == len(steps):
        return
    with connection:
        for step in steps[version:]:
            connection.execute(step.sql)
            fill = fills.get(step.name)
            if fill is not None:
                fill(connection, path)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('version', ?)", (len(steps),))


def cold_tables(connection: apsw.Connection, path: Path, place: str) -> ColdTables:
    """The tables of a file's cold history; `place` "" is the folder `history` beside it."""
    owner = connection.execute("SELECT value FROM meta WHERE key = 'cold'").get
    return ColdTables(place or str(path.absolute().with_name("history")), owner)


def sync_folder(path: Path) -> None:
    """Makes the file's name durable: SQLite syncs what is in a new file, not that there is one."""
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

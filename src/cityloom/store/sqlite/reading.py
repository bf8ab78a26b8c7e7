"""Reading a city's file from beside the node that writes it: for exports and replays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from cityloom.model.clock import Clock
from cityloom.model.errors import ConfigurationError
from cityloom.store.migrations import migrations
from cityloom.store.ports import Snapshot
from cityloom.store.sqlite.connection import (
    check_place,
    cold_tables,
    failed,
    open_reader,
    opening,
    schema_version,
)
from cityloom.store.sqlite.session import SqliteSession
from cityloom.store.sqlite.store import SqliteStore
from cityloom.store.tables.snapshot import TablesSnapshot


@contextmanager
def read_database(path: Path, clock: Clock, cold: str = "") -> Iterator[Snapshot]:
    """The file `path` as it is at one moment, for this thread, while another process may write it.

    A file of an older version is brought up to this one's first, which needs it to be free.
    While it is read the write-ahead log of `path` grows with what is written meanwhile.

    Args:
        cold: where its cold history is, as `SqliteStore` has it.

    Raises:
        ConfigurationError: `path` does not exist, is damaged, or is a newer version's.
    """
    if not path.exists():
        raise ConfigurationError(f"the store {path} does not exist")
    check_place(path)
    with opening(path):
        connection = open_reader(path, None)
    try:
        with opening(path):
            if schema_version(connection, path) != len(migrations("sqlite")):
                SqliteStore(path, clock, cold=cold).close()
            connection.execute("BEGIN")
        session = SqliteSession(connection, path, cold_tables(connection, path, cold))
        try:
            yield TablesSnapshot(session)
        except apsw.Error as error:
            raise failed(path, error) from error
        finally:
            session.close_streams()
    finally:
        connection.close(True)

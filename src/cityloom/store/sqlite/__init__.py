"""The embedded store: one city in one SQLite file, through apsw.

It must never know a request, a JSON-LD `@context`, or how entities are merged:
it keeps what it is given, all or nothing, and tells it again.
"""

from cityloom.store.sqlite.backup import copy_database
from cityloom.store.sqlite.reading import read_database
from cityloom.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore", "copy_database", "read_database"]

"""The server store: one city in one PostgreSQL database with PostGIS, through asyncpg.

It must never know a request, a JSON-LD `@context`, or how entities are merged:
it keeps what it is given, all or nothing, and tells it again.
"""

from cityloom.store.postgres.reading import Facts, examine_postgres, read_postgres, read_through
from cityloom.store.postgres.store import PostgresStore

__all__ = ["Facts", "PostgresStore", "examine_postgres", "read_postgres", "read_through"]

"""What SQL cannot say of a migration: filling what is new in it from the bodies that are there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw

from cityloom.model.entity import decode_entity
from cityloom.store.sql import plain_number
from cityloom.store.sqlite.session import SqliteSession
from cityloom.store.tables.entities.sights import sight_of, write_sight
from cityloom.store.tables.entities.tallies import (
    Tallies,
    Tally,
    decode_tally,
    encode_tally,
    is_silent,
    newest,
)


def fill_sights(connection: apsw.Connection, path: Path) -> None:
    """The table `sight`, and in each tally the newest observation, how many are silent, and the last event.

    Cost: about 35 µs an entity.
    """
    session = SqliteSession(connection, path)
    found: Tallies = {}
    seq = session.pulse.seq
    for row, tenant, body in connection.cursor().execute("SELECT row, tenant, body FROM entity"):
        entity = decode_entity(body)
        types = [session.names.intern(type) for type in dict.fromkeys(entity.types)]
        write_sight(session, row, tenant, sight_of(entity, types))
        observed = newest(each for instances in entity.attributes.values() for each in instances)
        silent = is_silent(entity)
        for type in types:
            tally = found.setdefault((tenant, type), Tally())
            tally.observed = max(tally.observed, observed)
            tally.silent += silent
    for key, counted in found.items():
        body = session.value("SELECT body FROM tally WHERE tenant = ? AND type = ?", key)
        if body is not None:
            tally = decode_tally(body)
            tally.observed, tally.doubtful, tally.silent = counted.observed, False, counted.silent
            tally.touched = tally.seen = seq
            session.run(
                "UPDATE tally SET body = ? WHERE tenant = ? AND type = ?", (encode_tally(tally), *key)
            )


def fill_numbers(connection: apsw.Connection, path: Path) -> None:
    """The numbers beside the names of attributes.

    Cost: about 15 µs an entity.
    """
    session = SqliteSession(connection, path)
    for row, tenant, body in connection.cursor().execute("SELECT row, tenant, body FROM entity"):
        told = [
            (number, tenant, session.names.intern(name), row)
            for name, instances in decode_entity(body).attributes.items()
            if (number := plain_number(instances)) is not None
        ]
        connection.executemany(
            "UPDATE entity_attribute SET number = ? WHERE tenant = ? AND name = ? AND row = ?", told
        )


FILLS: Final[dict[str, Callable[[apsw.Connection, Path], None]]] = {
    "sight": fill_sights,
    "number": fill_numbers,
}
"""By the name of the migration after whose SQL they run, in the same transaction."""

"""Whether a city's file is sound: SQLite's own look at its tables, indexes and R*Tree."""

from __future__ import annotations

from pathlib import Path

import apsw

from cityloom.store.sqlite.connection import open_reader, reason


def unsound(path: Path) -> str:
    """What is wrong with the file, in a sentence; "" when nothing is.

    Cost: a read of the file, and for each row of a table a look at its indexes.
    """
    connection = open_reader(path, None)
    try:
        for look in ("PRAGMA integrity_check(1)", "SELECT rtreecheck('place')"):
            said = connection.execute(look).get
            if said != "ok":
                return str(said)
    except apsw.Error as error:
        return reason(error)
    finally:
        connection.close(True)
    return ""

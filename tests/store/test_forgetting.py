"""Forgetting a tenant leaves no row in any table of the file."""

from __future__ import annotations

from pathlib import Path

import apsw

from cityloom.model.clock import SimulatedClock
from cityloom.store.sqlite import SqliteStore
from tests.laws.conftest import START
from tests.laws.test_tenants import TENANT, fill, forget

_SHARED = {"cause", "origin", "name", "shape", "pulse", "meta", "cursor", "cold", "lease"}
"""What all tenants share: interned, or told by number alone."""


def rows(path: Path) -> dict[str, int]:
    """How many rows each table has that does not stand for all tenants."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    counts = {
        name: connection.execute(f'SELECT count(*) FROM "{name}"').get
        for name in names
        if name not in _SHARED and not name.startswith(("sqlite_", "place_"))
    }
    marks = "SELECT count(*) FROM meta WHERE key LIKE 'expire:%' OR key LIKE 'forget:%'"
    counts["meta"] = connection.execute(marks).get
    connection.close()
    return counts


def test_no_row_is_left(tmp_path: Path) -> None:
    path = tmp_path / "city.db"
    store = SqliteStore(path, SimulatedClock(START))
    before = rows(path)
    fill(store, TENANT)
    filled = rows(path)
    assert all(count > before[name] for name, count in filled.items() if not name.startswith("cold_"))
    forget(store, TENANT, 50)
    after = rows(path)
    store.close()
    assert after == before

"""Files of older versions: what later steps brought is taken out of them."""

from __future__ import annotations

import apsw


def without_cold(db: apsw.Connection) -> None:
    """Takes out what the step `cold` and those after it bring."""
    db.execute("DROP INDEX delivery_given_up; DROP TABLE document_change; DROP TABLE lease")
    tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'cold%'")
    for (table,) in tables.fetchall():
        db.execute(f"DROP TABLE {table}")
    db.execute("DELETE FROM meta WHERE key = 'cold'")

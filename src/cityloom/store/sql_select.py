"""A statement over entities that was put together: as rows, as keys, as a number."""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct

from cityloom.query.values import Query

BODIES: Final = (
    "SELECT CAST(group_concat(CAST(b.body AS TEXT), char(10) ORDER BY k.key) AS BLOB)"
    " FROM json_each(?) k CROSS JOIN entity b ON b.row = k.value"
)
"""The bodies of some rows (as JSON), in this order, a line each: one step of SQLite for all of them.

At each step the interpreter may go to another thread and come back late.
"""


class Select(Struct, frozen=True):
    """A statement over the entities that a query may select.

    `exact`: every row is an answer. `ordered`: rows come in the query's own order (else by id).
    `sorts`: rows are found, and then sorted; `keys` and `BODIES` read them with the fewest steps.
    `left` is what of the query rows are still to be tested for.
    """

    _leading: str
    _conditions: list[str]
    _key: Literal["t", "e"]
    sorts: bool
    _descending: bool
    _join: str
    parameters: dict[str, Any]
    exact: bool
    ordered: bool
    left: Query

    def rows(self, *, limit: bool = False) -> str:
        """`row, id, body` by id; with `limit` (only when exact and ordered) just the query's page."""
        page = " LIMIT :limit OFFSET :offset" if limit else ""
        order = f" {self._order()}{page}"
        if self.sorts:
            keys = f"SELECT e.row AS row, e.id AS id FROM {self._leading}{self._where()}{order}"
            return (
                f"WITH k AS MATERIALIZED ({keys}) "
                f"SELECT k.row, k.id, b.body FROM k {self._join} entity b ON b.row = k.row"
            )
        body = f" {self._join} entity e ON e.row = t.row" if self._key == "t" else ""
        return (
            f"SELECT {self._key}.row, {self._key}.id, e.body FROM {self._leading}{body}{self._where()}{order}"
        )

    def keys(self) -> str:
        """The rows by id, as one JSON array."""
        return f"SELECT json_group_array(e.row {self._order()}) FROM {self._leading}{self._where()}"

    def _order(self) -> str:
        return f"ORDER BY {self._key}.id{' DESC' if self._descending else ''}"

    def count(self) -> str:
        """How many rows there are; without reading a body when `exact`."""
        body = f" {self._join} entity e ON e.row = t.row" if self._key == "t" and not self.exact else ""
        return f"SELECT count(*) FROM {self._leading}{body}{self._where()}"

    def _where(self) -> str:
        return f" WHERE {' AND '.join(self._conditions)}" if self._conditions else ""

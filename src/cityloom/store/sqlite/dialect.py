"""What SQLite says in its own way: lists are JSON, places stand in an R*Tree, values have their own types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from cityloom.query.cql2_like import Piece
from cityloom.query.geometry import Box
from cityloom.store.map_ports import Name
from cityloom.store.sql_like import glob_of_text
from cityloom.store.tables.history.codec import store_value


class SqliteDialect:
    """The `Dialect` of the embedded store."""

    join = "CROSS JOIN"
    by_dataset = " INDEXED BY instance_dataset"
    # SQLite would carry every column through its sorter.
    sorts_rows = False
    is_far = False
    reads_bodies = True
    is_compound = "(typeof(value) = 'blob' AND CAST(value AS TEXT) NOT IN ('true', 'false'))"

    def is_number(self, low: str, high: str) -> str:
        """Numbers are kept as such."""
        return f"(typeof(value) IN ('integer', 'real') AND value {low} ? AND value {high} ?)"

    def bound(self, number: float) -> Any:
        """As it is."""
        return number

    def texts(self, values: Sequence[str]) -> Any:
        """As JSON."""
        return msgspec.json.encode(values).decode()

    def numbers(self, values: Sequence[int]) -> Any:
        """As JSON."""
        return msgspec.json.encode(values).decode()

    def each_text(self, parameter: str, alias: str) -> str:
        """The items of the JSON."""
        return f"json_each({parameter}) {alias}"

    def each_number(self, parameter: str, alias: str) -> str:
        """The items of the JSON."""
        return f"json_each({parameter}) {alias}"

    def each_pair(self, ones: str, twos: str, alias: str) -> str:
        """The items of the JSON at equal places."""
        rows = f"json_each({ones}) a CROSS JOIN json_each({twos}) b ON b.key = a.key"
        return f"(SELECT a.value AS one, b.value AS two FROM {rows}) {alias}"

    def is_text_of(self, operand: str, parameter: str) -> str:
        """Looked up among the items of the JSON."""
        return f"{operand} IN (SELECT value FROM json_each({parameter}))"

    def is_number_of(self, operand: str, parameter: str) -> str:
        """Looked up among the items of the JSON."""
        return f"{operand} IN (SELECT value FROM json_each({parameter}))"

    def holds(self, text: str, part: str) -> str:
        """Whether a text holds another."""
        return f"instr({text}, {part})"

    def id_like(self, operand: str, pieces: Sequence[Piece], bind: Callable[[Any], str]) -> str:
        """With GLOB; an id is a URI: it holds no NUL, at which GLOB would end."""
        return f"{operand} GLOB {bind(glob_of_text(pieces))}"

    # Numbers and texts as they are; anything else as JSON; nothing as NULL.
    stored_value = staticmethod(store_value)

    told_name = None

    def stored_name(self, name: Name) -> Any:
        """As it is told."""
        return name

    def place(self, box: Box, bind: Callable[[Any], str], type: str | None = None) -> str:
        """In the R*Tree, whose further axis is the span of an entity's types."""
        sql = (
            f"p.west <= {bind(box.east)} AND p.east >= {bind(box.west)} "
            f"AND p.south <= {bind(box.north)} AND p.north >= {bind(box.south)}"
        )
        return sql if type is None else f"{sql} AND p.type_low <= {type} AND p.type_high >= {type}"

    def is_one_of(self, operand: str, select: str) -> str:
        """As it is."""
        return f"{operand} IN ({select})"

    places_by_type = False

    def surely(self, type: str) -> str:
        """The tree knows the span of the types: one alone is told exactly."""
        return f"s.type = {type} AND p.type_low = {type}"


SQLITE: Final = SqliteDialect()

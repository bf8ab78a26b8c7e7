"""The house's statements as PostgreSQL wants them: numbered parameters, and many rows in one go.

Pure: texts in, texts out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct

from cityloom.store.tables.base.waiting import touched

Types = Mapping[str, Mapping[str, str]]
"""table -> column -> type, in the order of the columns"""
_VALUE: Final = re.compile(r"'(?:[^']|'')*'|\?|:[a-z_][a-z_0-9]*")
_INSERT: Final = re.compile(r"INSERT INTO ([a-z_]+) \(([a-z_, ]+)\) VALUES \([?, ]+\)(.*)", re.DOTALL)
_UPDATE: Final = re.compile(
    r"UPDATE ([a-z_]+) SET ((?:[a-z_]+ = \?(?:, )?)+) WHERE ((?:[a-z_]+ = \?(?: AND )?)+)$"
)
_DELETE: Final = re.compile(r"DELETE FROM ([a-z_]+) WHERE ((?:[a-z_]+ = \?(?: AND )?)+)$")
_UPSERT: Final = re.compile(r"ON CONFLICT \(([a-z_, ]+)\) DO UPDATE")
_COLUMN: Final = re.compile(r"([a-z_]+) = \?")


class Statement(Struct, frozen=True):
    """A statement with `$1`, `$2` ...; `names` are its parameters where they have names.

    `tables` are those it may look at, `changes` the one it changes.
    """

    sql: str
    names: tuple[str, ...]
    tables: frozenset[str]
    changes: str | None

    def values(self, parameters: Sequence[Any] | Mapping[str, Any]) -> Sequence[Any]:
        """The parameters in their order."""
        if isinstance(parameters, Mapping):
            return [parameters[name] for name in self.names]
        return parameters


@lru_cache(maxsize=4096)
def statement(sql: str) -> Statement:
    """Reads a statement with `?` or `:name`."""
    names: dict[str, int] = {}
    count = 0

    def number(found: re.Match[str]) -> str:
        nonlocal count
        text = found.group()
        if text.startswith("'"):
            return text
        if text == "?":
            count += 1
            return f"${count}"
        return f"${names.setdefault(text[1:], len(names) + 1)}"

    tables, changes = touched(sql)
    return Statement(_VALUE.sub(number, sql), tuple(names), tables, changes)


class Bulk(Struct, frozen=True):
    """One statement for many rows, whose parameters are columns: an array for each.

    Of rows that are alike at the places `key` only the last one counts.
    """

    sql: str
    key: tuple[int, ...]

    def columns(self, rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
        """The rows as arrays."""
        if self.key:
            last = {tuple(row[place] for place in self.key): row for row in rows}
            rows = last.values()
        return [list(column) for column in zip(*rows, strict=True)]


def bulk(sql: str, types: Types) -> Bulk | None:
    """The statement for many rows that does what `sql` does for one; None where there is none."""
    if found := _INSERT.match(sql):
        table, listed, rest = found.groups()
        columns = listed.split(", ")
        upsert = _UPSERT.search(rest)
        key = tuple(columns.index(name) for name in upsert.group(1).split(", ")) if upsert else ()
        return Bulk(f"INSERT INTO {table} ({listed}) SELECT * FROM {_rows(table, columns, types)}{rest}", key)
    if found := _UPDATE.match(sql):
        table, sets, keys = found.groups()
        changed, known = _COLUMN.findall(sets), _COLUMN.findall(keys)
        told = ", ".join(f"{name} = u.{name}" for name in changed)
        rows = _rows(table, [*changed, *known], types)
        key = tuple(range(len(changed), len(changed) + len(known)))
        return Bulk(f"UPDATE {table} t SET {told} FROM {rows} WHERE {_equal(known)}", key)
    if found := _DELETE.match(sql):
        table, keys = found.groups()
        known = _COLUMN.findall(keys)
        return Bulk(f"DELETE FROM {table} t USING {_rows(table, known, types)} WHERE {_equal(known)}", ())
    return None


def _rows(table: str, columns: Sequence[str], types: Types) -> str:
    arrays = ", ".join(f"${place}::{types[table][name]}[]" for place, name in enumerate(columns, 1))
    return f"unnest({arrays}) u({', '.join(columns)})"


def _equal(columns: Sequence[str]) -> str:
    return " AND ".join(f"t.{name} = u.{name}" for name in columns)

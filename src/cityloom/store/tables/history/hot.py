"""The hot tier: the instances kept in the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cityloom.store.history_ports import Numbers, Window
from cityloom.store.tables.base.session import Session
from cityloom.store.tables.history.codec import COLUMNS, Key, Row

Pair = tuple[int, int]
"""An incarnation and an attribute's number."""


class HotTier:
    """The instances kept in the database."""

    def __init__(self, session: Session) -> None:
        self._db = session

    def names(self, incarnation: int, before: int | None = None) -> list[int]:
        """The attributes that an incarnation has instances of (older than `before`).

        Cost: one seek for each attribute.
        """
        return [name for name, _ in self.oldest(incarnation, before)]

    def oldest(self, incarnation: int, before: int | None = None) -> Iterator[tuple[int, int]]:
        """The attributes that an incarnation has instances of (older than `before`), and the oldest's time.

        Cost: one seek for each attribute.
        """
        sql = "SELECT name, time FROM instance WHERE incarnation = ? AND name > ? ORDER BY name, time LIMIT 1"
        first = self._db.row(sql, (incarnation, -1))
        while first is not None:
            name, oldest = first
            if before is None or oldest < before:
                yield name, oldest
            first = self._db.row(sql, (incarnation, name))

    def series(self, lives: Sequence[int], before: int) -> list[tuple[int, int, int]]:
        """(incarnation, attribute, time of the oldest) of what some lives have that is older than `before`.

        Cost: one statement; in it two seeks for each attribute.
        """
        dialect = self._db.dialect
        sql = (
            "WITH RECURSIVE series(life, name) AS ("
            f"SELECT w.value, (SELECT min(name) FROM instance WHERE incarnation = w.value)"
            f" FROM {dialect.each_number('?', 'w')}"
            " UNION ALL SELECT s.life,"
            " (SELECT min(i.name) FROM instance i WHERE i.incarnation = s.life AND i.name > s.name)"
            " FROM series s WHERE s.name IS NOT NULL)"
            " SELECT life, name, oldest FROM (SELECT s.life, s.name,"
            " (SELECT min(i.time) FROM instance i WHERE i.incarnation = s.life AND i.name = s.name) AS oldest"
            " FROM series s WHERE s.name IS NOT NULL) o WHERE oldest < ?"
        )
        return self._db.rows(sql, (dialect.numbers(lives), before))

    def firsts(self, series: Sequence[Pair], start: int, end: int) -> dict[Pair, int]:
        """The first time within start <= time < end of those (incarnation, attribute) that have one.

        Cost: one statement; in it a seek for each.
        """
        sql = (
            "SELECT w.one, w.two, (SELECT min(time) FROM instance"
            " WHERE incarnation = w.one AND name = w.two AND time >= ? AND time < ?)"
            f" FROM {self._db.dialect.each_pair('?', '?', 'w')}"
        )
        rows = self._db.rows(sql, (start, end, *self._listed(series)))
        return {(life, name): time for life, name, time in rows if time is not None}

    def older(self, series: Sequence[Pair], end: int) -> Iterator[Row]:
        """Rows of some (incarnation, attribute) with time < end, in no order. Cost: what is read of them."""
        dialect = self._db.dialect
        columns = ", ".join(f"i.{column}" for column in COLUMNS.split(", "))
        sql = (
            f"SELECT {columns} FROM {dialect.each_pair('?', '?', 'w')} {dialect.join} instance i"
            " ON i.incarnation = w.one AND i.name = w.two AND i.time < ?"
        )
        return map(Row._make, self._db.stream(sql, (*self._listed(series), end)))

    def _listed(self, series: Sequence[Pair]) -> tuple[Any, Any]:
        numbers = self._db.dialect.numbers
        return numbers([life for life, _ in series]), numbers([name for _, name in series])

    def has_any(self, incarnation: int) -> bool:
        """Whether there is an instance."""
        sql = "SELECT 1 FROM instance WHERE incarnation = ? LIMIT 1"
        return self._db.value(sql, (incarnation,)) is not None

    def has(self, incarnation: int, name: int) -> bool:
        """Whether there is an instance of an attribute."""
        sql = "SELECT 1 FROM instance WHERE incarnation = ? AND name = ? LIMIT 1"
        return self._db.value(sql, (incarnation, name)) is not None

    def rows(
        self,
        incarnation: int,
        name: int,
        *,
        start: int | None = None,
        end: int | None = None,
        numbers: Numbers | None = None,
        latest_first: bool = False,
    ) -> Iterator[Row]:
        """Rows of one attribute with start <= time < end, in order of time. Cost: what is read of it."""
        within, parameters = _range(incarnation, name, start, end)
        if numbers is not None:
            among, bounds = self._among(numbers)
            within += f" AND ({self._db.dialect.is_compound} OR {among})"
            parameters += bounds
        way = "DESC" if latest_first else "ASC"
        order = f"time {way}, origin {way}, tie {way}, dataset {way}"
        sql = f"SELECT {COLUMNS} FROM instance WHERE {within} ORDER BY {order}"
        return map(Row._make, self._db.stream(sql, parameters))

    def counts(self, incarnation: int, name: int, window: Window) -> list[tuple[int, int, int]]:
        """(dataset, shape, how many) of the rows of one attribute with start <= time < end."""
        within, parameters = _range(incarnation, name, window.start, window.end)
        sql = f"SELECT dataset, shape, count(*) FROM instance WHERE {within} GROUP BY dataset, shape"
        return self._db.rows(sql, parameters)

    def number_counts(
        self, incarnation: int, name: int, window: Window, numbers: Numbers
    ) -> list[tuple[int, int, int, int]]:
        """(dataset, shape, how many are among the numbers, how many are compound) of the rows of a window."""
        within, parameters = _range(incarnation, name, window.start, window.end)
        among, bounds = self._among(numbers)
        sql = (
            f"SELECT dataset, shape, sum(CASE WHEN {among} THEN 1 ELSE 0 END),"
            f" sum(CASE WHEN {self._db.dialect.is_compound} THEN 1 ELSE 0 END)"
            f" FROM instance WHERE {within} GROUP BY dataset, shape"
        )
        return self._db.rows(sql, [*bounds, *parameters])

    def _among(self, numbers: Numbers) -> tuple[str, list[float]]:
        """The condition that a value is one of the numbers, and its parameters."""
        dialect = self._db.dialect
        test = dialect.is_number(">=" if numbers.with_low else ">", "<=" if numbers.with_high else "<")
        return test, [dialect.bound(numbers.low), dialect.bound(numbers.high)]

    def at(self, incarnation: int, name: int, time: int) -> list[Row]:
        """The rows of one attribute at one time."""
        sql = f"SELECT {COLUMNS} FROM instance WHERE incarnation = ? AND name = ? AND time = ?"
        return list(map(Row._make, self._db.rows(sql, (incarnation, name, time))))

    def row(self, incarnation: int, name: int, key: Key) -> Row | None:
        """One row by its whole key."""
        sql = (
            f"SELECT {COLUMNS} FROM instance WHERE incarnation = ? AND name = ?"
            " AND time = ? AND origin = ? AND tie = ? AND dataset = ?"
        )
        row = self._db.row(sql, (incarnation, name, *key))
        return Row._make(row) if row is not None else None


def is_compound(value: Any) -> bool:
    """What `is_compound` of SQLite's dialect says of a value out of the cold tables."""
    return type(value) is bytes and value not in (b"true", b"false")


def is_among(value: Any, numbers: Numbers) -> bool:
    """What `is_number` of SQLite's dialect says of a value out of the cold tables."""
    if type(value) not in (int, float):
        return False
    low = value >= numbers.low if numbers.with_low else value > numbers.low
    high = value <= numbers.high if numbers.with_high else value < numbers.high
    return bool(low and high)


def _range(incarnation: int, name: int, start: int | None, end: int | None) -> tuple[str, list[float]]:
    """The condition of one attribute's rows with start <= time < end, and its parameters."""
    sql = "incarnation = ? AND name = ?"
    parameters: list[float] = [incarnation, name]
    if start is not None:
        sql += " AND time >= ?"
        parameters.append(start)
    if end is not None:
        sql += " AND time < ?"
        parameters.append(end)
    return sql, parameters

"""Changes that wait: what a group of works changes is kept here and sent table by table.

A change reaches the database when something looks at its table, or with the commit. Changes
of works that succeeded stand apart from those of the work that runs, so that a work that
fails is undone by forgetting them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from cityloom.model.entity import Entity

Changes = dict[str, list[tuple[str, list[Sequence[Any]]]]]
"""table -> statements in their order, each with the rows of its parameters"""
Written = dict[tuple[str, str], tuple[int | None, Entity | None]]
"""(tenant, id) -> (row, entity) as it was written; None, None when it was deleted"""
_TABLES: Final = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+([a-z_]+)")
_CHANGE: Final = re.compile(r"\s*(?:INSERT(?: OR REPLACE)? INTO|UPDATE|DELETE FROM)\s+([a-z_]+)")


class Touched(NamedTuple):
    """The tables that a statement may look at, and the one that it changes."""

    tables: frozenset[str]
    changes: str | None


@lru_cache(maxsize=4096)
def touched(sql: str) -> Touched:
    """What a statement has to do with."""
    changed = _CHANGE.match(sql)
    return Touched(frozenset(_TABLES.findall(sql)), changed.group(1) if changed is not None else None)


class Waiting:
    """The changes of a group that the database has not heard of, and the entities that it wrote.

    `settled` are those of works that succeeded, `working` those of the work that runs.
    """

    def __init__(self) -> None:
        self.settled: Changes = {}
        self.working: Changes = {}
        self._written: Written = {}
        self._writing: Written = {}

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self.settled or self.working)

    def __contains__(self, table: str) -> bool:
        """Whether a change of this table waits."""
        return table in self.settled or table in self.working

    def add(self, table: str, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """A change of the work that runs."""
        _add(self.working, table, sql, rows)

    def known(self, key: tuple[str, str]) -> tuple[int | None, Entity | None] | None:
        """The entity (tenant, id) as this group wrote it; None where it did not."""
        return self._writing.get(key) or self._written.get(key)

    def write(self, key: tuple[str, str], entity: tuple[int | None, Entity | None]) -> None:
        """The work that runs wrote an entity."""
        self._writing[key] = entity

    def forget_entities(self) -> None:
        """Entities were changed in bulk: nothing is known of them."""
        self._written.clear()
        self._writing.clear()

    def keep_work(self) -> None:
        """The work that ran has succeeded."""
        for table, changes in self.working.items():
            for sql, rows in changes:
                _add(self.settled, table, sql, rows)
        self.working.clear()
        self._written.update(self._writing)
        self._writing.clear()

    def drop_work(self) -> None:
        """The work that ran has failed."""
        self.working.clear()
        self._writing.clear()

    def clear(self) -> None:
        """The transaction is over."""
        self.settled.clear()
        self.drop_work()
        self._written.clear()


def taken(changes: Changes, tables: Collection[str]) -> Iterator[tuple[str, list[Sequence[Any]]]]:
    """The changes of these tables, which wait no longer."""
    for table in tables:
        yield from changes.pop(table, ())


def _add(changes: Changes, table: str, sql: str, rows: Sequence[Sequence[Any]]) -> None:
    waiting = changes.get(table)
    if waiting is None:
        changes[table] = [(sql, list(rows))]
    elif waiting[-1][0] == sql:
        waiting[-1][1].extend(rows)
    else:
        waiting.append((sql, list(rows)))

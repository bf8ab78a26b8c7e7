"""Things kept once and told by a small number: names, tenants, shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

K = TypeVar("K", str, bytes)
_MOST = 200_000
"""Entries of a cache before it is emptied: names are few, but a caller could invent many."""


class Statements(Protocol):
    """What is asked of the connection that all this is kept by."""

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The only column of the first row, or None."""

    def change(self, sql: str, parameters: Sequence[Any]) -> None:
        """A change of one table; seen by what is read after it."""


class Interned(Generic[K]):
    """A table of (id, key) and what this connection knows of it.

    Rows are never changed or deleted (but see `Tenants`), so what was read stays true;
    what was *added* is forgotten again when its savepoint or transaction is undone.
    """

    def __init__(self, session: Statements, table: str, column: str) -> None:
        self._session = session
        self._find = f"SELECT id FROM {table} WHERE {column} = ?"
        self._get = f"SELECT {column} FROM {table} WHERE id = ?"
        self._add = f"INSERT INTO {table} ({column}) VALUES (?) RETURNING id"
        self._ids: dict[K, int] = {}
        self._keys: dict[int, K] = {}
        self._added: list[K] = []

    def find(self, key: K) -> int | None:
        """The number of `key`, or None when it has none."""
        number = self._ids.get(key)
        if number is None:
            number = self._session.value(self._find, (key,))
            if number is not None:
                self._learn(key, number)
        return number

    def key(self, number: int) -> K:
        """What `number` stands for."""
        key = self._keys.get(number)
        if key is None:
            key = self._session.value(self._get, (number,))
            if key is None:
                raise KeyError(number)
            self._learn(key, number)
        return key

    def intern(self, key: K) -> int:
        """The number of `key`, given now if it has none."""
        number = self._ids.get(key) or self.find(key)
        if number is None:
            added: int = self._session.value(self._add, (key,))
            self._learn(key, added)
            self._added.append(key)
            return added
        return number

    def mark(self) -> int:
        """Where `undo` should go back to."""
        return len(self._added)

    def undo(self, mark: int) -> None:
        """Forgets what was added since `mark`."""
        for key in self._added[mark:]:
            del self._keys[self._ids.pop(key)]
        del self._added[mark:]

    def settle(self) -> None:
        """What was added is committed."""
        self._added.clear()
        if len(self._ids) > _MOST:
            self._ids.clear()
            self._keys.clear()

    def _learn(self, key: K, number: int) -> None:
        self._ids[key] = number
        self._keys[number] = key


_GIVEN: Final = (
    "(SELECT id FROM tenant UNION ALL SELECT CAST(value AS integer) FROM meta WHERE key = 'tenant') t"
)
"""The numbers of the tenants that are there, and the highest that was."""


class Tenants(Interned[str]):
    """The tenants: the one table whose rows can go. A number is never given twice.

    What others forgot is told by `look_again`, at the beginning of what reads one state.
    """

    def __init__(self, session: Statements) -> None:
        super().__init__(session, "tenant", "name")
        self._add = f"INSERT INTO tenant (id, name) SELECT 1 + max(t.id), ? FROM {_GIVEN} RETURNING id"

    def forget(self, key: str) -> None:
        """Takes a tenant out of the table."""
        number = self.find(key)
        if number is None:
            return
        last: int = self._session.value(f"SELECT max(t.id) FROM {_GIVEN}")
        self._session.change(
            "INSERT INTO meta (key, value) VALUES ('tenant', ?)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (str(last),),
        )
        self._session.change("DELETE FROM tenant WHERE id = ?", (number,))
        self._unlearn(key)

    def undo(self, mark: int) -> None:
        """Forgets what was added since `mark`; what was taken out since then is read again."""
        for key in self._added[mark:]:
            self._unlearn(key)
        del self._added[mark:]

    def look_again(self) -> None:
        """Forgets what a reader knows, but for the default tenant, which never goes."""
        if len(self._ids) > 1 or "" not in self._ids:
            for key in [key for key in self._ids if key]:
                self._unlearn(key)

    def _unlearn(self, key: str) -> None:
        number = self._ids.pop(key, None)
        if number is not None:
            del self._keys[number]

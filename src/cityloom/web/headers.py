"""The headers of a request, read once.

Source: RFC 9110 section 5 (names are the same in any letters; one may come several times).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import overload


class Headers(Mapping[str, str]):
    """Name (lower case) -> value; of several with one name the first.

    Args:
        raw: as the server gives them: names in lower case.
    """

    __slots__ = ("_raw", "_values")

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self._raw = raw
        values: dict[str, str] = {}
        for name, value in raw:
            values.setdefault(name.decode("latin-1"), value.decode("latin-1"))
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @overload  # type: ignore[override]
    def get(self, name: str) -> str | None: ...

    @overload
    def get(self, name: str, default: str) -> str: ...

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value of a name in any letters, or `default`."""
        return self._values.get(name.lower(), default)

    def getlist(self, name: str) -> list[str]:
        """All values of a name, in order."""
        name = name.lower()
        if name not in self._values:
            return []
        wanted = name.encode("latin-1")
        return [value.decode("latin-1") for each, value in self._raw if each == wanted]

"""The headers of a request, read once.

Source: RFC 9110 section 5 (names are the same in any letters; one may come several times).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

TENANT: Final = "ngsild-tenant"
SNAPSHOT: Final = "ngsild-snapshot"


class Headers(dict[str, str]):
    """Name -> value; of several with one name the first. All names are in lower case.

    Args:
        raw: as the server gives them.
    """

    __slots__ = ("_raw",)

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        # From the end, so that of several the first stays.
        super().__init__([(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw[::-1]])
        self._raw = raw

    def getlist(self, name: str) -> list[str]:
        """All values of a name, in order."""
        if name not in self:
            return []
        wanted = name.encode("latin-1")
        return [value.decode("latin-1") for each, value in self._raw if each == wanted]

"""Templates such as `urn:ngsi-ld:Streetlight:boston:{object_id}`: text with `{column}` placeholders."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_SAFE_IN_URN = "-._~:@!$'()*+,;="


@lru_cache(maxsize=65536)
def encode_part(text: str) -> str:
    """One value as part of a URI: percent-encoded, the braces around a GUID left off."""
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    return quote(text, safe=_SAFE_IN_URN)


def plain_text(value: Any) -> str:
    """A cell as text: what is empty is "", a whole number has no point, True is `true`."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return str(value)


class Template:
    """A compiled template.

    Args:
        text: with `{column}` placeholders.
        uri: percent-encode the values (for ids and relationships).
    """

    __slots__ = ("_filters", "_parts", "columns", "prefix", "text")

    def __init__(self, text: str, *, uri: bool) -> None:
        pieces = _PLACEHOLDER.split(text)
        self.text = text
        self.prefix = pieces[0]
        """What stands before the first placeholder."""
        self.columns = tuple(pieces[1::2])
        self._parts = pieces
        self._filters: Callable[[str], str] = encode_part if uri else str

    @property
    def pieces(self) -> list[str]:
        """Text and columns in turn; the first is text."""
        return self._parts

    @property
    def broken(self) -> bool:
        """Whether a brace stands alone."""
        return any("{" in piece or "}" in piece for piece in self._parts[0::2])

    def fill(self, row: Mapping[str, Any]) -> str | None:
        """The text for a row; None when one of its placeholders is empty there."""
        parts = self._parts
        out = [parts[0]]
        for index in range(1, len(parts), 2):
            text = plain_text(row.get(parts[index]))
            if not text:
                return None
            out.append(self._filters(text))
            out.append(parts[index + 1])
        return "".join(out)

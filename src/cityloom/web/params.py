"""Query parameters: known and built, known and unbuilt (501), unknown (400).

Source: ETSI GS CIM 009 clauses 6.3.20 (invalid parameters), 6.3.7, 6.3.11,
6.3.12 (`options` and `format`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from urllib.parse import parse_qsl

from cityloom.model.errors import BadRequestData, InvalidRequest, NotBuilt, PayloadTooLarge

_MOST: Final = 200
"""Parameters of one request."""


class Params(dict[str, str]):
    """The query parameters of one request, each at most once: name -> value as decoded."""

    __slots__ = ()

    def text(self, name: str) -> str | None:
        """A parameter's value; None when absent. Raises InvalidRequest when it is empty."""
        value = self.get(name)
        if value == "":
            raise InvalidRequest(f"parameter {name} is invalid: it is empty")
        return value

    def names(self, name: str) -> list[str]:
        """The members of a comma separated list; [] when absent. Commas in brackets do not separate."""
        value = self.text(name)
        if value is None:
            return []
        members = split_list(value)
        if not all(members):
            raise BadRequestData(f"parameter {name} is invalid: {value!r} has an empty member")
        return members

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean parameter. Raises BadRequestData when it is neither true nor false."""
        value = self.get(name)
        if value is None:
            return default
        if value not in ("true", "false"):
            raise BadRequestData(f"parameter {name} is invalid: {value!r} is neither true nor false")
        return value == "true"

    def integer(self, name: str, least: int = 0) -> int | None:
        """A whole number; None when absent. Raises BadRequestData when it is none or below `least`."""
        value = self.get(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= 18) or int(value) < least:
            raise BadRequestData(f"parameter {name} is invalid: {value!r} is no whole number >= {least}")
        return int(value)


NO_PARAMS: Final = Params({})


def split_list(value: str) -> list[str]:
    """Splits at commas that stand outside of (), [] and {}."""
    if not any(bracket in value for bracket in "([{"):
        return [part.strip() for part in value.split(",")]
    parts, depth, start = [], 0, 0
    for place, character in enumerate(value):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(value[start:place].strip())
            start = place + 1
    parts.append(value[start:].strip())
    return parts


def parse_params(
    query: bytes, known: Collection[str] | None, unbuilt: Collection[str], longest: int
) -> Params:
    """Reads a query string and refuses what the operation does not know.

    Args:
        query: as it came, percent-encoded.
        known: the names that the operation knows and that are built; None where it looks at them itself.
        unbuilt: those it knows and that are not built yet.
        longest: the most characters of one value.

    Raises:
        InvalidRequest: malformed, an unknown name, or a name given twice.
        NotBuilt: a known name that is not built yet.
        PayloadTooLarge: a value is longer than `longest`.
    """
    if not query:
        return NO_PARAMS
    if query.count(b"&") >= _MOST:
        raise InvalidRequest(f"the query string is invalid: it has more than {_MOST} parameters")
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise InvalidRequest("the query string is invalid: it is no percent-encoded UTF-8") from None
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in unbuilt:
            raise NotBuilt(f"parameter {name} is not supported yet")
        if known is not None and name not in known:
            raise InvalidRequest(f"parameter {name[:100]!r} is invalid: this operation does not know it")
        if name in values:
            raise InvalidRequest(f"parameter {name} is invalid: it is given twice")
        if len(value) > longest:
            raise PayloadTooLarge(f"parameter {name} is invalid: it is longer than {longest} characters")
        values[name] = value
    return Params(values)


def parse_options(params: Params, known: Collection[str]) -> frozenset[str]:
    """The keywords of `options`. Raises InvalidRequest for one that the operation does not know."""
    value = params.get("options")
    if value is None:
        return frozenset()
    options = frozenset(part.strip() for part in value.split(","))
    for option in sorted(options):
        if option not in known:
            raise InvalidRequest(f"parameter options is invalid: this operation does not know {option!r}")
    return options

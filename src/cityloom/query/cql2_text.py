"""CQL2 Text made ready for the parser, which is a library: bounded, and with escapes resolved.

The library's parser goes down its grammar by recursion, and ends the process where the
stack ends: what is nested too deep never reaches it. What it does not read of the
standard's grammar is written differently for it: escapes by a backslash, numbers that
begin with a point, exponents in geometries, and the empty array.

Source: OGC 21-065r2 clause 8.2, requirement /req/cql2-text/escaping, annex B (BNF).
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

import cql2

from cityloom.model.errors import BadRequestData, TooComplexQuery
from cityloom.query.scanner import MAX_DEPTH, MAX_TEXT, is_unicode

EMPTY: Final = "\0"
"""The text that stands for "no element" in what the parser gives; the grammar has no NUL in texts."""
MAX_LOGICAL: Final = 256
"""How many AND and OR a text may have."""

_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)|(?P<name>"[^"]*")|(?P<text>'(?:[^'\\]|''|\\.)*')
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<word>(?:[^\W\d]|:)(?:\w|[.:])*)
    |(?P<open>\()|(?P<close>\))|(?P<comma>,)|(?P<operator><>|<=|>=|!=|[-+*/%^=<>])|(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_GEOMETRY: Final = frozenset(
    {
        "POINT",
        "LINESTRING",
        "POLYGON",
        "MULTIPOINT",
        "MULTILINESTRING",
        "MULTIPOLYGON",
        "GEOMETRYCOLLECTION",
        "BBOX",
        "Z",
    }
)
_ESCAPES: Final = {
    "a": "\a",
    "b": "\b",
    "t": "\t",
    "n": "\n",
    "v": "\v",
    "f": "\f",
    "r": "\r",
    "\\": "\\",
    "'": "'",
}
_ESCAPED: Final = re.compile(r"''|\\(.)", re.DOTALL)
_PLACE: Final = re.compile(r"--> (\d+):(\d+)")
_MOST_DIGITS: Final = 40


def read_text(text: str) -> Any:
    """The tree of a CQL2 Text, as CQL2 JSON has it.

    Raises:
        BadRequestData: the text does not follow the grammar; names the position.
        TooComplexQuery: it is too long or nests too deep.

    Cost: linear in the text.
    """
    if len(text) > MAX_TEXT:
        raise TooComplexQuery(f"filter is invalid: longer than {MAX_TEXT} characters")
    if not is_unicode(text):
        raise BadRequestData("filter is invalid: half of a surrogate pair is no character")
    if not text.strip():
        raise BadRequestData("filter is invalid: a condition is required")
    ready = _Ready(text)
    try:
        return cql2.parse_text(ready.text).to_json()
    except cql2.ParseError as error:
        found = _PLACE.search(str(error))
        if found is None:
            raise BadRequestData(f"filter is invalid: {error}") from None
        raise _fault(text, ready.origin(int(found[1]), int(found[2]))) from None
    except Exception as error:  # The library has no class of its own for what its tree cannot hold.
        raise BadRequestData(f"filter is invalid: {error}") from None


def _fault(text: str, position: int) -> BadRequestData:
    rest = text[position : position + 20].strip()
    if not rest:
        return BadRequestData(f"filter is invalid at position {position + 1}: something is missing here")
    return BadRequestData(f"filter is invalid at position {position + 1}: {rest!r} cannot stand here")


class _Ready:
    """A text as the parser is given it, and where each part of it came from."""

    def __init__(self, text: str) -> None:
        self._source = text
        self._called = False
        self._parts: list[tuple[int, str]] = []
        self._operators = [0]
        self._logical = 0
        self._geometry: int | None = None
        before = ("", "")
        for match in _TOKEN.finditer(text):
            kind = match.lastgroup or ""
            self._parts.append((match.start(), self._written(kind, match[0], match.start(), before)))
            self._bound(kind, match[0], match.start(), before)
            if kind != "space":
                before = (kind, match[0])
        self.text = "".join(part for _, part in self._parts)

    def origin(self, line: int, column: int) -> int:
        """The position in the caller's text of a place in the parser's."""
        lines = self.text.split("\n")
        wanted = sum(len(each) + 1 for each in lines[: line - 1]) + column - 1
        for start, part in self._parts:
            if wanted < len(part):
                return start + min(wanted, len(part))
            wanted -= len(part)
        return len(self._source)

    def _written(self, kind: str, token: str, start: int, before: tuple[str, str]) -> str:
        if kind == "text":
            return f"'{_resolved(token[1:-1], start).replace(chr(39), chr(39) * 2)}'"
        if kind == "number":
            return (
                _decimal(token) if self._geometry is not None else f"0{token}" if token[0] == "." else token
            )
        if kind == "close" and before[0] == "open" and not self._called:
            return f"'{EMPTY}')"
        if kind == "other" and token == "'":
            raise BadRequestData(f"filter is invalid at position {start + 1}: the text is not closed by '")
        if token == EMPTY:
            raise BadRequestData(f"filter is invalid at position {start + 1}: NUL is no character of CQL2")
        return token

    def _bound(self, kind: str, token: str, start: int, before: tuple[str, str]) -> None:
        """Counts how deep the parser goes: parentheses, and operators in a row on each level of them."""
        word = token.upper()
        if kind == "open":
            self._called = before[0] == "word"
            if self._geometry is None and before[0] == "word" and before[1].upper() in _GEOMETRY:
                self._geometry = len(self._operators)
            self._operators.append(1)
        elif kind == "close" and len(self._operators) > 1:
            self._operators.pop()
            if self._geometry == len(self._operators):
                self._geometry = None
        elif self._geometry is not None:
            return
        elif kind == "comma" or (kind == "word" and word in ("AND", "OR")):
            self._operators[-1] = 1
            self._logical += kind == "word"
        elif kind == "operator" or (kind == "word" and word in ("NOT", "DIV", "IS", "LIKE", "IN", "BETWEEN")):
            self._operators[-1] += 1
        if sum(self._operators) > 2 * MAX_DEPTH or len(self._operators) > MAX_DEPTH:
            raise TooComplexQuery(
                f"filter is invalid at position {start + 1}: nested deeper than {MAX_DEPTH} levels"
            )
        if self._logical > MAX_LOGICAL:
            raise TooComplexQuery(
                f"filter is invalid at position {start + 1}: more than {MAX_LOGICAL} AND and OR"
            )


def _resolved(text: str, start: int) -> str:
    """A text literal's text: doubled quotes and what follows a backslash.

    A backslash before a character without such a meaning stays, for the `\\%` and `\\_` of LIKE.
    """
    if EMPTY in text:
        raise BadRequestData(f"filter is invalid at position {start + 1}: NUL is no character of CQL2")

    def plain(match: re.Match[str]) -> str:
        return "'" if match[1] is None else _ESCAPES.get(match[1], match[0])

    return _ESCAPED.sub(plain, text)


def _decimal(token: str) -> str:
    """A number without an exponent, which the parser's geometries do not have."""
    written = format(Decimal(token), "f") if abs(Decimal(token).adjusted()) < _MOST_DIGITS else token
    return f"0{written}" if written[0] == "." else written

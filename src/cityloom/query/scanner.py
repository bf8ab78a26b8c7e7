"""A place in a text that is being parsed; every parser of this room walks one.

It bounds what it reads and names the parameter and the position in every error.
"""

from __future__ import annotations

import re
from typing import Final, NoReturn

from cityloom.model.errors import BadRequestData, TooComplexQuery

MAX_TEXT: Final = 65_536
"""The longest text, in characters, that a parser reads."""
MAX_DEPTH: Final = 64
"""How deep parentheses and braces may nest."""
MAX_TERMS: Final = 1_000
"""How many terms an expression may have."""

_HALF: Final = re.compile("[\ud800-\udfff]")
_URI: Final = re.compile(r"""[A-Za-z][A-Za-z0-9+.\-]*:[^\s<>"{}|\\^`]+""")


class Scanner:
    """Walks `text` of the parameter `parameter` from left to right.

    Raises:
        TooComplexQuery: the text is longer than `MAX_TEXT`.
    """

    def __init__(self, text: str, parameter: str) -> None:
        if not isinstance(text, str):
            raise BadRequestData(f"{parameter} is invalid: a text is required")
        if len(text) > MAX_TEXT:
            raise TooComplexQuery(f"{parameter} is invalid: longer than {MAX_TEXT} characters")
        if not is_unicode(text):
            raise BadRequestData(f"{parameter} is invalid: half of a surrogate pair is no character")
        if not text.strip():
            raise BadRequestData(f"{parameter} is invalid: a text that is not empty is required")
        self.text = text
        self.parameter = parameter
        self.position = 0
        self._depth = 0
        self._terms = 0

    def fail(self, reason: str, position: int | None = None) -> NoReturn:
        """Raises BadRequestData with the parameter, the position (1 = first character) and the reason."""
        place = (self.position if position is None else position) + 1
        raise BadRequestData(f"{self.parameter} is invalid at position {place}: {reason}")

    def enter(self) -> None:
        """One level deeper. Raises TooComplexQuery past `MAX_DEPTH`."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TooComplexQuery(
                f"{self.parameter} is invalid at position {self.position + 1}: "
                f"nested deeper than {MAX_DEPTH} levels"
            )

    def leave(self) -> None:
        """One level back."""
        self._depth -= 1

    def count_term(self) -> None:
        """One more term. Raises TooComplexQuery past `MAX_TERMS`."""
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise TooComplexQuery(f"{self.parameter} is invalid: more than {MAX_TERMS} terms")

    @property
    def at_end(self) -> bool:
        """Nothing is left."""
        return self.position >= len(self.text)

    def peek(self) -> str:
        """The next character, or "" at the end."""
        return self.text[self.position : self.position + 1]

    def take(self, token: str) -> bool:
        """Steps over `token` if it comes next."""
        if self.text.startswith(token, self.position):
            self.position += len(token)
            return True
        return False

    def take_any(self, tokens: tuple[str, ...]) -> str:
        """Steps over the first of `tokens` that comes next and returns it, or ""."""
        for token in tokens:
            if self.take(token):
                return token
        return ""

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Steps over what `pattern` matches here."""
        found = pattern.match(self.text, self.position)
        if found is not None:
            self.position = found.end()
        return found

    def skip_space(self) -> None:
        """Steps over blanks."""
        while self.peek().isspace():
            self.position += 1

    def until(self, stops: str) -> str:
        """Steps to the next character of `stops` (or the end) and returns what lies between, trimmed."""
        start = self.position
        while not self.at_end and self.text[self.position] not in stops:
            self.position += 1
        return self.text[start : self.position].strip()

    def expect_end(self) -> None:
        """Fails unless everything was read."""
        if not self.at_end:
            self.fail(f"{self.text[self.position]!r} is not expected here")


def is_unicode(text: str) -> bool:
    """Whether `text` can be written as UTF-8: no half of a surrogate pair."""
    return text.isascii() or _HALF.search(text) is None


def is_name(text: str) -> bool:
    """Whether `text` is a name: a letter, then letters, numbers and `_`; a prefix with `:` may stand before.

    Source: ETSI GS CIM 009 clause 4.6.2.
    """
    parts = text.split(":")
    return len(parts) <= 2 and all(
        part[:1].isalpha() and all(char == "_" or char.isalpha() or char.isnumeric() for char in part)
        for part in parts
    )


def is_uri(text: str) -> bool:
    """Whether `text` has the shape of an absolute URI (scheme, colon, no blanks)."""
    return _URI.fullmatch(text) is not None

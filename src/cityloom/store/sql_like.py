"""LIKE as SQL, on the JSON of a stored value: it lets through what matches, and little else.

The JSON is searched as it is stored, so a text of it stands between quotes with its quotes,
backslashes and control characters escaped; other characters stand as they are (`msgspec`).
What the search cannot decide (such a character, letters that fold to others) any text passes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import Any, Final

from cityloom.query.cql2_like import Piece

_LONGEST: Final = 500
"""Characters of a pattern that is searched for: SQLite goes back and forth in long ones."""
_GLOB_SIGNS: Final = frozenset("*?[")
_LIKE_SIGNS: Final = frozenset("%_!")
FOLDED_TO_ASCII: Final = "ßİŉſǰẖẗẘẙẚẞ\u212aﬀﬁﬂﬃﬄﬅﬆ"
"""The letters beyond ASCII that fold to ASCII letters (a test looks at all of Unicode)."""
WITHOUT_ACCENTS: Final = " -~一-鿿！-～"
"""Ranges of characters that ACCENTI leaves as they are: ASCII, Han, and the wide forms beside them."""


def is_short(pieces: Sequence[Piece]) -> bool:
    """Whether SQLite is asked for such a pattern at all."""
    return sum(len(piece.text) + 1 for piece in pieces) <= _LONGEST


def like_condition(json: str, pieces: Sequence[Piece], folds: set[str], bind: Callable[[Any], str]) -> str:
    """The condition that a text in a JSON value may match a pattern of LIKE.

    Args:
        json: SQL that gives the value as JSON; NULL matches nothing.
        pieces: the pattern.
        folds: `casei`, `accenti`: how the texts are folded before they are compared.
        bind: gives a value's parameter.
    """
    if not folds:
        return f"{json} GLOB {bind(_glob(pieces))}"
    # SQLite's LIKE knows the two cases of ASCII letters, and no other.
    told = f"{json} LIKE {bind(_like(pieces, folds))} ESCAPE '!'"
    unsure = f"*[^{WITHOUT_ACCENTS}]*" if "accenti" in folds else f"*[{FOLDED_TO_ASCII}]*"
    return f"({told} OR {json} GLOB {bind(unsure)})"


def glob_of_text(pieces: Sequence[Piece]) -> str:
    """The pattern for GLOB on a plain text: it says just what LIKE does, but of a text with a NUL."""
    return "".join(
        {"%": "*", "_": "?"}.get(piece.wildcard) or "".join(map(_glob_char, piece.text)) for piece in pieces
    )


def _glob(pieces: Sequence[Piece]) -> str:
    # A `_` may be a character that is written as several.
    inner = "".join(
        "*"
        if piece.wildcard
        else "".join(_glob_char(char) if _is_plain(char) else "*" for char in piece.text)
        for piece in pieces
    )
    return f'*"{inner}"*'


def _like(pieces: Sequence[Piece], folds: set[str]) -> str:
    inner = ""
    for piece in pieces:
        for char in piece.text or "%":
            known = _is_plain(char) and _is_steady(char, folds) and not piece.wildcard
            inner += ("!" + char if char in _LIKE_SIGNS else char) if known else "%"
    return f'%"{inner}"%'


def _glob_char(char: str) -> str:
    return f"[{char}]" if char in _GLOB_SIGNS else char


def _is_plain(char: str) -> bool:
    """Whether JSON writes it as it is."""
    return char >= " " and char not in '"\\'


def _is_steady(char: str, folds: set[str]) -> bool:
    """Whether nothing but itself (and its other case in ASCII) folds to this character.

    For CASEI that is so of letters without case; for ACCENTI of Han, where no other text passes unsearched.
    """
    if "accenti" in folds:
        return char.isascii() or "一" <= char <= "鿿"
    return char.isascii() or unicodedata.category(char) == "Lo"

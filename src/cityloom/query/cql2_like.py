"""Patterns of LIKE: `%` is any text, `_` any character, a backslash takes the next one as it is.

Source: OGC 21-065r2 clause 7.1 (/req/advanced-comparison-operators/like-predicate).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import re2

_options = re2.Options()
_options.log_errors = False
_options.dot_nl = True
_options.max_mem = 4 << 20


class Piece(NamedTuple):
    """A part of a pattern: a `text` as it is, or a `wildcard` (`%` or `_`)."""

    text: str = ""
    wildcard: str = ""


def pieces_of(pattern: str) -> list[Piece]:
    """The parts of a pattern; characters that follow each other are one."""
    found: list[Piece] = []
    chars = iter(pattern)
    for char in chars:
        if char in "%_":
            found.append(Piece(wildcard=char))
            continue
        text = next(chars, "\\") if char == "\\" else char
        if found and found[-1].text:
            found[-1] = Piece(found[-1].text + text)
        else:
            found.append(Piece(text))
    return found


def like_test(pattern: str) -> Callable[[str], bool]:
    """Whether a text matches a pattern, in time linear in both."""
    pieces = pieces_of(pattern)
    if any(piece.wildcard == "_" for piece in pieces):
        matched = _expression(pieces).fullmatch
        return lambda text: matched(text) is not None
    texts = [piece.text for piece in pieces if piece.text]
    if not pieces or not any(piece.wildcard for piece in pieces):
        return "".join(texts).__eq__
    first = texts.pop(0) if pieces[0].text else ""
    last = texts.pop() if pieces[-1].text else ""
    shortest = len(first) + len(last)

    def test(text: str) -> bool:
        if len(text) < shortest or not text.startswith(first) or not text.endswith(last):
            return False
        place, end = len(first), len(text) - len(last)
        for middle in texts:
            place = text.find(middle, place, end)
            if place < 0:
                return False
            place += len(middle)
        return True

    return test


def _expression(pieces: list[Piece]) -> Any:
    told = {"%": ".*", "_": "."}
    return re2.compile("".join(told.get(each.wildcard) or re2.escape(each.text) for each in pieces), _options)

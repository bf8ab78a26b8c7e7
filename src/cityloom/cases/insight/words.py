"""Words of texts in Chinese and other languages, and the pieces that suggestions compare them by."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final, NamedTuple

_WORD: Final = re.compile(r"[a-zà-öø-ÿß][a-zà-öø-ÿß-]*|[\u3400-\u9fff]+")
_FIRST: Final = "\u3400"
"""The first Chinese character."""
_STOP: Final = frozenset(
    (
        "a",
        "all",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "been",
        "by",
        "for",
        "from",
        "has",
        "have",
        "i",
        "in",
        "is",
        "it",
        "its",
        "my",
        "near",
        "next",
        "no",
        "not",
        "of",
        "on",
        "or",
        "our",
        "please",
        "so",
        "that",
        "the",
        "their",
        "there",
        "they",
        "this",
        "to",
        "very",
        "was",
        "we",
        "with",
    )
)
_STEM: Final = 4
"""Letters that a word has in common with one that begins like it."""

Vector = dict[str, float]
"""Weights by piece, or by type."""


class Word(NamedTuple):
    """A word, or a run of Chinese characters: it speaks where one of `keys` was learnt.

    `pieces` are what it is taken apart into, by the word (or the characters) that a person is shown for them.
    """

    keys: tuple[str, ...]
    pieces: tuple[tuple[str, tuple[str, ...]], ...]


def words_of(text: str) -> tuple[Word, ...]:
    """The words of a text with their pieces: parts of them, one or two characters of Chinese; no figures."""
    return tuple(
        _chinese(word) if word[0] >= _FIRST else _lettered(word)
        for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
        if word not in _STOP
    )


def _chinese(run: str) -> Word:
    pairs = tuple(run[at : at + 2] for at in range(len(run) - 1))
    return Word(pairs or (run,), tuple((piece, (piece,)) for piece in (*run, *pairs)))


def _lettered(word: str) -> Word:
    bounded = f"^{word}$"
    parts = (
        f"~{bounded[at : at + length]}" for length in (3, 4, 5) for at in range(len(bounded) - length + 1)
    )
    # One and several of a thing; longer words by how they begin.
    alike = (f"{word}s", word.removesuffix("s"), *((f"~^{word[:_STEM]}",) if len(word) >= _STEM else ()))
    return Word((word, *alike), ((word, (word, *parts)),))


def pieces_of(word: Word) -> Iterable[str]:
    """All pieces of a word, each as often as it occurs."""
    return (piece for _, pieces in word.pieces for piece in pieces)


def split(vector: Vector) -> tuple[Vector, Vector]:
    """What is of letters, and what is Chinese."""
    parts: tuple[Vector, Vector] = ({}, {})
    for piece, weight in vector.items():
        parts[piece[0] >= _FIRST][piece] = weight
    return parts

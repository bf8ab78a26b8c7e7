"""Texts without the difference of case or of accents.

Source: OGC 21-065r2 requirements /req/case-insensitive-comparison/casei-function (full case
folding of Unicode) and /req/accent-insensitive-comparison/accenti-function.
"""

from __future__ import annotations

import unicodedata
from typing import Final, Literal

_STROKES: Final = str.maketrans("ØøŁłĐđĦħŦŧƗɨƵƶɃƀǤǥıȷ", "OoLlDdHhTtIiZzBbGgij")
"""Letters with a diacritic in them that Unicode does not take apart."""
_OVERLAY: Final = 1
_ATTACHED: Final = 200
"""From this combining class on, marks are accents; below are the signs of Indic, Hebrew and Arabic
scripts and the Japanese voice marks, without which a word is another word."""


def fold(name: Literal["casei", "accenti"] | str, text: str) -> str:
    """`text` as CASEI or ACCENTI gives it."""
    return text.casefold() if name == "casei" else without_accents(text)


def without_accents(text: str) -> str:
    """`text` without accents: taken apart, marks left out, put together again."""
    if text.isascii():
        return text
    kept = [char for char in unicodedata.normalize("NFD", text) if not _is_accent(char)]
    return unicodedata.normalize("NFC", "".join(kept)).translate(_STROKES)


def _is_accent(char: str) -> bool:
    combining = unicodedata.combining(char)
    return combining == _OVERLAY or combining >= _ATTACHED

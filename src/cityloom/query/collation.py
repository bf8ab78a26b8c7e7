"""Collation: the order of texts as people expect it, by ICU.

Source: ETSI GS CIM 009 clause 4.23.1 (ICU's root collation by default), IETF RFC 6067 (tags).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import icu

from cityloom.model.errors import BadRequestData

ROOT: Final = "und"
"""The language-agnostic order."""
_TAG: Final = re.compile(r"(?:[A-Za-z]{2,8})(?:-[A-Za-z0-9]{1,8})*")
_KINDS: Final = frozenset(icu.Collator.getKeywordValues("collation"))
_STRENGTHS: Final = frozenset({"primary", "secondary", "tertiary", "quaternary", "identical"})


def check_collation(tag: Any) -> None:
    """Checks a collation such as `de-u-co-phonebk` or `und-u-ks-level1`.

    Raises:
        BadRequestData: it is no BCP 47 tag, or names a collation or strength that ICU does not know.
    """
    _collator(tag)


def collation_key(tag: str | None) -> Callable[[str], bytes]:
    """A function that gives the sort key of a text in this collation (None: ICU's root)."""
    collator = _collator(tag or ROOT)

    def key(text: str) -> bytes:
        sort_key: bytes = collator.getSortKey(text)
        return sort_key

    return key


@lru_cache(maxsize=64)
def _collator(tag: Any) -> Any:
    if not isinstance(tag, str) or len(tag) > 100 or not _TAG.fullmatch(tag):
        raise BadRequestData(f"collation is invalid: {tag!r} is no language tag with a collation")
    try:
        locale = icu.Locale.forLanguageTag(tag)
        kind = locale.getKeywordValue("collation")
        strength = locale.getKeywordValue("colstrength")
        collator = icu.Collator.createInstance(locale)
    except icu.ICUError as error:
        raise BadRequestData(f"collation is invalid: {tag!r}: {error}") from None
    if kind and kind not in _KINDS:
        raise BadRequestData(f"collation is invalid: {tag!r}: the collation {kind!r} does not exist")
    if strength and strength not in _STRENGTHS:
        raise BadRequestData(f"collation is invalid: {tag!r}: the strength {strength!r} does not exist")
    return collator

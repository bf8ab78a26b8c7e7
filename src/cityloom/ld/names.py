"""The grammars of names, URIs, times, scopes and language tags.

Source: ETSI GS CIM 009 clauses 4.6.2 (names), 4.6.3 (DateTime, URI), 4.6.5
(language tags), 4.18 (scopes); 3.1 NOTE 2: a URI may be an IRI.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from cityloom.ld.limits import Limits
from cityloom.model.errors import BadRequestData
from cityloom.model.time import parse_datetime

_NAME: Final = re.compile(r"[^\W\d_]\w*(?::[^\W\d_]\w*)?")
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20\x7f<>\"{}|\\^`\ud800-\udfff\s]+")
_BAD_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,6})?Z")
_SCOPE: Final = re.compile(r"/?[^\W\d_]\w*(?:/[^\W\d_]\w*)*")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")


def is_name(text: str) -> bool:
    """Whether `text` is a name or a prefixed name (clause 4.6.2)."""
    return _NAME.fullmatch(text) is not None


def is_uri(text: str) -> bool:
    """Whether `text` is an absolute URI or IRI."""
    return _URI.fullmatch(text) is not None and ("%" not in text or _BAD_PERCENT.search(text) is None)


def is_language(text: str) -> bool:
    """Whether `text` is a language tag of a language map, or `@none`."""
    return text == "@none" or _LANGUAGE.fullmatch(text) is not None


def check_uri(value: Any, place: str, limits: Limits) -> str:
    """The URI that stands at `place`.

    Raises:
        BadRequestData: it is no URI, or too long.
    """
    if not isinstance(value, str) or len(value) > limits.url or not is_uri(value):
        shown = repr(value) if len(repr(value)) < 200 else "it"
        raise BadRequestData(f"{place} is invalid: {shown} is no URI of at most {limits.url} characters")
    return value


def check_datetime(value: Any, place: str) -> str:
    """The DateTime that stands at `place`: in UTC with seconds and `Z`, kept as written.

    Raises:
        BadRequestData: it is no such DateTime.
    """
    if not isinstance(value, str) or len(value) > 30 or not _is_datetime(value):
        raise BadRequestData(f"{place} is invalid: it is no DateTime like 2026-05-01T12:00:00Z")
    return value


@lru_cache(maxsize=1024)
def _is_datetime(text: str) -> bool:
    # Kept, since the attributes of one reading share their time.
    if _DATE_TIME.fullmatch(text) is None:
        return False
    try:
        parse_datetime(text)
    except BadRequestData:
        return False
    return True


def check_scopes(value: Any, place: str = "scope") -> list[str]:
    """The scopes that stand at `place`, a string or an array of strings, without repeats.

    Raises:
        BadRequestData: one of them is no scope, or there is none.
    """
    listed = value if isinstance(value, list) else [value]
    for scope in listed:
        if not isinstance(scope, str) or _SCOPE.fullmatch(scope) is None:
            raise BadRequestData(f"{place} is invalid: a scope is like /Madrid/Gardens")
    if not listed:
        raise BadRequestData(f"{place} is invalid: it is empty")
    return list(dict.fromkeys(listed))

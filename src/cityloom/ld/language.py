"""The language filter: one string of a language map, in the language that suits the caller best.

Source: ETSI GS CIM 009 clause 4.15; RFC 3282 (ranges and weights), RFC 4647 3.4 (lookup).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from cityloom.model.errors import BadRequestData

_RANGE: Final = re.compile(r"\*|[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
"""A language range (RFC 4647 2.1): `fr`, `fr-CH`, `*`."""


def choose_language(language_map: Mapping[str, Any], ranges: str) -> tuple[str, Any]:
    """The tag and text of a language map that fit `ranges` best.

    Args:
        language_map: language tag -> string or list of strings, not empty.
        ranges: as in `Accept-Language`: `fr-CH,fr;q=0.9,en;q=0.8,*;q=0.5`.

    Returns:
        The first match by weight, then order: the tag itself, then shorter
        ones (fr for fr-CH), then longer ones (fr-CH for fr). Where nothing
        fits, the default language (`@none`), or else the first there is.

    Raises:
        BadRequestData: `ranges` is no list of language ranges.
    """
    tags = {tag.lower(): tag for tag in language_map}
    for wanted in _parse(ranges):
        if wanted == "*":
            break
        found = _look_up(tags, wanted)
        if found is not None:
            return found, language_map[found]
    chosen = tags.get("@none") or next(iter(language_map))
    return chosen, language_map[chosen]


def check_languages(ranges: str) -> str:
    """The language ranges, when they are such.

    Raises:
        BadRequestData: `ranges` is no list of language ranges.
    """
    if len(ranges) > 1000:
        raise BadRequestData("lang is invalid: it has more than 1000 characters")
    _parse(ranges)
    return ranges


def _look_up(tags: Mapping[str, str], wanted: str) -> str | None:
    shorter = wanted
    while shorter:
        if shorter in tags:
            return tags[shorter]
        shorter = shorter.rpartition("-")[0]
    return next((tag for lower, tag in tags.items() if lower.startswith(f"{wanted}-")), None)


@lru_cache(maxsize=256)
def _parse(ranges: str) -> tuple[str, ...]:
    weighted = []
    for part in ranges.split(","):
        tag, _, parameter = (piece.strip() for piece in part.partition(";"))
        name, _, weight = (piece.strip() for piece in parameter.partition("="))
        try:
            quality = float(weight) if parameter else 1.0
        except ValueError:
            quality = -1.0
        if not _RANGE.fullmatch(tag) or (parameter and name != "q") or not 0 <= quality <= 1:
            raise BadRequestData(f"lang is invalid: {ranges[:200]!r} is no list of language ranges")
        if quality > 0:
            weighted.append((-quality, tag.lower()))
    return tuple(tag for _, tag in sorted(weighted, key=lambda pair: pair[0]))

"""`filter` and `filter-lang`: a condition in CQL2 on what is asked for.

Source: OGC 21-065r2 (CQL2); OGC 19-079r2 clause 8 (the parameters).
"""

from __future__ import annotations

from typing import Final

from cityloom.ld.context import LdContext
from cityloom.model.errors import BadRequestData
from cityloom.query.cql2 import Language, parse_cql2
from cityloom.query.values import CqlNode
from cityloom.web.params import Params

FILTER_PARAMS: Final = frozenset({"filter", "filter-lang"})
_LANGUAGES: Final[dict[str, Language]] = {"cql2-text": "cql2-text", "cql2-json": "cql2-json"}


def read_filter(params: Params, ld_context: LdContext) -> CqlNode | None:
    """The condition that a request gives; None when it gives none. Names are expanded by `ld_context`.

    Raises:
        BadRequestData, TooComplexQuery: it is no CQL2, or `filter-lang` is unknown.
    """
    text, given = params.text("filter"), params.text("filter-lang") or "cql2-text"
    lang = _LANGUAGES.get(given)
    if lang is None:
        known = " or ".join(_LANGUAGES)
        raise BadRequestData(f"parameter filter-lang is invalid: {given[:100]!r} is not {known}")
    return None if text is None else parse_cql2(text, lang=lang, expand=ld_context.expand_name)

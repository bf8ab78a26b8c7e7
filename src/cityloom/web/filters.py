"""`filter` and `filter-lang`: a condition in CQL2 on what is asked for.

Source: OGC 21-065r2 (CQL2); OGC 19-079r2 clause 8 (the parameters).
"""

from __future__ import annotations

from typing import Final

from cityloom.ld.context import LdContext
from cityloom.maps import items
from cityloom.query.values import CqlNode
from cityloom.web.params import Params

FILTER_PARAMS: Final = frozenset({"filter", "filter-lang"})


def read_filter(params: Params, ld_context: LdContext) -> CqlNode | None:
    """The condition that a request gives, its geometries in CRS84; None when it gives none.

    Raises:
        BadRequestData, TooComplexQuery: it is no CQL2, or `filter-lang` is unknown.
    """
    text, lang = params.text("filter"), params.text("filter-lang")
    return None if text is None else items.read_filter(text, lang or items.FILTER_LANGUAGES[0], ld_context)

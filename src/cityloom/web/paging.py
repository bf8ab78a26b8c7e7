"""Pages of a list: limit, offset, count, and the Link headers to the pages before and after.

Source: ETSI GS CIM 009 clauses 5.5.9, 6.3.10, 6.3.13; RFC 8288.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from msgspec import Struct

from cityloom.model.errors import BadRequestData, TooManyResults
from cityloom.model.settings import Settings
from cityloom.web.params import Params

PAGING_PARAMS: Final = frozenset({"limit", "offset", "count"})
AFTER: Final = "after"
"""Beside an offset: the id of the last one before it, so that those need not be looked at again."""
RESULTS_COUNT: Final = "NGSILD-Results-Count"


class Paging(Struct, frozen=True):
    """Which page is asked for, and whether the total is wanted."""

    limit: int
    offset: int
    count: bool


def parse_paging(params: Params, settings: Settings) -> Paging:
    """Reads limit, offset and count.

    Raises:
        BadRequestData: one is no whole number, or limit is 0 without count.
        TooManyResults: limit is above the node's largest page.
    """
    limit = params.integer("limit")
    offset = params.integer("offset")
    count = params.flag("count")
    if limit is None:
        limit = settings.page_default
    elif limit == 0 and not count:
        raise BadRequestData("parameter limit is invalid: 0 is for use with count=true only")
    elif limit > settings.page_max:
        raise TooManyResults(f"parameter limit is invalid: the largest page is {settings.page_max}")
    return Paging(limit, offset or 0, count)


def page_links(
    path: str, params: Mapping[str, str], paging: Paging, more: bool, media_type: str, last: str = ""
) -> list[str]:
    """The link-values to the previous and the next page (6.3.10).

    Args:
        path: of the request, percent-encoded.
        params: of the request; limit and offset are set anew.
        more: whether another page follows.
        media_type: what the request was answered with.
        last: the id after which the next page begins, where it may be found by that.
    """
    links: list[str] = []
    if paging.limit == 0:
        return links
    params = {name: value for name, value in params.items() if name != AFTER}
    if paging.offset > 0:
        links.append(
            _link(path, params, paging.limit, max(0, paging.offset - paging.limit), "prev", media_type)
        )
    if more:
        if last:
            params[AFTER] = last
        links.append(_link(path, params, paging.limit, paging.offset + paging.limit, "next", media_type))
    return links


def _link(path: str, params: Mapping[str, str], limit: int, offset: int, rel: str, media_type: str) -> str:
    query = urlencode({**params, "limit": limit, "offset": offset}, quote_via=quote)
    return f'<{path}?{query}>;rel="{rel}";type="{media_type}"'

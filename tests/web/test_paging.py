"""Pages: their parameters and the links between them (6.3.10, 6.3.13)."""

import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityloom.model.errors import BadRequestData, TooManyResults
from cityloom.model.settings import Settings
from cityloom.web.paging import Paging, page_links, parse_paging
from cityloom.web.params import Params

PATH = "/ngsi-ld/v1/entities"
SETTINGS = Settings(page_default=7, page_max=50)


def test_parse_paging_takes_the_default_page() -> None:
    assert parse_paging(Params({}), SETTINGS) == Paging(7, 0, False)


def test_parse_paging_allows_zero_only_with_count() -> None:
    assert parse_paging(Params({"limit": "0", "count": "true"}), SETTINGS) == Paging(0, 0, True)
    with pytest.raises(BadRequestData, match="limit"):
        parse_paging(Params({"limit": "0"}), SETTINGS)


def test_parse_paging_refuses_a_page_above_the_largest() -> None:
    with pytest.raises(TooManyResults, match="50"):
        parse_paging(Params({"limit": "51"}), SETTINGS)


@given(st.integers(1, 20), st.integers(0, 60), st.text(min_size=1), st.booleans())
def test_page_links_lead_to_the_pages_around(limit: int, offset: int, q: str, more: bool) -> None:
    asked = {"q": q, "limit": str(limit)}
    links = page_links(
        "/ngsi-ld/v1/entities", asked, Paging(limit, offset, False), more, "application/ld+json"
    )
    found = {}
    for link in links:
        match = re.fullmatch(r'<([^>]*)>;rel="(next|prev)";type="application/ld\+json"', link)
        assert match is not None
        target = urlsplit(match[1])
        assert target.path == PATH
        values = dict(parse_qsl(target.query))
        assert (values["q"], int(values["limit"])) == (q, limit)
        found[match[2]] = int(values["offset"])
    assert found.get("next") == (offset + limit if more else None)
    assert found.get("prev") == (max(0, offset - limit) if offset else None)

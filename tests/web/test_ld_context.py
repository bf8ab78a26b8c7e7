"""Which @context a request comes with (6.3.5)."""

from typing import Any

import pytest
from starlette.datastructures import Headers

from cityloom.ld.link import write_context_link
from cityloom.model.errors import BadRequestData
from cityloom.web.ld_context import link_of, take_ld_context

URL = "https://example.org/context.jsonld"
LINK = f'<{URL}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'


def headers(*links: str) -> Headers:
    return Headers(raw=[(b"link", link.encode()) for link in links])


@pytest.mark.parametrize(
    "link",
    [
        LINK,
        f"<{URL}>;rel=http://www.w3.org/ns/json-ld#context",
        f'<https://example.org/a,b>; rel="next", {LINK}',
        f'<{URL}>; type="application/ld+json"; REL="profile http://www.w3.org/ns/json-ld#context"',
    ],
)
def test_link_of_finds_the_context(link: str) -> None:
    assert link_of(headers(link)) == URL


@pytest.mark.parametrize("link", ["", f'<{URL}>; rel="next"', f"<{URL}>", "nonsense"])
def test_link_of_finds_none_when_there_is_none(link: str) -> None:
    assert link_of(headers(link)) is None


def test_link_of_refuses_two_that_differ() -> None:
    assert link_of(headers(LINK, LINK)) == URL
    with pytest.raises(BadRequestData, match="more than one"):
        link_of(headers(LINK, LINK.replace("context.jsonld", "other.jsonld")))


def test_take_ld_context_takes_the_link_with_json() -> None:
    assert take_ld_context({"id": "x:y"}, "application/json", headers(LINK)) == URL
    assert take_ld_context({"id": "x:y"}, "application/json", headers()) is None


def test_take_ld_context_refuses_a_context_in_json() -> None:
    with pytest.raises(BadRequestData, match="Link header"):
        take_ld_context({"@context": URL}, "application/json", headers())


@pytest.mark.parametrize("given", [URL, [URL], {"a": "https://example.org/a"}])
def test_take_ld_context_takes_it_out_of_ld_json(given: Any) -> None:
    document = {"id": "x:y", "@context": given}
    assert take_ld_context(document, "application/ld+json", headers()) == given
    assert document == {"id": "x:y"}


@pytest.mark.parametrize("document", [{}, {"@context": None}, {"@context": 1}, {"@context": ""}])
def test_take_ld_context_refuses_ld_json_without_context(document: dict[str, Any]) -> None:
    with pytest.raises(BadRequestData, match="@context"):
        take_ld_context(document, "application/ld+json", headers())


def test_take_ld_context_refuses_ld_json_with_a_link() -> None:
    with pytest.raises(BadRequestData, match="Link"):
        take_ld_context({"@context": URL}, "application/ld+json", headers(LINK))


def test_write_context_link_is_read_back() -> None:
    assert link_of(headers(write_context_link(URL))) == URL

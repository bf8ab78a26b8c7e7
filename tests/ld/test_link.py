"""Link headers that name an @context."""

from __future__ import annotations

import pytest

from cityloom.ld.link import context_link, write_context_link
from cityloom.model.errors import BadRequestData

URL = "https://a.example/context.jsonld"
REL = 'rel="http://www.w3.org/ns/json-ld#context"'


@pytest.mark.parametrize(
    "values",
    [
        [f'<{URL}>; {REL}; type="application/ld+json"'],
        [f"<{URL}>;{REL}"],
        [f"<{URL}>; rel=http://www.w3.org/ns/json-ld#context"],
        [f'<https://a.example/next>; rel="next", <{URL}>; type="a,b;c"; {REL}'],
        ['<https://a.example/next>; rel="next"', f"<{URL}>; {REL}"],
        [f"<{URL}>; {REL}", f"<{URL}>; {REL}"],
        [f'<{URL}>; title="a \\" quote, and; more"; {REL}'],
        [write_context_link(URL)],
    ],
)
def test_context_link_finds_the_context(values: list[str]) -> None:
    assert context_link(values) == URL


@pytest.mark.parametrize(
    "values", [[], [""], ['<https://a.example/>; rel="next"'], ["nonsense"], [URL], ["<" * 9000]]
)
def test_context_link_finds_nothing(values: list[str]) -> None:
    assert context_link(values) is None


def test_context_link_refuses_two_contexts() -> None:
    with pytest.raises(BadRequestData, match="more than one"):
        context_link([f"<{URL}>; {REL}, <{URL}2>; {REL}"])

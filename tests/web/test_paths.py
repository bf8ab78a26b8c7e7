"""Which path is answered by what: names before variables, variables where names lead nowhere."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityloom.web.paths import Endpoint, Paths

TABLE = ["/a", "/a/{id}", "/a/{id}/attrs", "/a/{id}/attrs/{name}", "/a/fixed"]
TABLE += ["/a/fixed/more", "/files/{path}"]


def named(name: str) -> Endpoint:
    """What stands for an endpoint here: its path."""
    return cast(Endpoint, name)


@pytest.fixture
def paths() -> Paths:
    """The table above."""
    return made()


def made() -> Paths:
    table = Paths(named("nowhere"))
    for path in TABLE:
        table.add(path, named(path), "path")
    return table


@pytest.mark.parametrize(
    ("asked", "found", "variables"),
    [
        ("/a", "/a", {}),
        ("/a/1", "/a/{id}", {"id": "1"}),
        ("/a/", "/a/{id}", {"id": ""}),
        ("/a/1/attrs/n", "/a/{id}/attrs/{name}", {"id": "1", "name": "n"}),
        ("/a/1/attrs/", "/a/{id}/attrs/{name}", {"id": "1", "name": ""}),
        ("/a/fixed", "/a/fixed", {}),
        ("/a/fixed/attrs", "/a/{id}/attrs", {"id": "fixed"}),
        ("/a/%2F/attrs", "/a/{id}/attrs", {"id": "%2F"}),
        ("/files/x/y", "/files/{path}", {"path": "x/y"}),
        ("/files/", "/files/{path}", {"path": ""}),
        ("/a/1/none", "nowhere", {}),
        ("/b", "nowhere", {}),
        ("/", "nowhere", {}),
        ("//a", "nowhere", {}),
    ],
)
def test_find_answers_the_path(paths: Paths, asked: str, found: str, variables: dict[str, str]) -> None:
    assert paths.find(asked) == (found, variables)


@given(st.sampled_from(TABLE[:-1]), st.lists(st.text("xyz%-", min_size=1), min_size=2, max_size=2))
def test_find_gives_back_what_was_filled_in(path: str, values: list[str]) -> None:
    asked = path.replace("{id}", values[0]).replace("{name}", values[1])
    endpoint, variables = made().find(asked)
    assert cast(str, endpoint).format(**variables) == asked
    assert endpoint == path


def test_add_refuses_a_path_that_is_there(paths: Paths) -> None:
    with pytest.raises(ValueError, match="twice"):
        paths.add("/a/{other}", named("again"))

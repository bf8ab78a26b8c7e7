"""Query parameters: built, unbuilt, unknown."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityloom.model.errors import BadRequestData, InvalidRequest, NotBuilt, PayloadTooLarge
from cityloom.web.params import Params, parse_options, parse_params, split_list

KNOWN = frozenset({"type", "q", "limit", "count", "options"})


def read(query: bytes) -> Params:
    return parse_params(query, KNOWN, frozenset({"csf"}), 100)


def test_parse_params_decodes_what_is_known() -> None:
    assert dict(read(b"type=A&q=name%3D%3D%22x%20y%22")) == {"type": "A", "q": 'name=="x y"'}


def test_parse_params_refuses_an_unknown_name() -> None:
    with pytest.raises(InvalidRequest, match="nonsense"):
        read(b"type=A&nonsense=1")


def test_parse_params_says_not_built_when_the_name_is_known_to_the_standard() -> None:
    with pytest.raises(NotBuilt, match="csf"):
        read(b"csf=x")


def test_parse_params_refuses_a_name_given_twice() -> None:
    with pytest.raises(InvalidRequest, match="twice"):
        read(b"type=A&type=B")


@pytest.mark.parametrize("query", [b"type=%FF", b"q=%C3%28"])
def test_parse_params_refuses_what_is_no_utf8(query: bytes) -> None:
    with pytest.raises(InvalidRequest, match="UTF-8"):
        read(query)


def test_parse_params_refuses_a_value_over_the_limit() -> None:
    with pytest.raises(PayloadTooLarge, match="100"):
        read(b"q=" + b"a" * 101)


@given(st.binary(max_size=200))
def test_parse_params_never_fails_otherwise_than_with_an_error_of_ours(query: bytes) -> None:
    with contextlib.suppress(InvalidRequest, NotBuilt, PayloadTooLarge):
        assert set(read(query)) <= KNOWN


@pytest.mark.parametrize("value", ["-1", "1.5", "x", "", " 1", "１", "1" * 30])
def test_integer_refuses_what_is_no_whole_number(value: str) -> None:
    with pytest.raises(BadRequestData, match="limit"):
        Params({"limit": value}).integer("limit")


@pytest.mark.parametrize("value", ["1", "TRUE", ""])
def test_flag_refuses_what_is_neither_true_nor_false(value: str) -> None:
    with pytest.raises(BadRequestData, match="count"):
        Params({"count": value}).flag("count")


def test_text_refuses_an_empty_value() -> None:
    with pytest.raises(InvalidRequest, match="empty"):
        Params({"q": ""}).text("q")


def test_split_list_keeps_brackets_whole() -> None:
    assert split_list("a,b{c,d},(e,f)") == ["a", "b{c,d}", "(e,f)"]


def test_parse_options_refuses_an_unknown_keyword() -> None:
    assert parse_options(Params({"options": "sysAttrs, keyValues"}), {"sysAttrs", "keyValues"}) == {
        "sysAttrs",
        "keyValues",
    }
    with pytest.raises(InvalidRequest, match="count"):
        parse_options(Params({"options": "count"}), {"sysAttrs"})

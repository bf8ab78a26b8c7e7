"""Unary tests, against the comparisons that they stand for."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityloom.model.errors import BadRequestData, TooComplexQuery
from cityloom.rules.sets import atoms, join, meet
from cityloom.rules.unary import Type, anything, parse_tests, plain, spell


def holds(text: str, value: Any, type: Type) -> bool:
    return parse_tests(text, type, "cell").holds(plain(value, type, "value"))


@pytest.mark.parametrize(
    ("text", "type", "inside", "outside"),
    [
        ("-", "string", ["a", None], []),
        ("", "number", [1, -2.5, None], []),
        ('"a", "b"', "string", ["a", "b"], ["c", None]),
        ("street-light, 路灯", "string", ["street-light", "路灯"], ["street", None]),
        ('"a, \\"b\\""', "string", ['a, "b"'], ["a", "b"]),
        ("not(a, b)", "string", ["c"], ["a", "b", None]),
        ("not(null)", "string", ["a"], [None]),
        ("null, a", "string", ["a", None], ["b"]),
        ("!= a", "string", ["b"], ["a", None]),
        ("nullable", "string", ["nullable"], ["null", None]),
        ("3", "number", [3, 3.0], [3.1, None]),
        ("[1..3)", "number", [1, 2.999], [0.999, 3, None]),
        ("]1..3]", "number", [1.001, 3], [1, 3.001]),
        ("(1..3[", "number", [2], [1, 3]),
        ("<1, >= 5", "number", [0, 5, 6], [1, 4.9]),
        ("not([1..3], 7)", "number", [0, 3.5, 8], [1, 2, 3, 7, None]),
        ("not(null)", "number", [0], [None]),
        ("-5", "number", [-5], [5]),
        (">= 4.8, 0.3", "number", [4.8, 0.3], [4.7999]),
        ("true", "boolean", [True], [False, None]),
        ("> 2026-02-28", "date", ["2026-03-01", date(2027, 1, 1)], ["2026-02-28"]),
        ("[PT30M..PT2H]", "duration", ["PT30M", "PT90M"], ["PT29M59S", "P1D"]),
    ],
)
def test_a_unary_test_holds_for_what_it_says(
    text: str, type: Type, inside: list[Any], outside: list[Any]
) -> None:
    assert [holds(text, value, type) for value in inside] == [True] * len(inside)
    assert [holds(text, value, type) for value in outside] == [False] * len(outside)


@pytest.mark.parametrize(
    ("text", "type", "says"),
    [
        ("a b", "string", "position 3"),
        ("< a", "string", "< is for numbers"),
        ("[a..b]", "string", "an interval is for numbers"),
        ("[3..1]", "number", "nothing lies in this interval"),
        ("(1..1]", "number", "nothing lies in this interval"),
        ("1..", "number", "position 2"),
        ("[1.3]", "number", "two points"),
        ("[1..3", "number", "the end of the interval"),
        ("x", "number", "a number is required"),
        ('"1"', "number", "a text in quotes is no number"),
        ("yes", "boolean", "neither true nor false"),
        ("2026-02-30", "date", "no date"),
        ("P1M", "duration", "no duration of days and time"),
        ("not(1", "number", "a closing parenthesis"),
        ("1,", "number", "a number is required"),
    ],
)
def test_a_unary_test_is_refused_with_its_place(text: str, type: Type, says: str) -> None:
    with pytest.raises(BadRequestData, match="cell is invalid at position") as caught:
        parse_tests(text, type, "cell")
    assert says in caught.value.detail


def test_a_unary_test_that_nests_too_deep_is_refused() -> None:
    with pytest.raises((TooComplexQuery, BadRequestData)):
        parse_tests("not(" * 100 + "1" + ")" * 100, "number", "cell")


def test_a_value_of_another_type_is_refused() -> None:
    for value, type in ((True, "number"), ("3", "number"), (3, "string"), ("yes", "boolean"), (3, "date")):
        with pytest.raises(BadRequestData, match="value is invalid"):
            plain(value, type, "value")  # type: ignore[arg-type]


NUMBERS = st.integers(-3, 3)
POINTS = [n / 2 for n in range(-8, 9)]


@st.composite
def number_tests(draw: st.DrawFn) -> tuple[str, Any]:
    """A text and the comparison that it stands for, written apart."""
    parts: list[tuple[str, Any]] = []
    for _ in range(draw(st.integers(1, 3))):
        a, b = draw(NUMBERS), draw(NUMBERS)
        shape = draw(st.sampled_from(["=", "<", "<=", ">", ">=", "!=", "between", "null"]))
        if shape == "between":
            a, b = min(a, b), max(a, b) + 1
            left, right = draw(st.sampled_from("[(]")), draw(st.sampled_from("])["))
            parts.append(
                (
                    f"{left}{a}..{b}{right}",
                    lambda v, a=a, b=b, left=left, right=right: (
                        v is not None
                        and (v >= a if left == "[" else v > a)
                        and (v <= b if right == "]" else v < b)
                    ),
                )
            )
        elif shape == "null":
            parts.append(("null", lambda v: v is None))
        else:
            compare = {
                "=": lambda v, a=a: v is not None and v == a,
                "<": lambda v, a=a: v is not None and v < a,
                "<=": lambda v, a=a: v is not None and v <= a,
                ">": lambda v, a=a: v is not None and v > a,
                ">=": lambda v, a=a: v is not None and v >= a,
                "!=": lambda v, a=a: v is not None and v != a,
            }[shape]
            parts.append((f"{shape} {a}" if shape != "=" else f"{a}", compare))
    text = ", ".join(part[0] for part in parts)
    if draw(st.booleans()) and "null" not in text:
        return f"not({text})", lambda v: v is not None and not any(part[1](v) for part in parts)
    return text, lambda v: any(part[1](v) for part in parts)


@settings(deadline=None)
@given(number_tests(), number_tests())
def test_sets_of_numbers_are_cut_joined_and_spelled_as_comparisons_say(one: Any, other: Any) -> None:
    (text, first), (other_text, second) = one, other
    a, b = parse_tests(text, "number", "a"), parse_tests(other_text, "number", "b")
    again = parse_tests(spell(a, "number"), "number", "a") if not a.empty else a
    for point in [*POINTS, None]:
        assert a.holds(point) == first(point)
        assert again.holds(point) == first(point)
        assert meet(a, b).holds(point) == (first(point) and second(point))
        assert join(a, b).holds(point) == (first(point) or second(point))
    assert meet(a, b).empty == (not any(first(p) and second(p) for p in [*POINTS, *_between(), None]))


def _between() -> list[float]:
    return [n / 4 for n in range(-17, 18)]


@settings(deadline=None)
@given(st.lists(number_tests(), max_size=3))
def test_atoms_are_apart_make_up_the_whole_and_are_not_cut(tests: list[Any]) -> None:
    sets = [parse_tests(text, "number", "a") for text, _ in tests]
    parts = atoms(anything("number"), sets)
    for point in [*POINTS, Decimal("0.25"), None]:
        assert sum(part.holds(point) for part in parts) == 1
    for part in parts:
        for one in sets:
            assert meet(part, one) == part or meet(part, one).empty


NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True)


@settings(deadline=None)
@given(NAMES, NAMES, st.booleans(), st.booleans())
def test_sets_of_names_are_cut_and_joined_as_names_are(
    one: list[str], other: list[str], one_not: bool, other_not: bool
) -> None:
    def read(names: list[str], turned: bool) -> Any:
        text = ", ".join(f'"{name}"' for name in names)
        return parse_tests(f"not({text})" if turned else text, "string", "a")

    a, b = read(one, one_not), read(other, other_not)
    for name in ["a", "b", "c", "d"]:
        in_a, in_b = (name in one) != one_not, (name in other) != other_not
        assert meet(a, b).holds(name) == (in_a and in_b)
        assert join(a, b).holds(name) == (in_a or in_b)
        assert parse_tests(spell(a, "string"), "string", "a").holds(name) == in_a


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("< 2, >= 2", "not(null)"),
        ("[1..2), [2..3]", "[1..3]"),
        ("(1..2), (2..3)", "(1..2), (2..3)"),
        ("not(2), 2", ""),
    ],
)
def test_what_makes_up_one_interval_is_one(text: str, told: str) -> None:
    if told:
        assert spell(parse_tests(text, "number", "cell"), "number") == told
    else:
        with pytest.raises(BadRequestData, match="is not expected here"):
            parse_tests(text, "number", "cell")

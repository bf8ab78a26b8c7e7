"""Input entries: simple unary tests, read as sets of values.

Source: OMG DMN 1.5 clauses 8.2.8 (input entries), 9.1 (S-FEEL: simple unary tests), 10.3.1.2. Two
liberties for people with a spreadsheet: a name needs no quotes where it has no blank, comma or
bracket, and dates and durations stand by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal

from cityloom.model.errors import BadRequestData
from cityloom.model.time import parse_duration
from cityloom.query.scanner import Scanner
from cityloom.rules.sets import (
    ALL_NAMES,
    ALL_NUMBERS,
    NO_NAMES,
    NO_NUMBERS,
    Interval,
    Names,
    Ranges,
    Values,
    join,
)

Type = Literal["string", "number", "boolean", "date", "duration", "any"]
ORDERED: Final = frozenset({"number", "date", "duration"})
ANYTHING: Final = ("", "-")

_NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_WORD: Final = re.compile(r"""[^\s,()\[\]<>=!"]+?(?=\.\.|[\s,()\[\]<>=!"]|$)""")
_COMPARISONS: Final = ("<=", ">=", "!=", "<", ">", "=")


def parse_tests(text: str, type: Type, place: str) -> Values:
    """Reads `-`, `"a","b"`, `not("a")`, `[1..5)`, `>=3`, `null` or several of them with commas between.

    A missing value is let through by `-` and `null` alone.

    Args:
        type: of the input; `any` takes what the literals are, numbers or names.
        place: the parameter, for the error.

    Raises:
        BadRequestData: the text is no unary test of this type; names the position.
    """
    if text.strip() in ANYTHING:
        return anything(type)
    scanner = Scanner(text, place)
    scanner.skip_space()
    if type == "any":
        type = _kind_of(text)
    values = _tests(scanner, type)
    scanner.skip_space()
    scanner.expect_end()
    return values


def anything(type: Type) -> Values:
    """What `-` lets through."""
    return ALL_NUMBERS if type in ORDERED else ALL_NAMES


def constant(text: str, type: Type, place: str) -> Any:
    """One literal of a type. Raises BadRequestData."""
    return _value(text, type, lambda reason: _refuse(place, reason))


def plain(value: Any, type: Type, place: str) -> Any:
    """A value from outside as sets hold it: numbers as they are, days as ordinals, spans as microseconds.

    Raises:
        BadRequestData: it is not of the type.
    """
    if value is None:
        return None
    if type in ("number", "any") and isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        # 4.8 as it is written is the 4.8 of the table, which a binary fraction is a little below.
        return Decimal(repr(value)) if isinstance(value, float) else value
    if type == "boolean" and isinstance(value, bool):
        return value
    if type in ("string", "any") and isinstance(value, str):
        return value
    if type == "any" and isinstance(value, bool):
        return value
    if isinstance(value, date):
        value = value.isoformat()
    if type in ("date", "duration") and isinstance(value, str):
        return constant(value, type, place)
    raise BadRequestData(f"{place} is invalid: {value!r} is no {type}")


def _kind_of(text: str) -> Type:
    words = _QUOTED.sub(" s ", text)
    told = [word for word in re.split(r"[\s,()\[\]<>=!]+|\.\.", words) if word not in ("", "not", "null")]
    if told and all(_NUMBER.fullmatch(word) for word in told):
        return "number"
    return "boolean" if told and all(word in ("true", "false") for word in told) else "string"


def _tests(scanner: Scanner, type: Type) -> Values:
    if scanner.match(re.compile(r"not\s*\(")):
        scanner.enter()
        inner = _tests(scanner, type)
        scanner.leave()
        scanner.skip_space()
        if not scanner.take(")"):
            scanner.fail("a closing parenthesis is required")
        return inner.turn()
    values: Values = NO_NUMBERS if type in ORDERED else NO_NAMES
    while True:
        scanner.skip_space()
        scanner.count_term()
        values = join(values, _test(scanner, type))
        scanner.skip_space()
        if not scanner.take(","):
            return values


def _test(scanner: Scanner, type: Type) -> Values:
    start = scanner.position
    if scanner.peek() in ("[", "]", "("):
        return _interval(scanner, type)
    operator = scanner.take_any(_COMPARISONS)
    scanner.skip_space()
    if not operator and scanner.match(re.compile(r"null(?![^\s,)])")):
        return Ranges((), True) if type in ORDERED else Names(frozenset(), False, True)
    value = _literal(scanner, type)
    if type in ORDERED:
        spans: Mapping[str, tuple[Interval, ...]] = {
            "": (Interval(value, value),),
            "=": (Interval(value, value),),
            "<": (Interval(None, value, high_open=True),),
            "<=": (Interval(None, value),),
            ">": (Interval(value, None, low_open=True),),
            ">=": (Interval(value, None),),
        }
        if operator == "!=":
            return Ranges(spans["="]).turn()
        return Ranges(spans[operator])
    if operator not in ("", "=", "!="):
        scanner.fail(f"{operator} is for numbers, dates and durations, not for a {type}", start)
    return Names(frozenset([value]), operator == "!=")


def _interval(scanner: Scanner, type: Type) -> Values:
    start = scanner.position
    if type not in ORDERED:
        scanner.fail(f"an interval is for numbers, dates and durations, not for a {type}")
    low_open = scanner.take_any(("[", "]", "(")) != "["
    scanner.skip_space()
    low = _literal(scanner, type)
    scanner.skip_space()
    if not scanner.take(".."):
        scanner.fail("two points are required between the ends of an interval")
    scanner.skip_space()
    high = _literal(scanner, type)
    scanner.skip_space()
    end = scanner.take_any(("]", ")", "["))
    if not end:
        scanner.fail("the end of the interval is required: ] or )")
    interval = Interval(low, high, low_open, end != "]")
    if interval.empty:
        scanner.fail("nothing lies in this interval", start)
    return Ranges((interval,))


def _literal(scanner: Scanner, type: Type) -> Any:
    start = scanner.position
    quoted = scanner.match(_QUOTED)
    if quoted is not None:
        if type != "string":
            scanner.fail(f"a text in quotes is no {type}", start)
        return re.sub(r"\\(.)", r"\1", quoted[1])
    found = scanner.match(_NUMBER if type == "number" else _WORD)
    if found is None:
        scanner.fail(f"a {type} is required")
    return _value(found[0], type, lambda reason: scanner.fail(reason, start))


def _value(text: str, type: Type, fail: Callable[[str], Any]) -> Any:
    if type == "number":
        return Decimal(text) if _NUMBER.fullmatch(text) else fail(f"{text!r} is no number")
    if type == "boolean":
        return text == "true" if text in ("true", "false") else fail(f"{text!r} is neither true nor false")
    if type == "date":
        try:
            return date.fromisoformat(text).toordinal()
        except ValueError:
            return fail(f"{text!r} is no date (2026-12-31)")
    if type == "duration":
        try:
            months, micros = parse_duration(text)
        except BadRequestData:
            months, micros = 1, 0
        return fail(f"{text!r} is no duration of days and time (PT30M)") if months else micros
    return text


def _refuse(place: str, reason: str) -> Any:
    raise BadRequestData(f"{place} is invalid: {reason}")


def spell(values: Values, type: Type) -> str:
    """A set as a unary test, for a person."""
    if values.whole:
        return "-"
    missing = ["null"] if values.missing else []
    if isinstance(values, Names):
        named = [_told(name, type) for name in sorted(values.named, key=str)]
        if values.but:
            some = [f"not({', '.join(named)})"] if named else ["not(null)"]
            return ", ".join(some + missing)
        return ", ".join(named + missing)
    return ", ".join([_spell_interval(one, type) for one in values.intervals] + missing)


def _spell_interval(one: Interval, type: Type) -> str:
    if one.low is None and one.high is None:
        return "not(null)"
    if one.low is None:
        return f"{'<' if one.high_open else '<='} {_told(one.high, type)}"
    if one.high is None:
        return f"{'>' if one.low_open else '>='} {_told(one.low, type)}"
    if one.low == one.high:
        return _told(one.low, type)
    ends = f"{_told(one.low, type)}..{_told(one.high, type)}"
    return f"{'(' if one.low_open else '['}{ends}{')' if one.high_open else ']'}"


def _told(value: Any, type: Type) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if type == "date":
        return date.fromordinal(value).isoformat()
    if type == "duration":
        minutes, rest = divmod(value, 60_000_000)
        return f"PT{minutes}M" if not rest else f"PT{value / 1e6:f}".rstrip("0").rstrip(".") + "S"
    return str(value)

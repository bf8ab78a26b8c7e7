"""How the values of a CQL2 filter compare, and the truths that come of it: true, false, unknown (None).

Source: OGC 21-065r2 clauses 6 and 7.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from cityloom.query.cql2_time import Instant, order, read_instant

Truth = bool | None
Comparison = Callable[[int], bool]
"""Whether an order of -1, 0 or 1 is the wanted one."""


class Term(str):
    """The IRI of a vocabulary's term."""

    __slots__ = ()


class Word(str):
    """A text literal, with the IRI it expands to."""

    __slots__ = ("iri",)
    iri: str


COMPARISONS: Final[dict[str, Comparison]] = {
    "=": lambda sign: sign == 0,
    "<": lambda sign: sign < 0,
    ">": lambda sign: sign > 0,
    "<=": lambda sign: sign <= 0,
    ">=": lambda sign: sign >= 0,
}
_TYPES: Final = ((bool, "boolean"), (int, "number"), (float, "number"), (str, "text"), (Instant, "instant"))


def negated(truth: Truth) -> Truth:
    """NOT: what is unknown stays so."""
    return None if truth is None else not truth


def all_true(truths: Iterable[Truth]) -> Truth:
    """AND: false when any is, else unknown when any is."""
    found: Truth = True
    for truth in truths:
        if truth is False:
            return False
        if truth is None:
            found = None
    return found


def any_true(truths: Iterable[Truth]) -> Truth:
    """OR: true when any is, else unknown when any is."""
    return negated(all_true(negated(truth) for truth in truths))


def some(truths: Iterable[Truth]) -> Truth:
    """Of several values: true when it is for any of them, else false when it is for any, else unknown."""
    found: Truth = None
    for truth in truths:
        if truth:
            return True
        if truth is False:
            found = False
    return found


def any_pair(left: Sequence[Any], right: Sequence[Any], wanted: Comparison) -> Truth:
    """How the values of two expressions compare: `some` of all pairs."""
    return some(compared(one, other, wanted) for one in left for other in right)


def compared(one: Any, other: Any, wanted: Comparison) -> Truth:
    """How two values compare; unknown when they are of different types."""
    if isinstance(one, Term) or isinstance(other, Term):
        return _terms_compared(one, other, wanted)
    kind, other_kind = type_of(one), type_of(other)
    if kind == "text" and other_kind == "instant":
        one, kind = read_instant(one), "instant"
    elif kind == "instant" and other_kind == "text":
        other, other_kind = read_instant(other), "instant"
    if kind is None or kind != other_kind or one is None or other is None:
        return None
    return wanted(order(one, other) if kind == "instant" else (one > other) - (one < other))


def _terms_compared(one: Any, other: Any, wanted: Comparison) -> Truth:
    if not (isinstance(one, str) and isinstance(other, str)):
        return None
    if _spellings(one) & _spellings(other):
        return wanted(0)
    return some(wanted((left > right) - (left < right)) for left in shown(one) for right in shown(other))


def _spellings(text: str) -> set[str]:
    return {*shown(text), text.iri} if isinstance(text, Word) else set(shown(text))


def shown(text: str) -> tuple[str, ...]:
    """The texts that a value is seen as: a term's IRI and its last part."""
    return (str(text), re.split("[/#:]", text)[-1]) if isinstance(text, Term) else (text,)


def spelled(found: Sequence[Any]) -> list[Any]:
    """The values, a vocabulary's term as each text that it is seen as."""
    return [text for each in found for text in (shown(each) if isinstance(each, Term) else (each,))]


def type_of(value: Any) -> str | None:
    """The type by which a value compares; None of what compares with nothing."""
    for known, name in _TYPES:
        if isinstance(value, known):
            return name
    return None

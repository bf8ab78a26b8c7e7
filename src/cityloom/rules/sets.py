"""Sets of values: what an input entry lets through. They can be cut, joined and turned round.

That is what makes a table checkable: two rows overlap where their sets do, and a
gap is what no row's set holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

from msgspec import Struct

Number: TypeAlias = Decimal | int | float


class Interval(Struct, frozen=True):
    """What lies between two ends; None is no end. `from_open`, `to_open`: the end itself is not in it."""

    low: Number | None
    high: Number | None
    low_open: bool = False
    high_open: bool = False

    def holds(self, value: Number) -> bool:
        """Whether the value lies in it."""
        low, high = self.low, self.high
        if low is not None and (value < low or (self.low_open and value == low)):
            return False
        return high is None or not (value > high or (self.high_open and value == high))

    @property
    def empty(self) -> bool:
        """Whether nothing lies in it."""
        if self.low is None or self.high is None:
            return False
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))


class Names(Struct, frozen=True):
    """Some names, or (`but`) all but some. The truth values are the names True and False."""

    named: frozenset[Any]
    but: bool = False
    missing: bool = False

    def holds(self, value: Any) -> bool:
        """Whether the value is one of them; None is a value that is missing."""
        if value is None:
            return self.missing
        return (value in self.named) != self.but

    @property
    def empty(self) -> bool:
        """Whether nothing is in it."""
        return not self.named and not self.but and not self.missing

    @property
    def whole(self) -> bool:
        """Whether everything is in it."""
        return self.but and not self.named and self.missing

    def meet(self, other: Names) -> Names:
        """What is in both."""
        missing = self.missing and other.missing
        if self.but and other.but:
            return Names(self.named | other.named, True, missing)
        if self.but or other.but:
            some, all_but = (other, self) if self.but else (self, other)
            return Names(some.named - all_but.named, False, missing)
        return Names(self.named & other.named, False, missing)

    def join(self, other: Names) -> Names:
        """What is in one of them."""
        missing = self.missing or other.missing
        turned = Names(self.named, not self.but).meet(Names(other.named, not other.but))
        return Names(turned.named, not turned.but, missing)

    def turn(self) -> Names:
        """What is not in it; a missing value is in neither unless it alone was meant."""
        if self.missing and not self.named and not self.but:
            return Names(frozenset(), True)
        return Names(self.named, not self.but)


class Ranges(Struct, frozen=True):
    """Intervals apart from each other, in order."""

    intervals: tuple[Interval, ...]
    missing: bool = False

    def holds(self, value: Any) -> bool:
        """Whether the value lies in one of them; None is a value that is missing."""
        if value is None:
            return self.missing
        return any(one.holds(value) for one in self.intervals)

    @property
    def empty(self) -> bool:
        """Whether nothing is in it."""
        return not self.intervals and not self.missing

    @property
    def whole(self) -> bool:
        """Whether everything is in it."""
        return self.missing and self.intervals == _EVERYWHERE

    def meet(self, other: Ranges) -> Ranges:
        """What is in both."""
        found = [_meet(one, two) for one in self.intervals for two in other.intervals]
        return Ranges(_joined(found), self.missing and other.missing)

    def join(self, other: Ranges) -> Ranges:
        """What is in one of them."""
        return Ranges(_joined([*self.intervals, *other.intervals]), self.missing or other.missing)

    def turn(self) -> Ranges:
        """What is not in it; a missing value is in neither unless it alone was meant."""
        left = Ranges(_EVERYWHERE)
        for one in self.intervals:
            around = []
            if one.low is not None:
                around.append(Interval(None, one.low, high_open=not one.low_open))
            if one.high is not None:
                around.append(Interval(one.high, None, low_open=not one.high_open))
            left = left.meet(Ranges(tuple(around)))
        return left


Values: TypeAlias = Names | Ranges

_EVERYWHERE: Final = (Interval(None, None),)
ALL_NAMES: Final = Names(frozenset(), True, True)
ALL_NUMBERS: Final = Ranges(_EVERYWHERE, True)
NO_NAMES: Final = Names(frozenset())
NO_NUMBERS: Final = Ranges(())


def meets(one: Values, other: Values) -> bool:
    """Whether something is in both."""
    return not meet(one, other).empty


def meet(one: Values, other: Values) -> Values:
    """What is in both. Raises TypeError: they are of two kinds."""
    if isinstance(one, Names) and isinstance(other, Names):
        return one.meet(other)
    if isinstance(one, Ranges) and isinstance(other, Ranges):
        return one.meet(other)
    raise TypeError("sets of two kinds")


def join(one: Values, other: Values) -> Values:
    """What is in one of them. Raises TypeError: they are of two kinds."""
    if isinstance(one, Names) and isinstance(other, Names):
        return one.join(other)
    if isinstance(one, Ranges) and isinstance(other, Ranges):
        return one.join(other)
    raise TypeError("sets of two kinds")


def atoms(domain: Values, sets: Iterable[Values]) -> list[Values]:
    """The smallest parts of `domain` that none of `sets` cuts: together they are the domain."""
    given = list(sets)
    parts: list[Values]
    if isinstance(domain, Names):
        named = frozenset().union(*(one.named for one in given if isinstance(one, Names)), domain.named)
        parts = [Names(frozenset([name])) for name in sorted(named, key=str)]
        parts += [Names(named, True), Names(frozenset(), False, True)]
    else:
        ends = sorted(
            {
                end
                for one in (domain, *given)
                if isinstance(one, Ranges)
                for span in one.intervals
                for end in (span.low, span.high)
                if end is not None
            }
        )
        parts = [Ranges((span,)) for span in _between(ends)]
        parts.append(Ranges((), True))
    return [part for part in parts if meets(part, domain)]


def _between(ends: Sequence[Number]) -> list[Interval]:
    if not ends:
        return [Interval(None, None)]
    found = [Interval(None, ends[0], high_open=True)]
    for index, end in enumerate(ends):
        found.append(Interval(end, end))
        following = ends[index + 1] if index + 1 < len(ends) else None
        found.append(Interval(end, following, low_open=True, high_open=following is not None))
    return found


def _meet(one: Interval, other: Interval) -> Interval:
    low, low_open = _tighter(one.low, one.low_open, other.low, other.low_open, low=True)
    high, high_open = _tighter(one.high, one.high_open, other.high, other.high_open, low=False)
    return Interval(low, high, low_open, high_open)


def _tighter(
    one: Number | None, one_open: bool, other: Number | None, other_open: bool, *, low: bool
) -> tuple[Number | None, bool]:
    if one is None:
        return other, other_open
    if other is None:
        return one, one_open
    if one == other:
        return one, one_open or other_open
    return (one, one_open) if (one > other) == low else (other, other_open)


def _joined(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same as few intervals, in order."""

    def begin(one: Interval) -> tuple[int, Number, bool]:
        return (0, 0, False) if one.low is None else (1, one.low, one.low_open)

    found: list[Interval] = []
    for one in sorted((one for one in intervals if not one.empty), key=begin):
        if found and _touch(found[-1], one):
            last = found.pop()
            high, high_open = _wider(last, one)
            one = Interval(last.low, high, last.low_open, high_open)
        found.append(one)
    return tuple(found)


def _touch(one: Interval, other: Interval) -> bool:
    """Whether no value lies between one and another that begins no earlier."""
    if one.high is None or other.low is None:
        return True
    return other.low < one.high or (other.low == one.high and not (one.high_open and other.low_open))


def _wider(one: Interval, other: Interval) -> tuple[Number | None, bool]:
    if one.high is None or other.high is None:
        return None, False
    if one.high == other.high:
        return one.high, one.high_open and other.high_open
    return (one.high, one.high_open) if one.high > other.high else (other.high, other.high_open)

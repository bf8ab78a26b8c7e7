"""What is usual at an hour, from the counts of other days, and how likely a count is then.

Counts are taken as negative binomial: Poisson's, with a rate that is not known
exactly and that varies from day to day. All is plain arithmetic on few numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from math import exp, lgamma, log, log1p, sqrt
from statistics import median
from typing import Final, NamedTuple

_UNKNOWN: Final = 0.5
"""Jeffreys' prior of a Poisson rate: half an arrival before anything was seen."""
_FIRM: Final = 1e6
"""The size of a count that varies no more than Poisson's."""
_SPREADS: Final = 4.0
"""A count is taken as no more than the median and so many robust standard deviations."""
_MAD: Final = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""
_STEPS: Final = 100_000
"""The fraction of `chance` goes on no longer; it needs some tens, and the root of a very large count."""


class Usual(NamedTuple):
    """What is to be expected: the mean, the `size` (variance = mean + mean²/size), and from which days.

    `weekdays` is how many of them are of today's weekday.
    """

    expected: float
    size: float
    days: tuple[date, ...]
    weekdays: int


def usual(counts: Mapping[date, int], today: date, free: Callable[[date], bool]) -> Usual:
    """What is usual today, from what other days had at the same hours.

    The rate of all days of today's kind (working or free) is what is believed first; the
    days of the same weekday, and of the same kind, then correct it, the more the more
    there are. Of both, counts far above the median are taken as less (see `_tamed`), so
    that past surges do not become usual before they are.

    Cost: some 40 µs for 8 weeks.
    """
    kind = free(today)
    days = [day for day in counts if free(day) == kind]
    if not days:
        return Usual(_UNKNOWN, _UNKNOWN, (), 0)
    groups: dict[int, list[int]] = {}
    for day in days:
        groups.setdefault(day.weekday(), []).append(counts[day])
    pool = _tamed([counts[day] for day in days])
    total = _UNKNOWN + sum(pool)
    mean = total / len(pool)
    own = _tamed(groups.get(today.weekday(), []))
    # How firmly the pool is believed: as firmly as its days agree, and as it has counts.
    firmness = min(_size([pool]), total)
    shape = firmness + sum(own)
    expected = shape / (firmness / mean + len(own))
    # How much days of one weekday differ among themselves, and how little the rate is known.
    size = 1 / (1 / _size([_tamed(group) for group in groups.values()]) + 1 / shape)
    return Usual(expected, size, tuple(days), len(own))


def chance(seen: int, expected: float, size: float) -> float:
    """How likely so many or more are, of a negative binomial count; 1 for none.

    Source: the count's tail is a regularized incomplete beta function, DLMF 8.17.24.

    Args:
        expected: its mean; 0 is taken as almost none.
        size: above 0; the variance is expected + expected²/size.

    Cost: some microseconds; more near the mean of a large count, with its root.
    """
    if seen <= 0:
        return 1.0
    expected = max(expected, 1e-9)
    share, rest = expected / (expected + size), size / (expected + size)
    scale = exp(
        lgamma(seen + size) - lgamma(seen) - lgamma(size) + seen * log(share) - size * log1p(expected / size)
    )
    if share < (seen + 1) / (seen + size + 2):
        return min(1.0, scale / seen * _fraction(share, seen, size))
    return max(0.0, 1 - scale / size * _fraction(rest, size, seen))


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, DLMF 8.17.22, by Lentz's method."""
    lower = value = 1 / (1 - (a + b) * x / (a + 1))
    upper = 1.0
    for step in range(2, _STEPS):
        m, odd = divmod(step, 2)
        if odd:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        lower = 1 / (1 + term * lower)
        upper = 1 + term / upper
        value *= lower * upper
        if abs(lower * upper - 1) < 1e-12:
            break
    return value


def _size(groups: Sequence[Sequence[float]]) -> float:
    """The size of the negative binomial by moments, about the groups' own means; not more than `_FIRM`."""
    squares = poisson = means = 0.0
    for group in groups:
        middle = sum(group) / len(group)
        squares += sum((one - middle) ** 2 for one in group)
        poisson += middle * (len(group) - 1)
        means += middle * middle * (len(group) - 1)
    excess = squares - poisson
    return min(means / excess, _FIRM) if excess > 0 and means > 0 else _FIRM


def _tamed(counts: Sequence[int]) -> list[float]:
    """The counts, those far above their median as less: the median and four robust standard deviations."""
    if not counts:
        return []
    middle = median(counts)
    spread = max(_MAD * median(abs(one - middle) for one in counts), sqrt(middle), 1.0)
    return [min(float(one), middle + _SPREADS * spread) for one in counts]

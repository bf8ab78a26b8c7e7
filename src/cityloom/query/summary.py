"""What values an attribute has over many entities: what a legend is drawn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from heapq import nsmallest
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct

from cityloom.model.entity import Attribute

RANKS: Final = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Of the quantiles, between the values where a rank falls between them (linear)."""

_encode: Final = msgspec.json.Encoder(order="sorted").encode


class Numbers(Struct, frozen=True):
    """Of the numbers among the values; `quantiles` are those of RANKS, `whole`: none has a fraction."""

    count: int
    min: float | int
    max: float | int
    quantiles: list[float]
    whole: bool


class Value(Struct, frozen=True):
    """One value and on how many entities it is."""

    value: Any
    count: int


class Summary(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The values of an attribute.

    `count` entities have it, `missing` do not. `numbers` is there when some
    are numbers, `values` when some are not: the most frequent first; `others`
    is how many entities have a value that is not among them. `unit_code` is
    there when all that tell a unit tell the same one; else `unit_codes`.
    """

    count: int = msgspec.field()
    missing: int = msgspec.field()
    numbers: Numbers | None = None
    values: list[Value] | None = None
    others: int | None = None
    unit_code: str | None = None
    unit_codes: list[Value] | None = None


def summarize(
    attributes: Iterable[Attribute | None], render: Callable[[Attribute], Any], most: int
) -> Summary:
    """Looks at one attribute of each entity.

    Args:
        attributes: None where an entity does not have it.
        render: the value as it is shown.
        most: how many values to tell.

    Cost: a number or a count for each distinct value is held in memory.
    """
    missing = 0
    numbers: list[float | int] = []
    counts: Counter[Any] = Counter()
    odd: dict[bytes, Any] = {}
    units: Counter[str] = Counter()
    for attribute in attributes:
        if attribute is None:
            missing += 1
            continue
        value = render(attribute)
        if attribute.unit_code is not None:
            units[attribute.unit_code] += 1
        kind = type(value)
        if kind is int or kind is float:
            numbers.append(value)
        elif kind is str:
            counts[value] += 1
        else:
            key = _encode(value)
            odd[key] = value
            counts[key] += 1
    texts = sum(counts.values())
    told = nsmallest(most, counts.items(), key=lambda item: (-item[1], _text(item[0])))
    values = [Value(odd[key] if type(key) is bytes else key, count) for key, count in told]
    return Summary(
        count=len(numbers) + texts,
        missing=missing,
        numbers=_numbers(numbers) if numbers else None,
        values=values if texts else None,
        others=texts - sum(value.count for value in values) if texts else None,
        unit_code=next(iter(units)) if len(units) == 1 else None,
        unit_codes=[Value(*item) for item in units.most_common(most)] if len(units) > 1 else None,
    )


def _numbers(numbers: list[float | int]) -> Numbers:
    array = np.array(numbers, dtype=float)
    quantiles = np.quantile(array, RANKS).tolist()
    whole = bool((array == np.floor(array)).all())
    return Numbers(len(numbers), min(numbers), max(numbers), quantiles, whole)


def _text(key: Any) -> str:
    return key.decode() if type(key) is bytes else str(key)

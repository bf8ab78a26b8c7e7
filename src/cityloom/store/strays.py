"""The box of what belongs together: a mistyped place must not widen the view to half the world."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Final

from cityloom.store.map_ports import Box

_DEVIATIONS: Final = 20
"""Median absolute deviations that lie within: a thin suburb round a dense centre belongs to it."""
_NEAR: Final = 0.5
"""Degrees (some 50 km) that are never far, however dense the rest lies."""


def box_without_strays(boxes: Sequence[Box], whole: Box) -> Box:
    """The box around those boxes that do not lie far away from most of them, on either axis.

    A side of `whole` that is not far away stays as it is, so that a sample of the boxes is enough and
    a layer without strays keeps its true box; unless it is the side of a box that is far on the other axis.

    Args:
        boxes: of some of the places, or all.
        whole: around all places.

    Source: the median absolute deviation as a measure of spread (Hampel 1974), which strays do not move.
    Cost: a sort of the boxes.
    """
    if not boxes:
        return whole
    fences = []
    strays: set[Box] = set()
    for low, high in ((0, 2), (1, 3)):
        middles = [(box[low] + box[high]) / 2 for box in boxes]
        middle = median(middles)
        reach = max(_NEAR, _DEVIATIONS * median([abs(each - middle) for each in middles]))
        fences.append((middle - reach, middle + reach))
        strays |= {box for box, each in zip(boxes, middles, strict=True) if abs(each - middle) > reach}
    kept = [box for box in boxes if box not in strays]
    if not kept:
        return whole

    def side(place: int, far: bool, furthest: Callable[[Iterable[float]], float]) -> float:
        of_stray = any(box[place] == whole[place] for box in strays)
        return furthest(box[place] for box in kept) if far or of_stray else whole[place]

    (west, east), (south, north) = fences
    return (
        side(0, whole[0] < west, min),
        side(1, whole[1] < south, min),
        side(2, whole[2] > east, max),
        side(3, whole[3] > north, max),
    )

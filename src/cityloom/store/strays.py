"""The box of what belongs together: a mistyped place must not widen the view to half the world."""

from __future__ import annotations

from collections.abc import Sequence
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
    a layer without strays keeps its true box.

    Args:
        boxes: of some of the places, or all.
        whole: around all places.

    Source: the median absolute deviation as a measure of spread (Hampel 1974), which strays do not move.
    Cost: a sort of the boxes.
    """
    if not boxes:
        return whole
    kept = list(boxes)
    fences = []
    for low, high in ((0, 2), (1, 3)):
        middles = [(box[low] + box[high]) / 2 for box in boxes]
        middle = median(middles)
        reach = max(_NEAR, _DEVIATIONS * median([abs(each - middle) for each in middles]))
        fences.append((middle - reach, middle + reach))
        kept = [box for box in kept if middle - reach <= (box[low] + box[high]) / 2 <= middle + reach]
    if not kept:
        return whole
    (west, east), (south, north) = fences
    return (
        whole[0] if whole[0] >= west else min(box[0] for box in kept),
        whole[1] if whole[1] >= south else min(box[1] for box in kept),
        whole[2] if whole[2] <= east else max(box[2] for box in kept),
        whole[3] if whole[3] <= north else max(box[3] for box in kept),
    )

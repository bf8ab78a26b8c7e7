"""Which of the sample's requests go which unusual way, so that all that can happen to a case can be found.

They are chosen from the requests that are played, before anything is, by their own ids: the same in every
play of the same files, also in one that was stopped and goes on.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

HOUR: Final = 3_600_000_000
SHARED: Final = {
    "street-tree": ("parks", "lighting"),
    "blocked-sewer": ("water", "roads"),
    "damaged-road": ("roads", "water"),
    "exposed-waste": ("sanitation", "enforcement"),
}
"""What two departments may have to do together, by the type of case."""
_TIGHT: Final = frozenset(
    {
        "blocked-sewer", "burst-water-main", "commercial-noise", "blocked-fire-lane", "dirty-road",
        "overflowing-bin", "exposed-waste", "littered-green",
    }
)  # fmt: skip
"""Types whose department has hours: a day later it is late."""


class Request(NamedTuple):
    """A request that is played: when it was made, and closed (None: not in the files), µs."""

    id: str
    type: str
    opened: int
    ends: int | None


class Story(NamedTuple):
    """A way that some requests go: how many, which may, in which order they are asked."""

    name: str
    many: int
    fits: Callable[[Request, int], bool]
    order: Callable[[Request], Any] | None = None


def _closed(
    least: float, most: float = 1e9, left: float = 0, types: Iterable[str] = ()
) -> Callable[[Request, int], bool]:
    """Closed by the end after so many hours, with so many left; of certain types, where some are named."""
    some = frozenset(types)

    def fits(one: Request, until: int) -> bool:
        if one.ends is None or one.ends > until - left * HOUR or (some and one.type not in some):
            return False
        return least * HOUR <= one.ends - one.opened <= most * HOUR

    return fits


def _open(least: float, types: Iterable[str] = ()) -> Callable[[Request, int], bool]:
    """Open at the end, since so many hours."""
    some = frozenset(types)

    def fits(one: Request, until: int) -> bool:
        is_open = one.ends is None or one.ends > until
        return is_open and until - one.opened >= least * HOUR and (not some or one.type in some)

    return fits


def _newest(one: Request) -> int:
    return -one.opened


def _quickest(one: Request) -> int:
    return (one.ends or one.opened) - one.opened


def _last_closed(one: Request) -> int:
    return -(one.ends or 0)


STORIES: Final = (
    # What stands in each state at the end; the newest wait at the beginning of the loop.
    Story("reported", 1, _open(0), _newest),
    Story("pendingVerify", 1, _open(0), _newest),
    Story("pendingFile", 1, _open(0), _newest),
    Story("pendingDispatch", 1, _open(0), _newest),
    Story("divided", 1, _open(6, SHARED)),
    Story("escalated", 1, _open(12)),
    Story("onAccount", 1, _open(14)),
    Story("handleDone", 1, _open(5), _newest),
    Story("pendingCheck", 1, _open(5), _newest),
    Story("pendingClose", 1, _open(5), _newest),
    Story("returnRequested", 1, _open(4), _newest),
    Story("delayRequested", 1, _open(4), _newest),
    Story("accountRequested", 1, _open(4), _newest),
    Story("appealed", 1, _closed(5, left=2), _last_closed),
    Story("appealReview", 1, _closed(5, left=3), _last_closed),
    # What went another way, and came to its end.
    Story("rejected", 2, _closed(0.1, 4), _quickest),
    Story("voided", 2, _closed(0.4, 8), _quickest),
    Story("appealGranted", 3, _closed(20, left=90, types=_TIGHT)),
    Story("appealRefused", 2, _closed(20, left=72, types=_TIGHT)),
    Story("appealRefusedLater", 1, _closed(20, left=90, types=_TIGHT)),
    Story("split", 2, _closed(9, types=SHARED)),
    Story("returnedByThree", 1, _closed(10)),
    Story("redoneThreeTimes", 1, _closed(20)),
    Story("account", 1, _closed(40)),
    Story("forced", 1, _closed(20)),
    Story("delayGranted", 4, _closed(16)),
    Story("delayRefused", 1, _closed(8)),
    Story("returnRefused", 2, _closed(4)),
    Story("reopened", 2, _closed(2, left=80)),
)


def cast(requests: Iterable[Request], until: int) -> dict[str, str]:
    """The story of each request that has one, by its id; `until` is the end of what is played (µs)."""
    left = {one.id: one for one in requests}
    found: dict[str, str] = {}
    for story in STORIES:

        def order(one: Request, story: Story = story) -> tuple[Any, str]:
            drawn = random.Random(f"{story.name} {one.id}").random()
            return (drawn if story.order is None else story.order(one), one.id)

        fitting = sorted((one for one in left.values() if story.fits(one, until)), key=order)
        for one in fitting[: story.many]:
            found[one.id] = story.name
            del left[one.id]
    return found

"""What values an attribute has over a span of the past: what the legend of a replay is drawn from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from cityloom.model.entity import Attribute
from cityloom.store.ports import Snapshot

_PAGE: Final = 2000
MOST_READINGS: Final = 200_000
"""Of one span: about four seconds of looking. The later ones of a longer span are left out."""


def values_in_span(
    snapshot: Snapshot,
    tenant: str,
    type: str,
    name: str,
    now: Mapping[str, Attribute | None],
    span: tuple[int, int],
) -> Iterator[Attribute | None]:
    """The values that a replay of a span shows: those at its beginning, then each that was observed in it.

    What was never observed is as it is now, at every time.

    Args:
        now: the attribute of each entity that is looked at, by id.
        span: its beginning and its end (included), in microseconds.

    Returns:
        For each entity its value at the beginning, None where it had none; then the later ones, by time.

    Cost: about 10 µs for each entity, 20 µs for each reading.
    """
    after, until = span
    first = dict(now)
    page: str | None = ""
    while page is not None:
        found, page = snapshot.latest_before(tenant, type, [name], after, page, _PAGE)
        first |= {
            one.entity_id: one.attribute for one in found if not one.dataset_id and one.entity_id in now
        }
    yield from first.values()
    yield from _observed(snapshot, tenant, type, name, now.keys(), after, until)


def _observed(
    snapshot: Snapshot, tenant: str, type: str, name: str, ids: Iterable[str], after: int, until: int
) -> Iterator[Attribute]:
    known, looked = frozenset(ids), 0
    while after < until and looked < MOST_READINGS:
        found, after = snapshot.instances_between(tenant, type, [name], after, until)
        looked += len(found)
        for one in found:
            if one.attribute is not None and not one.dataset_id and one.entity_id in known:
                yield one.attribute

"""Instance ids: derived from what an instance is, never random, so that a repeat is recognised.

An id says where its instance stands (digest of the series, stamp, place within
the stamp), so a store finds an instance by its id without an index of ids, and
need not keep the ids it can derive.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Final

PREFIX: Final = "urn:ngsi-ld:Instance:"


@lru_cache(maxsize=65_536)
def series_prefix(entity_id: str, name: str, dataset_id: str, source: str) -> str:
    """What all ids of one series begin with; `source` "" is the prefix of instances written by events."""
    parts = "\x1f".join((entity_id, name, dataset_id, source)).encode()
    return f"{PREFIX}{sha256(parts).hexdigest()[:16]}:"


def series_instance_id(
    entity_id: str, name: str, dataset_id: str, source: str, stamp: int, occurrence: int = 0
) -> str:
    """The id of an instance that a source brought.

    Args:
        name: the attribute, expanded.
        stamp: `observedAt` in microseconds.
        occurrence: which one it is of those with this stamp in this source; 0 the first.
    """
    return f"{series_prefix(entity_id, name, dataset_id, source)}{stamp}:{occurrence}"


def event_instance_id(
    entity_id: str, name: str, dataset_id: str, stamp: int, seq: int, number: int = 0
) -> str:
    """The id of an instance that no source brought: it is told by its event.

    Args:
        stamp: `observedAt`, or else the time of the event, in microseconds.
        seq: the event's number.
        number: which one it is of those of this attribute and dataset in the event.
    """
    return f"{series_prefix(entity_id, name, dataset_id, '')}{stamp}:{seq}.{number}"


def parse_instance_id(instance_id: str) -> tuple[int, int, int | None] | None:
    """(stamp, occurrence or number, seq or None) that an id names; None when it is not of our making."""
    head, _, place = instance_id.rpartition(":")
    head, _, stamp = head.rpartition(":")
    if not head.startswith(PREFIX):
        return None
    seq, point, number = place.rpartition(".")
    try:
        return int(stamp), int(number), int(seq) if point else None
    except ValueError:
        return None

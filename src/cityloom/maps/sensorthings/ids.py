"""Ids of the view: made of what they name, so that they are stable and need no table to be read.

The parts are joined by `|`, which no URI holds. Attributes stand in their short
name by the core context (whatever context the reader sends), else as IRIs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from cityloom.ld.context import LdContext
from cityloom.model.errors import BadRequestData
from cityloom.store.instances import PREFIX

_JOINT: Final = "|"


class SeriesKey(NamedTuple):
    """A series of instances: the entity, the attribute (expanded) and the dataset ("" the default one)."""

    entity_id: str
    name: str
    dataset_id: str


@lru_cache(maxsize=10_000)
def short_name(iri: str) -> str:
    """The attribute's name as ids hold it."""
    name = LdContext.core.compact_key(iri)
    return name if LdContext.core.expand_term(name) == iri else iri


def long_name(name: str) -> str | None:
    """The attribute that `short_name` names; None when it names none."""
    try:
        return LdContext.core.expand_name(name)
    except BadRequestData:
        return None


def series_id(key: SeriesKey) -> str:
    """The id of a Datastream."""
    parts = [key.entity_id, short_name(key.name)]
    return _JOINT.join([*parts, key.dataset_id] if key.dataset_id else parts)


def parse_series_id(id: str) -> SeriesKey | None:
    """What `series_id` was made of; None when it is no such id."""
    entity_id, *more = id.split(_JOINT)
    name = long_name(more[0]) if len(more) in (1, 2) else None
    return None if name is None else SeriesKey(entity_id, name, more[1] if len(more) > 1 else "")


def instance_key(key: SeriesKey, instance_id: str) -> str:
    """The id of an Observation (or of a past place) from its instance's."""
    return _JOINT.join(
        (key.entity_id, short_name(key.name), key.dataset_id, instance_id.removeprefix(PREFIX))
    )


def parse_instance_key(id: str) -> tuple[SeriesKey, tuple[str, str]] | None:
    """The series, and the instance ids that are meant (the first that exists); None when it is no such id."""
    parts = id.split(_JOINT)
    name = long_name(parts[1]) if len(parts) == 4 else None
    if name is None:
        return None
    return SeriesKey(parts[0], name, parts[2]), (PREFIX + parts[3], parts[3])

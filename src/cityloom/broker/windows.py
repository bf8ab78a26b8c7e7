"""Which instances a temporal query means, and where a too long answer is cut: pure functions.

An answer is cut at one time for all its attributes and entities, so that the
range that it tells holds everything there is in it.

Source: ETSI GS CIM 009 clauses 4.11 (temporal queries), 6.3.10 (temporal paging).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from cityloom.broker.ports import Evolution
from cityloom.model.entity import DEFAULT_INSTANCE, Attribute
from cityloom.model.history import Instance
from cityloom.model.time import parse_datetime
from cityloom.query.values import TemporalQuery
from cityloom.store.history_ports import Window

DEFAULT_DATASET: Final = "@none"
"""How a request names the default instance (4.5.5)."""


def window_of(temporal: TemporalQuery, names: Sequence[str] = (), dataset_ids: Sequence[str] = ()) -> Window:
    """The instances that a temporal query means: `before` excludes its time, `after` begins with it."""
    start = temporal.time_at if temporal.timerel in ("after", "between") else None
    end = {"before": temporal.time_at, "between": temporal.end_time_at}.get(temporal.timerel or "")
    return Window(
        names=list(names) or None,
        timeproperty=temporal.timeproperty,
        start=start,
        end=end,
        last_n=temporal.last_n,
        dataset_ids=[
            DEFAULT_INSTANCE if dataset_id == DEFAULT_DATASET else dataset_id for dataset_id in dataset_ids
        ]
        or None,
        with_repeats=temporal.with_repeats,
    )


def conveying(instances: dict[str, list[Instance]], timeproperty: str) -> dict[str, list[Instance]]:
    """Leaves out what lacks the time that is asked for: of deletedAt, all that was not deleted (4.11)."""
    if timeproperty != "deletedAt":
        return instances
    found = {
        name: [instance for instance in of_name if instance.attribute.deleted_at is not None]
        for name, of_name in instances.items()
    }
    return {name: of_name for name, of_name in found.items() if of_name}


def time_of(attribute: Attribute, timeproperty: str) -> int:
    """The time of an instance in microseconds: the asked one, else when it was last changed."""
    match timeproperty:
        case "observedAt":
            text = attribute.observed_at
        case "createdAt":
            text = attribute.created_at
        case "deletedAt":
            text = attribute.deleted_at
        case _:
            text = attribute.modified_at
    text = text or attribute.modified_at or attribute.created_at
    return 0 if text is None else parse_datetime(text, timeproperty)


class Cut(Struct, frozen=True, kw_only=True):
    """The evolutions of an answer, and the range of time it covers when it was cut."""

    evolutions: list[Evolution]
    cut: bool = False
    range_start: int | None = None
    range_end: int | None = None


def cut(evolutions: Sequence[Evolution], temporal: TemporalQuery, most: int, in_all: int) -> Cut:
    """Cuts an answer in which an entity has more than `most` instances, or all have more than `in_all`.

    Without `last_n` the earliest stay, with it the latest. Instances of one time
    are never parted, so when there are more than `most` of the first time, all of
    them stay. An attribute that loses all its instances stays, empty.
    """
    backwards = temporal.last_n is not None
    by_entity = [
        sorted(
            (
                time_of(instance.attribute, temporal.timeproperty)
                for of_name in evolution.instances.values()
                for instance in of_name
            ),
            reverse=backwards,
        )
        for evolution in evolutions
    ]
    boundaries = [_boundary(times, most) for times in by_entity if len(times) > most]
    times = sorted((time for times in by_entity for time in times), reverse=backwards)
    if len(times) > in_all:
        boundaries.append(_boundary(times, in_all))
    if not boundaries:
        return Cut(evolutions=list(evolutions))
    boundary = max(boundaries) if backwards else min(boundaries)

    def stays(instance: Instance) -> bool:
        time = time_of(instance.attribute, temporal.timeproperty)
        return time >= boundary if backwards else time <= boundary

    kept = [
        replace(
            evolution,
            instances={
                name: [instance for instance in of_name if stays(instance)]
                for name, of_name in evolution.instances.items()
            },
        )
        for evolution in evolutions
    ]
    return Cut(
        evolutions=kept,
        cut=True,
        range_start=_range_start(temporal, times[0]),
        range_end=boundary,
    )


def _boundary(times: Sequence[int], most: int) -> int:
    """The last time (in the order of `times`) of which all instances still fit."""
    first_left_out = times[most]
    fitting = next((time for time in reversed(times[:most]) if time != first_left_out), None)
    return times[0] if fitting is None else fitting


def _range_start(temporal: TemporalQuery, first: int) -> int:
    if temporal.last_n is None:
        given = temporal.time_at if temporal.timerel in ("after", "between") else None
    else:
        given = {"before": temporal.time_at, "between": temporal.end_time_at}.get(temporal.timerel or "")
    return first if given is None else given


def bounded(window: Window, most: int) -> Window:
    """The window with no more of each attribute than tells whether an answer of `most` must be cut."""
    if window.last_n is not None:
        return replace(window, last_n=min(window.last_n, most + 1))
    return replace(window, first_n=most + 1)


def full_at(instances: Iterable[Instance], window: Window, most: int) -> bool:
    """Whether an attribute may have more instances of its first time than were read within `bounded`."""
    times = [time_of(instance.attribute, window.timeproperty) for instance in instances]
    return len(times) > most and min(times) == max(times)

"""What is asked of a store about the past of entities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

from cityloom.model.entity import Attribute
from cityloom.model.events import Cause, Event
from cityloom.model.history import HistoryAppend, Instance
from cityloom.query.values import TypeExpression

if TYPE_CHECKING:
    import polars

    from cityloom.store.ports import Store


class HistoryEntity(Struct, frozen=True, kw_only=True):
    """An entity as history knows it; `incarnation` tells an entity made again from the deleted one."""

    id: str
    types: list[str]
    incarnation: int
    scopes: list[str] = []
    created_at: str | None = None
    modified_at: str | None = None
    deleted_at: str | None = None


class Numbers(Struct, frozen=True, kw_only=True):
    """The numbers from `low` to `high`; a bound belongs to them when `with_low`, `with_high` say so."""

    low: float = -inf
    high: float = inf
    with_low: bool = True
    with_high: bool = True


class Window(Struct, frozen=True, kw_only=True):
    """Which instances of one entity: times in microseconds, `start` included, `end` excluded.

    `names` None is every attribute; `last_n` keeps the latest n of each
    attribute, `first_n` the earliest n (for paging forwards; one of the two);
    `with_repeats` False leaves out instances whose occurrence is > 0.
    Instances that lack the `timeproperty` are not in a window that has a bound;
    for `observedAt` without a bound they are ordered by modifiedAt. `numbers`
    leaves out the instances of which it is sure that their value is none of
    these: other numbers and texts, but nothing compound.
    """

    names: Sequence[str] | None = None
    timeproperty: Literal["observedAt", "createdAt", "modifiedAt", "deletedAt"] = "observedAt"
    start: int | None = None
    end: int | None = None
    last_n: int | None = None
    first_n: int | None = None
    dataset_ids: Sequence[str] | None = None
    with_repeats: bool = True
    numbers: Numbers | None = None


class Origin(Struct, frozen=True, kw_only=True):
    """Where one instance came from: its event's number, time (µs) and cause, and the row in the file."""

    instance: Instance
    seq: int
    at: int
    cause: Cause


class Observed(Struct, frozen=True, kw_only=True):
    """What had been observed of one attribute of a current entity at an instant, or became known at one.

    `time` in microseconds. `attribute` None: it is not there (not yet
    observed, or deleted); for one that was not yet observed `time` is None.
    """

    entity_id: str
    types: list[str]
    name: str
    dataset_id: str
    time: int | None
    attribute: Attribute | None


class NumberColumn(Struct, frozen=True, kw_only=True):
    """Numbers in order of time (microseconds of observedAt), all integers or none."""

    times: list[int]
    numbers: list[int] | list[float]


class HistoryReads(Protocol):
    """Temporal evolution (hot and cold read as one)."""

    def history_entity(self, tenant: str, entity_id: str) -> HistoryEntity | None:
        """The latest incarnation of the entity in history, also when it is deleted."""
        ...

    def history_entities(
        self,
        tenant: str,
        *,
        ids: Sequence[str] = (),
        id_pattern: str | None = None,
        types: TypeExpression | None = None,
        attrs: Sequence[str] = (),
        after_id: str = "",
        limit: int = 1000,
    ) -> list[HistoryEntity]:
        """Entities in history, by id, those after `after_id`."""
        ...

    def instances(self, tenant: str, entity_id: str, window: Window) -> dict[str, list[Instance]]:
        """Instances by attribute name, in order of time (of the latest incarnation)."""
        ...

    def origins(self, tenant: str, entity_id: str, window: Window) -> list[Origin]:
        """Instances with where they came from, latest first; outlives the trimming of the log."""
        ...

    def count_observed(self, tenant: str, entity_id: str, window: Window) -> dict[tuple[str, str], int]:
        """How many instances with observedAt a window holds, by (attribute, kind); deletions are none.

        Of the window its names, datasets, start and end (of observedAt) count.
        Cost: a walk of an index; nothing is decoded.
        """
        ...

    def count_numbers(self, tenant: str, entity_id: str, window: Window) -> tuple[int, int]:
        """How many Properties with observedAt in a window have a value among its `numbers`.

        Of the window its names, datasets, start, end (of observedAt) and numbers count; deletions are none.

        Returns:
            How many there are, and how many more may be: what is compound or of another kind.

        Cost: a walk of the instances; nothing is decoded.
        """
        ...

    def number_columns(
        self, tenant: str, entity_id: str, name: str, window: Window
    ) -> dict[str, NumberColumn] | None:
        """What a window holds of an attribute, by dataset, where all of it is observed numbers of Properties.

        Returns:
            None where anything else is in the window, or integers beside other numbers, or where it
            is bounded by another time than observedAt or by a number of instances.

        Cost: a read of the window, without making instances of it.
        """
        ...

    def known_instances(self, tenant: str, entity_id: str, instance_ids: Sequence[str]) -> set[str]:
        """Which of these instance ids are in the entity's history already."""
        ...

    def latest_before(
        self, tenant: str, type: str, names: Sequence[str], at: int, after_id: str = "", limit: int = 1000
    ) -> tuple[list[Observed], str | None]:
        """What had last been observed at `at` (included) of the current entities of a type.

        Only attributes that were ever observed are told, each dataset by
        itself, by entity id; repeats of a stamp are left out. Looks at up to
        `limit` entities after `after_id`.

        Returns:
            What was found, and the id to go on after; None when no entity is left.
        """
        ...

    def instances_between(
        self, tenant: str, type: str, names: Sequence[str], after: int, until: int, limit: int = 10_000
    ) -> tuple[list[Observed], int]:
        """What was observed of the current entities of a type with after < time <= until, by time, then id.

        Returns:
            What was found, and the time up to which it is whole: `until`, or
            an earlier one where there was more than `limit`. The instances of
            one time are never torn apart, so there may be more than `limit` of them.
        """
        ...


class HistoryWrites(Protocol):
    """Changing the past."""

    def append_history(self, tenant: str, append: HistoryAppend, cause: Cause) -> Event | None:
        """Adds instances that are not there yet, with one event; None when all were there."""
        ...

    def replace_instance(self, tenant: str, entity_id: str, instance: Instance, cause: Cause) -> Event:
        """Changes one instance, found by name and `instance_id`. Raises ResourceNotFound."""
        ...

    def delete_history(
        self,
        tenant: str,
        entity_id: str,
        cause: Cause,
        *,
        name: str | None = None,
        dataset_id: str | None = None,
        instance_id: str | None = None,
    ) -> Event:
        """Deletes an instance, an attribute's history (one dataset: `dataset_id`; None all) or the entity's.

        Raises ResourceNotFound when there is no such thing.
        """
        ...

    def expire_history(self, tenant: str, type: str, before: int, limit: int) -> int:
        """Deletes up to `limit` instances of entities of `type` older than `before` (µs); how many.

        A call looks at a bounded number of entities; the next call goes on after them.
        """
        ...


class Brought(Struct, frozen=True):
    """What became of rows: how many are new, how many were there, and `row` and `reason` of the others."""

    new: int
    known: int
    refused: polars.DataFrame


class ColdHistory(Protocol):
    """The part of history that stands in tables of its own: one change at a time, none stops writes."""

    @property
    def trouble(self) -> str:
        """Why the tables could not be read when they were asked last; "" when they could. Asks nobody."""
        ...

    def through(self, store: Store) -> ColdHistory:
        """The same, with works that go through `store`, which is this one behind a fence."""
        ...

    def bring(
        self,
        tenant: str,
        rows: polars.DataFrame,
        cause: Cause,
        *,
        make: bool = True,
        scopes: Sequence[str] = (),
    ) -> Brought:
        """Writes rows of one month that are not there yet straight into the tables, with one event."""
        ...

    def move(self, before: int, progress: Callable[[float], None] | None = None) -> int:
        """Moves the instances older than `before` (µs) to the tables; how many."""
        ...

    def compact(self, few: int = 1, progress: Callable[[float], None] | None = None) -> int:
        """Writes months anew that are in more than `few` files or hold deleted instances; how many."""
        ...

    def vacuum(self, keep_hours: int) -> int:
        """Removes files that were not read for `keep_hours`; how many."""
        ...

"""What is asked of a store about entities as they are now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from cityloom.model.entity import Entity
from cityloom.model.events import Cause, Event
from cityloom.query.values import Query
from cityloom.store.map_ports import Box


class TypeCount(Struct, frozen=True):
    """How many current entities have type `type`."""

    type: str
    count: int


class AttributeUse(Struct, frozen=True):
    """An attribute in use on entities of a type: on how many, and with which kinds."""

    type: str
    name: str
    count: int
    kinds: list[str] = []


class LayerSummary(Struct, frozen=True, kw_only=True):
    """One type as a map layer: count, kinds of geometry with counts, box (w, s, e, n), last change (µs).

    `observed` is the newest `observedAt` of any attribute (µs), `silent` how many are marked stale.
    """

    type: str
    count: int
    geometries: dict[str, int]
    bbox: Box | None
    modified: int | None
    observed: int | None = None
    silent: int = 0


class EntityReads(Protocol):
    """Current entities."""

    def get(self, tenant: str, entity_id: str) -> Entity | None:
        """The current entity, or None. Cost: one index lookup."""
        ...

    def get_many(
        self, tenant: str, entity_ids: Sequence[str], names: Sequence[str] | None = None
    ) -> dict[str, Entity]:
        """Those of these entities that exist, by id; at least these attributes are read (None: all)."""
        ...

    def query(self, tenant: str, query: Query) -> list[Entity]:
        """The entities that `query` selects, exactly, in its order (by default: by id), paged."""
        ...

    def scan(self, tenant: str, query: Query) -> Iterator[Entity]:
        """As `query`, without paging, one after the other by id."""
        ...

    def lights(self, tenant: str, query: Query, names: Sequence[str] | None = None) -> Iterator[Entity]:
        """As `query`, one after the other; of the attributes at least `names` are read (None: all)."""
        ...

    def count(self, tenant: str, query: Query) -> int:
        """How many entities `query` selects, paging left aside."""
        ...

    def tenants(self) -> list[str]:
        """Every tenant that has ever been written to and is not forgotten ("" is the default tenant)."""
        ...

    def type_counts(self, tenant: str) -> list[TypeCount]:
        """The types in use, by name."""
        ...

    def attribute_uses(self, tenant: str, type: str | None = None) -> list[AttributeUse]:
        """The attributes in use, by type and name (of one type when given)."""
        ...

    def layers(self, tenant: str) -> list[LayerSummary]:
        """Each type in use, as a map layer."""
        ...

    def usual_box(self, tenant: str, layer: LayerSummary) -> Box | None:
        """The box of a layer without what lies far away from the rest (w, s, e, n); None as its `bbox`."""
        ...


class EntityWrites(Protocol):
    """Changing current entities."""

    def write_entity(
        self, tenant: str, before: Entity | None, after: Entity | None, cause: Cause, row: int | None = None
    ) -> Event | None:
        """Makes `after` the state of the entity, in one go with its history and its event.

        `before` is what the caller read in this transaction (None: it did not
        exist); `after` None deletes. The changes are found by comparing the
        instances: one that should count as written carries a new `modified_at`.
        Returns the event, or None when nothing differs.

        Raises:
            Conflict: the stored entity is not `before`.
        """
        ...

    def create_tenant(self, tenant: str) -> None:
        """Makes a tenant known (idempotent)."""
        ...

    def forget_tenant(self, tenant: str, limit: int = 1000) -> int:
        """Takes away, without an event, all that stands in a tenant, and at last its name.

        In steps, so that the writer is not held up: while a call returns more than 0 there may be
        more. The tenant's events go, too, but only those that every consumer has dealt with; until
        then its name stays, and calls return 0. What is read of the tenant between the first step
        and the last is nothing to rely on. Nobody may write to it meanwhile; made again under the
        same name it is another one, and empty.

        Args:
            limit: about how many rows a call takes away.

        Raises:
            ValueError: the default tenant stays.

        Cost: what is deleted; for its events a search through the log.
        """
        ...

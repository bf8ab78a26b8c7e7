"""The broker as every room above sees it, and what it asks of others.

`federation` offers the same `Broker` Protocol, so that nobody asks whether an entity
is local. Names in all values are expanded IRIs.

Source: ETSI GS CIM 009 V1.8.1 clauses 5.6 (provision), 5.7 (consumption).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, Literal, Protocol

from msgspec import Struct

from cityloom.ld.context import LdContext
from cityloom.model.entity import Attribute, Entity
from cityloom.model.errors import CityloomError
from cityloom.model.events import AttributeChange, Cause
from cityloom.model.history import HistoryAppend, Instance
from cityloom.query.values import QNode, Query, TemporalQuery, TypeExpression
from cityloom.store.entity_ports import AttributeUse, TypeCount
from cityloom.store.history_ports import HistoryEntity, Origin


class MapWish(Struct, frozen=True, kw_only=True):
    """What a request wants of entity maps (5.5.14).

    `wanted`: to be told of the map that it used. `id`: the map to use, where there is one still.
    `lifetime` (microseconds): how long a new one shall live, None: as the node is set.
    """

    wanted: bool = False
    id: str = ""
    lifetime: int | None = None


class Forwarding(Struct, kw_only=True):
    """How far a request may reach beyond this node, and what is to be told of that.

    `local`: not at all (6.3.18). `via` are the pseudonyms of those whom it passed before. `headers`
    (names in lower case) are the caller's, for sources that want some of them (4.3.6.5).
    `ld_context` is what the request is written in; `words` are those of a query, as written.
    `split` says whether an entity may lie in several places at once (4.3.6.7), None: as the node
    is set; `csf` is a condition on the sources; `selected` are the types that one entity shall have
    (4.17), and `types` those that it has, where they were looked up because of that. `fresh`: what
    sources told before will not do, as when a write depends on it. `warnings` gathers what the
    caller is told (6.3.17). `map_wish` is for the first operation of the request that knows entity
    maps, which tells in `map_used` the id of the map that it used, and in `map_made` whether it is
    new.
    """

    local: bool = False
    via: tuple[str, ...] = ()
    headers: Mapping[str, str] = {}
    ld_context: LdContext | None = None
    words: Mapping[str, Any] = {}
    split: bool | None = None
    csf: QNode | None = None
    selected: TypeExpression | None = None
    types: Sequence[str] = ()
    fresh: bool = False
    warnings: list[str] = []
    map_wish: MapWish | None = None
    map_used: str = ""
    map_made: bool = False


class Call(Struct, frozen=True, kw_only=True):
    """Who asks, for which tenant, and as part of what: handed to every operation.

    Without `forwarding` it stays on this node: what rooms do by themselves.
    """

    tenant: str = ""
    party: str = ""
    purpose: str = ""
    cause: Cause
    forwarding: Forwarding | None = None


Action = Literal["read", "write", "admin", "personal"]


class Access(Protocol):
    """May this party do this to that, for this purpose?"""

    def check(self, call: Call, action: Action, resource: str = "") -> None:
        """Returns when it may.

        Args:
            resource: an entity id, a type, or a room's name such as `subscriptions`.

        Raises:
            Unauthorized: nobody is named and somebody must be.
            Forbidden: this party may not.
        """
        ...


class Item(Struct, frozen=True, kw_only=True):
    """One member of a batch: an entity (or fragment), or the error that kept it from becoming one.

    `row` is the row of the source file, for lineage.
    """

    id: str
    entity: Entity | None = None
    error: CityloomError | None = None
    row: int | None = None


class ItemError(Struct, frozen=True):
    """What went wrong with one entity of a batch (5.2.17), and at which registered source."""

    id: str
    error: CityloomError
    registration_id: str = ""


class BatchResult(Struct, frozen=True, kw_only=True):
    """Answer of a batch, item by item (5.2.16), ids in the order of the request.

    `unchanged` are those of `updated` that were already just so (only where
    the caller asked to skip them).
    """

    created: list[str] = []
    updated: list[str] = []
    unchanged: list[str] = []
    deleted: list[str] = []
    errors: list[ItemError] = []


class HistoryRefusal(Struct, frozen=True, kw_only=True):
    """An instance that may not enter history, and why."""

    entity_id: str
    instance: Instance
    error: CityloomError


class SourceNotification(Struct, frozen=True, kw_only=True):
    """What a context source told for a subscription that this node shares with it (5.8.6).

    `told` are the entities, each with the instances before the change where the source told them;
    `decided` says that the source looked at the conditions of the subscription itself. `id` is the
    same at every try of the source.
    """

    id: str
    notified_at: str
    registration: str
    told: list[tuple[Entity, list[AttributeChange]]]
    decided: bool


class UpdateResult(Struct, frozen=True, kw_only=True):
    """Answer of an attribute operation (5.2.18): expanded names updated, and those not, with the reason.

    `registrations` names the registered source at which one of the latter failed.
    """

    updated: list[str] = []
    not_updated: dict[str, str] = {}
    registrations: dict[str, str] = {}


class PartlyDone(Exception):
    """An operation on one entity that was done in some of the places where the entity lies (207).

    Args:
        result: what came of it, as the operation tells it.
    """

    def __init__(self, result: BatchResult | UpdateResult) -> None:
        super().__init__("done in part")
        self.result = result


class Page(Struct, frozen=True, kw_only=True):
    """One page of a query; `count` only when it was asked for; `more` when another page follows."""

    entities: list[Entity]
    count: int | None = None
    more: bool = False


class Evolution(Struct, frozen=True, kw_only=True):
    """The temporal evolution of one entity: instances by expanded attribute name, in order of time."""

    entity: HistoryEntity
    instances: dict[str, list[Instance]]


class AggregatedValue(Struct, frozen=True):
    """One value of an aggregation over [start, end) in microseconds (4.5.19)."""

    value: Any
    start: int
    end: int


class AggregatedEvolution(Struct, frozen=True, kw_only=True):
    """Per attribute (name, dataset id) and aggregation method the values of each period."""

    entity: HistoryEntity
    attributes: dict[tuple[str, str], dict[str, list[AggregatedValue]]]
    kinds: dict[tuple[str, str], str] = {}


class TemporalPage(Struct, frozen=True, kw_only=True):
    """One page of a temporal query; `range_start`/`range_end` (µs) when instances were cut (6.3.10).

    `last` is the id after which the next page begins; "" where only its offset tells that.
    """

    evolutions: list[Evolution]
    aggregated: list[AggregatedEvolution] = []
    count: int | None = None
    more: bool = False
    last: str = ""
    cut: bool = False
    range_start: int | None = None
    range_end: int | None = None
    size: int | None = None


HERE: Final = "@none"
"""In an entity map: this node, where others are named by their registrations (5.2.39)."""


class EntityMap(Struct, kw_only=True):
    """Which entities a sequence of requests is about, and where each of them lies (4.5.25, 5.2.39).

    `entities` holds for each id, in the order of the pages, the registrations of the sources that
    have the entity (`HERE`: this node); `linked` the id of the map that a source uses, by
    registration. `expires_at` is in microseconds since 1970 (UTC).
    """

    id: str
    expires_at: int
    entities: dict[str, list[str]]
    linked: dict[str, str] = {}


BatchOperation = Literal[
    "create", "upsert-replace", "upsert-update", "update", "update-no-overwrite", "merge"
]


class Broker(Protocol):
    """Every operation on entity data."""

    # -- provision (5.6) ---------------------------------------------------
    async def create_entity(self, call: Call, entity: Entity) -> None:
        """5.6.1. Raises AlreadyExists."""
        ...

    async def merge_entity(
        self,
        call: Call,
        entity_id: str,
        fragment: Entity,
        observed_at: str | None = None,
        lang: str | None = None,
        keep_kinds: bool = False,
    ) -> UpdateResult:
        """5.6.17. Raises ResourceNotFound.

        Args:
            observed_at: the common time of merged attributes that had one.
            lang: the language that a plain string sets in a LanguageProperty.
            keep_kinds: an attribute that would be of another kind then is refused.
        """
        ...

    async def replace_entity(self, call: Call, entity_id: str, entity: Entity) -> None:
        """5.6.18. Raises ResourceNotFound."""
        ...

    async def update_attributes(self, call: Call, entity_id: str, fragment: Entity) -> UpdateResult:
        """5.6.2: instances are replaced or added, an NGSI-LD Null deletes. Raises ResourceNotFound."""
        ...

    async def append_attributes(
        self, call: Call, entity_id: str, fragment: Entity, overwrite: bool = True
    ) -> UpdateResult:
        """5.6.3. Raises ResourceNotFound."""
        ...

    async def update_attribute(self, call: Call, entity_id: str, name: str, fragment: Attribute) -> None:
        """5.6.4: partial update of one instance. Raises ResourceNotFound."""
        ...

    async def replace_attribute(self, call: Call, entity_id: str, name: str, attribute: Attribute) -> None:
        """5.6.19. Raises ResourceNotFound."""
        ...

    async def delete_attribute(
        self, call: Call, entity_id: str, name: str, dataset_id: str = "", delete_all: bool = False
    ) -> None:
        """5.6.5. Raises ResourceNotFound."""
        ...

    async def delete_entity(self, call: Call, entity_id: str) -> None:
        """5.6.6. Raises ResourceNotFound."""
        ...

    async def purge(self, call: Call, query: Query, keep: Sequence[str], drop: Sequence[str]) -> BatchResult:
        """5.6.21: deletes what `query` selects, or of it only `drop` (or all but `keep`) attributes."""
        ...

    async def batch(
        self, call: Call, operation: BatchOperation, items: Sequence[Item], skip_unchanged: bool = False
    ) -> BatchResult:
        """5.6.7, 5.6.8, 5.6.9, 5.6.20: item by item.

        `skip_unchanged` leaves an entity as it is where nothing but times of
        change would differ: what connectors use, so that importing twice changes nothing.
        """
        ...

    async def batch_delete(self, call: Call, ids: Sequence[str]) -> BatchResult:
        """5.6.10."""
        ...

    # -- history (5.6.11 - 5.6.16, 5.7.3, 5.7.4) ---------------------------
    async def upsert_history(self, call: Call, append: HistoryAppend) -> bool:
        """5.6.11: True when the entity was not in history before."""
        ...

    async def append_history(self, call: Call, appends: Sequence[HistoryAppend]) -> list[int]:
        """5.6.12 for many: how many instances of each were new. An entity unknown to history is made.

        In works of a bounded number of instances, so an entity may get several events.

        Raises:
            BadRequestData: the schema of a type refuses an instance; nothing of the call is
                stored. `check_history` tells all of them beforehand.
        """
        ...

    async def check_history(self, call: Call, appends: Sequence[HistoryAppend]) -> list[HistoryRefusal]:
        """The instances that the schemas of their types refuse."""
        ...

    async def append_attributes_history(self, call: Call, entity_id: str, instances: list[Instance]) -> None:
        """5.6.12. Raises ResourceNotFound."""
        ...

    async def update_instance(
        self, call: Call, entity_id: str, name: str, instance_id: str, fragment: Attribute
    ) -> None:
        """5.6.14. Raises ResourceNotFound."""
        ...

    async def delete_history(
        self,
        call: Call,
        entity_id: str,
        *,
        name: str | None = None,
        dataset_id: str | None = None,
        instance_id: str | None = None,
    ) -> None:
        """5.6.13, 5.6.15, 5.6.16 (`dataset_id` None deletes all datasets). Raises ResourceNotFound."""
        ...

    async def retrieve_history(
        self,
        call: Call,
        entity_id: str,
        temporal: TemporalQuery,
        names: Sequence[str] = (),
        dataset_ids: Sequence[str] = (),
        instances: int | None = None,
    ) -> TemporalPage:
        """5.7.3.

        Args:
            names: the attributes asked for; none is all.
            dataset_ids: `@none` is the default instance; none is all.
            instances: most instances of the answer (the node's bound when not given).

        Raises:
            ResourceNotFound: history does not know the entity, or none of `names` on it.
        """
        ...

    async def query_history(
        self,
        call: Call,
        query: Query,
        temporal: TemporalQuery,
        names: Sequence[str] = (),
        count: bool = False,
        instances: int | None = None,
    ) -> TemporalPage:
        """5.7.4: `q` and the geo query are checked against the instances in the window.

        Raises:
            TooComplexQuery: it would look at more entities than a limit allows.
        """
        ...

    # -- consumption (5.7) -------------------------------------------------
    async def retrieve_entity(self, call: Call, entity_id: str) -> Entity:
        """5.7.1. Raises ResourceNotFound."""
        ...

    async def query_entities(self, call: Call, query: Query, count: bool = False) -> Page:
        """5.7.2."""
        ...

    def scan_entities(self, call: Call, query: Query) -> AsyncIterator[Entity]:
        """Everything a query selects, by id, without paging: for exports and large layers."""
        ...

    async def entity_types(self, call: Call) -> list[TypeCount]:
        """5.7.5."""
        ...

    async def attribute_uses(self, call: Call, type: str | None = None) -> list[AttributeUse]:
        """5.7.6 to 5.7.10: the web groups them."""
        ...

    async def origins(
        self, call: Call, entity_id: str, name: str, temporal: TemporalQuery, dataset_id: str | None = None
    ) -> list[Origin]:
        """Where the values of an attribute came from, latest first. Raises ResourceNotFound."""
        ...

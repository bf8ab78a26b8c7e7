"""What the routes are handed: ports to everything below, filled by `app`."""

from __future__ import annotations

import builtins
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from cityloom.broker.personal import Personal
from cityloom.broker.ports import Access, BatchResult, Broker, Call, EntityMap
from cityloom.broker.schemas import Schemas
from cityloom.cases.looks.insights import CaseInsights
from cityloom.cases.service import Cases
from cityloom.ld.context import LdContext
from cityloom.ld.contexts import Contexts
from cityloom.ld.limits import Limits, limits_of
from cityloom.maps.crs import CrsList
from cityloom.model.clock import Clock
from cityloom.model.entity import Entity
from cityloom.model.settings import Settings
from cityloom.query.sources import SourceQuery
from cityloom.query.values import Query, TemporalQuery
from cityloom.rules.jobs import Replays
from cityloom.rules.kept import Rules
from cityloom.store.ports import Store
from cityloom.web.keyless import KeylessReports


class KeptSubscriptions(Protocol):
    """Subscriptions to entities, or to registrations (ETSI GS CIM 009 clauses 5.8, 5.11).

    Documents are plain JSON objects with the names as the standard writes them
    (5.2.12). On the way in, names are in the terms of `ld_context` and the
    document holds no `@context`; on the way out they are compacted with it.
    """

    async def create(self, call: Call, document: dict[str, Any], ld_context: LdContext) -> str:
        """5.8.1, 5.11.2: the id, the caller's or one that was made.

        Raises:
            AlreadyExists: a subscription with this id exists.
            BadRequestData: the document is no subscription; names the member.
        """
        ...

    async def update(
        self, call: Call, subscription_id: str, fragment: dict[str, Any], ld_context: LdContext
    ) -> None:
        """5.8.2, 5.11.3. Raises ResourceNotFound, BadRequestData."""
        ...

    async def retrieve(
        self, call: Call, subscription_id: str, ld_context: LdContext, *, sys_attrs: bool = False
    ) -> dict[str, Any]:
        """5.8.3, 5.11.4. Raises ResourceNotFound."""
        ...

    async def list(
        self, call: Call, ld_context: LdContext, *, limit: int, offset: int, sys_attrs: bool = False
    ) -> tuple[Sequence[dict[str, Any]], int]:
        """5.8.4, 5.11.5: one page, by id, and how many there are in all."""
        ...

    async def delete(self, call: Call, subscription_id: str) -> None:
        """5.8.5, 5.11.6. Raises ResourceNotFound."""
        ...


class Subscriptions(KeptSubscriptions, Protocol):
    """Subscriptions to entities, and the dead letters of all."""

    async def fired_by(self, call: Call, entity: Entity, ld_context: LdContext) -> Sequence[dict[str, Any]]:
        """The subscriptions that a change of this entity can trigger, by id, as `list` writes them."""
        ...

    async def dead_letters(
        self, call: Call, *, after: str = "", limit: int = 1000
    ) -> builtins.list[dict[str, Any]]:
        """Notifications that were given up, by id."""
        ...

    async def replay(
        self, call: Call, *, ids: Sequence[str] = (), subscription_id: str | None = None
    ) -> Sequence[str]:
        """Sends dead letters once more; the ids of those that are on their way again."""
        ...


class SharedSubscriptions(Protocol):
    """Subscriptions shared with context sources (ETSI GS CIM 009 clauses 5.8.1.4, 5.8.6)."""

    def tenant_of(self, secret: str) -> str:
        """The tenant here of those whom a source tells at this secret. Raises ResourceNotFound."""
        ...

    async def receive(self, secret: str, document: Mapping[str, Any], ld_context: LdContext) -> int:
        """5.8.6: takes what a source notifies of; how many entities that were.

        Raises:
            ResourceNotFound: nobody here waits for it.
            BadRequestData: it is no notification.
        """
        ...


class Registrations(Protocol):
    """Context source registrations (ETSI GS CIM 009 clauses 5.9, 5.10), as documents (5.2.9).

    On the way in, names are in the terms of `ld_context` and the document holds no
    `@context`; on the way out they are compacted with it.
    """

    async def create(self, call: Call, document: dict[str, Any], ld_context: LdContext) -> str:
        """5.9.2: the id, the caller's or one that was made.

        Raises:
            AlreadyExists: a registration with this id exists.
            BadRequestData: the document is no registration; names the member.
            Conflict: it contradicts another registration, or an entity of this node.
        """
        ...

    async def update(self, call: Call, id: str, fragment: dict[str, Any], ld_context: LdContext) -> None:
        """5.9.3. Raises ResourceNotFound, BadRequestData, Conflict."""
        ...

    async def retrieve(
        self, call: Call, id: str, ld_context: LdContext, *, sys_attrs: bool = False
    ) -> dict[str, Any]:
        """5.10.1. Raises ResourceNotFound."""
        ...

    async def query(
        self,
        call: Call,
        query: SourceQuery,
        ld_context: LdContext,
        *,
        limit: int,
        offset: int,
        sys_attrs: bool = False,
    ) -> tuple[Sequence[dict[str, Any]], int]:
        """5.10.2: one page of those that match, by id, and how many there are in all."""
        ...

    async def delete(self, call: Call, id: str) -> None:
        """5.9.4. Raises ResourceNotFound."""
        ...


class EntityMaps(Protocol):
    """Entity maps (ETSI GS CIM 009 clause 5.14); how long one shall live comes with the call."""

    async def create_entity_map(self, call: Call, query: Query) -> EntityMap:
        """5.14.4. Raises BadRequestData, TooManyResults."""
        ...

    async def create_temporal_entity_map(
        self, call: Call, query: Query, temporal: TemporalQuery
    ) -> EntityMap:
        """5.14.5. Raises TooManyResults, TooComplexQuery."""
        ...

    async def retrieve_entity_map(self, call: Call, id: str) -> EntityMap:
        """5.14.1. Raises ResourceNotFound."""
        ...

    async def update_entity_map(self, call: Call, id: str, expires_at: int | None) -> None:
        """5.14.2: microseconds since 1970. Raises ResourceNotFound."""
        ...

    async def delete_entity_map(self, call: Call, id: str) -> None:
        """5.14.3. Raises ResourceNotFound."""
        ...


class Snapshots(Protocol):
    """Snapshots (ETSI GS CIM 009 clause 5.16), as documents (5.2.41) without `@context`."""

    def place(self, call: Call, id: str) -> str:
        """The tenant in which the data of a snapshot stand. Raises ResourceNotFound."""
        ...

    async def create(self, call: Call, document: dict[str, Any], ld_context: LdContext) -> str:
        """5.16.1: the id. Raises BadRequestData, AlreadyExists, Overloaded."""
        ...

    async def clone(self, call: Call, id: str, document: dict[str, Any]) -> str:
        """5.16.2: the id. Raises BadRequestData, ResourceNotFound, AlreadyExists, Overloaded."""
        ...

    async def retrieve(self, call: Call, id: str) -> dict[str, Any]:
        """5.16.3. Raises ResourceNotFound."""
        ...

    async def update(self, call: Call, id: str, fragment: dict[str, Any]) -> dict[str, Any]:
        """5.16.4. Raises BadRequestData, ResourceNotFound."""
        ...

    async def delete(self, call: Call, id: str) -> None:
        """5.16.5. Raises ResourceNotFound."""
        ...

    async def purge(self, call: Call, q: str) -> BatchResult:
        """5.16.7: what could be deleted, and what not. Raises BadRequestData, ResourceNotFound."""
        ...


class Sources(Protocol):
    """Connected sources, their runs and rejects, and the HTTP push connector."""

    async def list(self, call: Call) -> list[dict[str, Any]]:
        """Every source with its state and last report (INTERFACES A)."""
        ...

    async def retrieve(self, call: Call, source_id: str) -> dict[str, Any]:
        """One source. Raises ResourceNotFound."""
        ...

    async def runs(self, call: Call, source_id: str) -> builtins.list[dict[str, Any]]:
        """The runs of a source, latest first. Raises ResourceNotFound."""
        ...

    async def rejects(self, call: Call, source_id: str, limit: int) -> dict[str, Any]:
        """The first rejected rows of the last run: `{run, total, rejects}`. Raises ResourceNotFound."""
        ...

    async def rejects_file(self, call: Call, source_id: str) -> Path | None:
        """The reject file of the last run, JSON lines; None without one. Raises ResourceNotFound."""
        ...

    async def push(self, call: Call, source_id: str, rows: builtins.list[dict[str, Any]]) -> dict[str, Any]:
        """Takes rows for a mapping of format `push`; the quality report. Raises ResourceNotFound."""
        ...


class City(Struct, frozen=True, kw_only=True, rename="camel"):
    """What the page needs to know of the city; positions are lon, lat in CRS84 degrees.

    `name` is by language (`en`, `zh`); `crs` is the city's own coordinate
    reference system, for example `EPSG:26986` ("": none). `groups` are
    `{id, title, types}`: the layers that belong together, by the names of their
    types; what stands in none is for the page to put elsewhere.
    """

    name: dict[str, str]
    profile: str
    center: tuple[float, float]
    bbox: tuple[float, float, float, float] | None = None
    languages: list[str] = []
    time_zone: str = "UTC"
    crs: str = ""
    attribution: list[dict[str, str]] = []
    groups: list[dict[str, Any]] = []


Identify = Callable[[Mapping[str, str]], str]
"""Headers (lower case names) -> party; "" where nobody is named. Raises Unauthorized."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything the routes work with.

    `alias` gives the pseudonym of a tenant of this node (5.2.40). `store` is for reads that
    are no business of the broker's: layers, the log, tenants. `checks` are what `/health` asks
    besides: name -> an awaitable that raises when something is wrong. `cases` are None in a city whose
    profile tells nothing of them. `fresh`, where other processes write to the same store, waits until
    what is held in memory is as new as the store. `worker` and `process` are what this process is
    called among those that answer; `beside` is the folder where each of them writes down what it counted.
    """

    broker: Broker
    store: Store
    contexts: Contexts
    access: Access
    identify: Identify
    alias: Callable[[str], str]
    subscriptions: Subscriptions
    shared: SharedSubscriptions
    registrations: Registrations
    entity_maps: EntityMaps
    snapshots: Snapshots
    source_subscriptions: KeptSubscriptions
    sources: Sources
    schemas: Schemas
    personal: Personal
    cases: Cases | None
    case_insights: CaseInsights | None
    rules: Rules
    rule_replays: Replays
    city: City
    clock: Clock
    settings: Settings
    checks: Mapping[str, Callable[[], Awaitable[None]]]
    fresh: Callable[[], Awaitable[None]] | None = None
    worker: int = 0
    process: str = ""
    beside: Path | None = None

    @cached_property
    def crs(self) -> CrsList:
        """The systems that maps can be asked for in. Raises ConfigurationError."""
        return CrsList(self.city.crs)

    @cached_property
    def keyless(self) -> KeylessReports:
        """How many reports come without a key, as this process knows it."""
        return KeylessReports(self.settings, self.clock)

    @cached_property
    def limits(self) -> Limits:
        """The bounds of documents, from the settings."""
        return limits_of(self.settings)

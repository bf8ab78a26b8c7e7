"""The table of all operations, the paths made of it, and the application around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response
from starlette.routing import Router
from starlette.types import Lifespan, Receive, Scope, Send

from cityloom.ld.context import LdContext
from cityloom.maps.kept import KeptTiles
from cityloom.model.errors import ResourceNotFound
from cityloom.model.tenants import SNAPSHOT_HEADER
from cityloom.web.cases import cases, rules
from cityloom.web.cases import insights as case_insights
from cityloom.web.city import lineage, measures, past, search
from cityloom.web.city import profile as city
from cityloom.web.city.events import events_operations
from cityloom.web.city.hub import Hub
from cityloom.web.edge import Edge
from cityloom.web.headers import SNAPSHOT, Headers
from cityloom.web.load import Load
from cityloom.web.ngsi import (
    batch,
    discovery,
    entities,
    entity_attributes,
    entity_maps,
    ld_contexts,
    notifications,
    registrations,
    snapshots,
    subscriptions,
    temporal,
)
from cityloom.web.ngsi.info import info_operations
from cityloom.web.ogc import collections as ogc_collections
from cityloom.web.ogc import items as ogc_items
from cityloom.web.ogc import sensorthings
from cityloom.web.ogc.api import api_operation
from cityloom.web.ogc.tiles import tile_operations
from cityloom.web.open311 import routes as open311_routes
from cityloom.web.open311_answers import OPEN311_ROOT, error_answer
from cityloom.web.openapi import openapi_operation
from cityloom.web.operation import health, personal, schemas, sources
from cityloom.web.operation.metrics import Counted, Metrics
from cityloom.web.operation.node import node_operations
from cityloom.web.page import add_page
from cityloom.web.paths import Paths
from cityloom.web.problem import problem_response
from cityloom.web.problem_pages import problem_answer
from cityloom.web.resource import NGSI_LD_ROOT, Operation, add_resources
from cityloom.web.services import Services

_FIXED: Final[tuple[Sequence[Operation], ...]] = (
    entities.OPERATIONS,
    entity_attributes.OPERATIONS,
    batch.OPERATIONS,
    temporal.OPERATIONS,
    discovery.OPERATIONS,
    subscriptions.OPERATIONS,
    notifications.OPERATIONS,
    registrations.OPERATIONS,
    entity_maps.OPERATIONS,
    ld_contexts.OPERATIONS,
    snapshots.OPERATIONS,
    city.OPERATIONS,
    past.OPERATIONS,
    measures.OPERATIONS,
    ogc_collections.OPERATIONS,
    ogc_items.OPERATIONS,
    search.OPERATIONS,
    lineage.OPERATIONS,
    sources.OPERATIONS,
    schemas.OPERATIONS,
    personal.OPERATIONS,
    cases.OPERATIONS,
    case_insights.OPERATIONS,
    open311_routes.OPERATIONS,
    rules.OPERATIONS,
    sensorthings.OPERATIONS,
    health.OPERATIONS,
)


def operations(services: Services, hub: Hub, metrics: Metrics) -> list[Operation]:
    """Every operation of this node, the often used first."""
    table = [operation for group in _FIXED for operation in group]
    table += info_operations(services.clock, services.alias)
    table += events_operations(hub)
    kept = KeptTiles()
    table += tile_operations(kept)
    table.append(measures.summary_operation(kept))
    table.append(
        Operation(
            name="readMetrics",
            method="GET",
            path="/metrics",
            handler=metrics.read,
            summary="Meters for Prometheus, as text",
        )
    )
    table += node_operations(hub, services.clock)
    table.append(api_operation(table, services))
    table.append(openapi_operation(table))
    return table


class Application:
    """The ASGI application of a node.

    Args:
        lifespan: what runs as long as the application does.

    `hub` ends the streams of events on `close()`, which a node does before it stops; they would
    otherwise hold it up. `paths` are all that it answers, and `load` is
    what it holds for those who ask.
    """

    def __init__(self, services: Services, lifespan: Lifespan[Application] | None = None) -> None:
        metrics = self.metrics = Metrics(services.store, services.beside)
        self.hub = Hub(services.store, LdContext.core)
        self.paths = Paths(_Nowhere(services))
        add_resources(self.paths, services, operations(services, self.hub, metrics))
        add_page(self.paths)
        self.load = Load(services.settings.max_requests, services.settings.max_held_bytes)
        metrics.look = self._look
        self._edge = Edge(self.paths, services.settings, metrics.observe, self.load, services.clock)
        self._life = Router(lifespan=lifespan)

    def _look(self, counted: Counted) -> None:
        counted.listeners = self.hub.listeners
        counted.under_way, counted.held = self.load.requests, self.load.held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._edge(scope, receive, send)
        elif scope["type"] == "lifespan":
            scope["app"] = self
            await self._life(scope, receive, send)


class _Nowhere:
    """Answers where no path is."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def answer(
        self, scope: Scope, receive: Receive, headers: Headers, variables: dict[str, str]
    ) -> Response:
        path = scope["path"]
        error = ResourceNotFound(f"the path {path[:200]} does not exist")
        if path.startswith(NGSI_LD_ROOT):
            response = problem_response(error, ngsi_ld=True)
        elif path.startswith(OPEN311_ROOT):
            response = error_answer(error, path)
        else:
            response = problem_answer(error, scope, self._services)
        snapshot = headers.get(SNAPSHOT)
        if snapshot is not None:
            response.headers[SNAPSHOT_HEADER] = snapshot
        return response

"""The table of all operations, the routes made of it, and the application around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from cityloom.ld.context import LdContext
from cityloom.maps.kept import KeptTiles
from cityloom.model.errors import ResourceNotFound
from cityloom.model.tenants import SNAPSHOT_HEADER, TENANT_HEADER
from cityloom.web import (
    batch,
    city,
    discovery,
    entities,
    entity_attributes,
    entity_maps,
    health,
    ld_contexts,
    lineage,
    measures,
    notifications,
    ogc_collections,
    ogc_items,
    past,
    personal,
    registrations,
    schemas,
    search,
    sensorthings,
    snapshots,
    sources,
    subscriptions,
    temporal,
)
from cityloom.web.edge import Edge
from cityloom.web.events import events_operations
from cityloom.web.hub import Hub
from cityloom.web.info import info_operations
from cityloom.web.metrics import Metrics
from cityloom.web.node import node_operations
from cityloom.web.ogc_api import api_operation
from cityloom.web.ogc_tiles import tile_operations
from cityloom.web.openapi import openapi_operation
from cityloom.web.page import page_routes
from cityloom.web.problem import problem_response
from cityloom.web.problem_pages import problem_answer
from cityloom.web.resource import NGSI_LD_ROOT, Operation, build_routes
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


def routes(services: Services, hub: Hub, metrics: Metrics) -> list[BaseRoute]:
    """Every route of this node."""
    return [
        *build_routes(services, operations(services, hub, metrics)),
        *page_routes(),
    ]


def application(services: Services, **options: Any) -> Starlette:
    """The ASGI application.

    Its `state.hub` ends the streams of events on `close()`, which a node does
    before it stops; they would otherwise hold it up.

    Args:
        options: more for Starlette, such as `lifespan`.
    """
    metrics = Metrics(services.store)
    hub = Hub(services.store, LdContext.core)
    metrics.listeners.set_function(lambda: hub.listeners)
    app = Starlette(
        routes=routes(services, hub, metrics),
        middleware=[Middleware(Edge, settings=services.settings, metrics=metrics)],
        **options,
    )
    app.router.redirect_slashes = False
    app.router.default = _no_such_path(services)
    app.state.hub = hub
    return app


def _no_such_path(services: Services) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"]
        error = ResourceNotFound(f"the path {path[:200]} does not exist")
        if path.startswith(NGSI_LD_ROOT):
            response = problem_response(error, ngsi_ld=True)
        else:
            response = problem_answer(error, scope, services)
        for name in (TENANT_HEADER, SNAPSHOT_HEADER):
            told = Headers(scope=scope).get(name)
            if told is not None:
                response.headers[name] = told
        await response(scope, receive, send)

    return answer

"""`/map/layers/{type}/summary` and `/map/areas`: what a legend and a coloured map of areas are drawn from."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from starlette.responses import Response

from cityloom.ld.compact import Form, compact_attribute
from cityloom.ld.context import LdContext
from cityloom.ld.language import check_languages, choose_language
from cityloom.maps.kept import KeptTiles, Shown
from cityloom.maps.queryables import check_filter
from cityloom.model.entity import LOCATION, Attribute, Entity
from cityloom.model.errors import BadRequestData
from cityloom.model.time import parse_datetime
from cityloom.query.areas import METHODS, Areas, Method, aggregate_in_areas, representative_point
from cityloom.query.summary import RANKS, summarize
from cityloom.query.values import CqlNode, Query, TypeIs
from cityloom.store.ports import Snapshot
from cityloom.web.answers import encode
from cityloom.web.body import JSON
from cityloom.web.city.profile import require_types
from cityloom.web.city.span import values_in_span
from cityloom.web.filters import FILTER_PARAMS, read_filter
from cityloom.web.incoming import Incoming
from cityloom.web.resource import Operation, Schema

_ALL: Final = 2**62
_DEFAULT_VALUES: Final = 20
_MOST_VALUES: Final = 1000
_SIMPLIFIED: Final = Form(representation="simplified")
_AREAL: Final = ("Polygon", "MultiPolygon")


def summary_operation(kept: KeptTiles) -> Operation:
    """The operation that summarises an attribute; what it told is kept in `kept` beside the tiles."""

    async def summarize_attribute(incoming: Incoming) -> Response:
        """`GET /map/layers/{type}/summary`.

        With `after` and `until` it is of what a replay from the one to the other shows: the values at its
        beginning, and each that was observed until its end.

        Cost: about 5 µs for each entity, off the event loop; one row where none of them has changed since.
        Of a span, 20 µs for each reading.
        """
        incoming.services.access.check(incoming.call, "read", "map")
        ld_context, given = await incoming.ld_context(), incoming.path["type"]
        name, type = _attribute_name(incoming, ld_context), ld_context.expand_name(given)
        limit = incoming.params.integer("limit", 1) or _DEFAULT_VALUES
        if limit > _MOST_VALUES:
            raise BadRequestData(f"parameter limit is invalid: the most is {_MOST_VALUES}")
        span = _span(incoming)
        language = _language(incoming)
        render = _shown(name, ld_context, language)
        query, tenant = _query(type, read_filter(incoming.params, ld_context)), incoming.call.tenant
        # What the names mean decides what the values are called; a condition is told by its text.
        words = (incoming.params.get("filter"), incoming.params.get("filter-lang"))
        key = ("summary", tenant, type, name, limit, language, words, encode(ld_context.source))
        shown = Shown(tenant, type, None if query.filter is not None else (name,))

        def read(snapshot: Snapshot) -> bytes:
            require_types(snapshot, tenant, {type: given}, "type")
            check_filter(snapshot, tenant, type, ld_context, query.filter)

            if span is not None:
                now = {one.id: _one(one, name) for one in snapshot.lights(tenant, query, [name])}
                values = values_in_span(snapshot, tenant, type, name, now, span)
                return encode(summarize(values, render, limit))

            def summary(_: object) -> bytes:
                found = (_one(entity, name) for entity in snapshot.lights(tenant, query, [name]))
                return encode(summarize(found, render, limit))

            return gzip.decompress(kept.answer(snapshot, key, shown, summary).tile.body)

        body = await asyncio.wrap_future(incoming.services.store.read(read))
        return Response(body, media_type=JSON)

    return Operation(
        name="summarizeAttribute",
        method="GET",
        path="/map/layers/{type}/summary",
        handler=summarize_attribute,
        summary="What values an attribute has over a layer",
        params=frozenset({"attribute", "lang", "limit", "after", "until"}) | FILTER_PARAMS,
        response=_SUMMARY,
    )


async def colour_areas(incoming: Incoming) -> Response:
    """`GET /map/areas`: each area with an aggregate over the entities whose `location` lies in it.

    Lines and polygons lie where a point surely inside them lies. An area's border belongs to it; areas
    that overlap each count what they share. Areas without a polygon are left out.

    Cost: about 10 µs for each entity, and GEOS once for all of them, off the event loop.
    """
    incoming.services.access.check(incoming.call, "read", "map")
    ld_context = await incoming.ld_context()
    areas_given, given = _required(incoming, "areas"), _required(incoming, "type")
    areas_type, type = ld_context.expand_name(areas_given), ld_context.expand_name(given)
    method = incoming.params.text("aggregate") or "count"
    if method not in METHODS:
        raise BadRequestData(
            f"parameter aggregate is invalid: {method[:100]!r} is none of {', '.join(METHODS)}"
        )
    name = None
    if method != "count" or "attribute" in incoming.params:
        name = _attribute_name(incoming, ld_context)
    query, tenant = _query(type, read_filter(incoming.params, ld_context)), incoming.call.tenant

    def read(snapshot: Snapshot) -> bytes:
        require_types(snapshot, tenant, {areas_type: areas_given}, "areas")
        require_types(snapshot, tenant, {type: given}, "type")
        check_filter(snapshot, tenant, type, ld_context, query.filter)
        areas = Areas(list(_polygons(snapshot, tenant, areas_type)))
        if not len(areas):
            raise BadRequestData(
                f"parameter areas is invalid: no {areas_given} has a polygon as its location"
            )
        points, values, nowhere = _counted(snapshot, tenant, query, name, method)
        told, outside = aggregate_in_areas(areas, points, values, method)
        return encode({"areas": told, "outside": outside, "noPlace": nowhere})

    return Response(await asyncio.wrap_future(incoming.services.store.read(read)), media_type=JSON)


def _query(type: str, filter: CqlNode | None = None) -> Query:
    return Query(types=TypeIs(type), filter=filter, limit=_ALL)


def _required(incoming: Incoming, name: str) -> str:
    value = incoming.params.text(name)
    if value is None:
        raise BadRequestData(f"parameter {name} is required")
    return value


def _span(incoming: Incoming) -> tuple[int, int] | None:
    """From when to when (µs); None where it is not asked for. Raises BadRequestData."""
    if "after" not in incoming.params and "until" not in incoming.params:
        return None
    after = parse_datetime(_required(incoming, "after"), "parameter after")
    until = parse_datetime(_required(incoming, "until"), "parameter until")
    if after > until:
        raise BadRequestData("parameter after is invalid: it is later than until")
    return after, until


def _attribute_name(incoming: Incoming, ld_context: LdContext) -> str:
    return ld_context.expand_name(_required(incoming, "attribute"))


def _language(incoming: Incoming) -> str:
    """The languages that texts are wanted in: `lang`, else Accept-Language, else the city's first."""
    lang = incoming.params.text("lang")
    if lang is not None:
        return check_languages(lang)
    accepted = incoming.headers.get("accept-language", "")
    return accepted or next(iter(incoming.services.city.languages), "*")


def _shown(name: str, ld_context: LdContext, languages: str) -> Callable[[Attribute], Any]:
    def shown(attribute: Attribute) -> Any:
        value: Any = attribute.value
        kind = type(value)
        if kind is float or kind is int or kind is bool:
            return value
        if attribute.kind == "LanguageProperty" and isinstance(value, dict) and value:
            return choose_language(value, languages)[1]
        if attribute.kind == "VocabProperty" and kind is str:
            return ld_context.compact_iri(value)
        return compact_attribute(name, [attribute], ld_context, _SIMPLIFIED)

    return shown


def _one(entity: Entity, name: str) -> Attribute | None:
    """The default instance of an attribute, or else the first."""
    instances = entity.attributes.get(name)
    if not instances:
        return None
    # Nearly always there is one, and a hundred thousand entities are asked.
    if len(instances) == 1:
        return instances[0]
    return next((one for one in instances if not one.dataset_id), instances[0])


def _polygons(snapshot: Snapshot, tenant: str, type: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for entity in snapshot.lights(tenant, _query(type), [LOCATION]):
        location = _one(entity, LOCATION)
        value: Any = location.value if location is not None else None
        if isinstance(value, dict) and value.get("type") in _AREAL:
            yield entity.id, value


def _counted(
    snapshot: Snapshot, tenant: str, query: Query, name: str | None, method: Method
) -> tuple[Any, Any, int]:
    """Points and numbers of the entities that count, and how many of those have no place.

    With an attribute only those count that have it; for all but `count`, as a number.
    """
    points: list[tuple[float, float]] = []
    values: list[float] = []
    nowhere = 0
    for entity in snapshot.lights(tenant, query, [LOCATION] if name is None else [LOCATION, name]):
        number = 0.0
        if name is not None:
            attribute = _one(entity, name)
            if attribute is None:
                continue
            if method != "count":
                value: Any = attribute.value
                if type(value) is not int and type(value) is not float:
                    continue
                number = float(value)
        location = _one(entity, LOCATION)
        place: Any = location.value if location is not None else None
        if not isinstance(place, dict):
            nowhere += 1
            continue
        points.append(representative_point(place))
        values.append(number)
    return np.array(points, dtype=float).reshape(-1, 2), np.array(values, dtype=float), nowhere


_COUNTS: Final[Schema] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["value", "count"],
        "properties": {"value": {}, "count": {"type": "integer"}},
    },
}
_SUMMARY: Final[Schema] = {
    "type": "object",
    "required": ["count", "missing"],
    "properties": {
        "count": {"type": "integer"},
        "missing": {"type": "integer"},
        "numbers": {
            "type": "object",
            "required": ["count", "min", "max", "quantiles", "whole"],
            "properties": {
                "count": {"type": "integer"},
                "min": {"type": "number"},
                "max": {"type": "number"},
                "quantiles": {
                    "type": "array",
                    "description": f"Those of the ranks {', '.join(map(str, RANKS))}.",
                    "items": {"type": "number"},
                    "minItems": len(RANKS),
                    "maxItems": len(RANKS),
                },
                "whole": {"type": "boolean", "description": "None of them has a fraction."},
            },
        },
        "values": _COUNTS,
        "others": {"type": "integer"},
        "unitCode": {"type": "string"},
        "unitCodes": _COUNTS,
    },
}
_COLOURED: Final[Schema] = {
    "type": "object",
    "required": ["areas", "outside", "noPlace"],
    "properties": {
        "areas": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "value", "count"],
                "properties": {
                    "id": {"type": "string"},
                    "value": {"type": ["number", "null"]},
                    "count": {"type": "integer"},
                },
            },
        },
        "outside": {"type": "integer"},
        "noPlace": {"type": "integer"},
    },
}

OPERATIONS = [
    Operation(
        name="colourAreas",
        method="GET",
        path="/map/areas",
        handler=colour_areas,
        summary="Areas with an aggregate over the entities that lie in them",
        params=frozenset({"areas", "type", "aggregate", "attribute"}) | FILTER_PARAMS,
        response=_COLOURED,
    ),
]

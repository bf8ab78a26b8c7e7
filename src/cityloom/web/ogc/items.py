"""`/ogc/collections/{collectionId}/items` and below: features, in every format.

Source: OGC 17-069r4 clauses 7.15, 7.16; OGC 18-058r1 clauses 6.3, 6.4; OGC 19-079r2 clauses 8, 9.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct
from starlette.responses import Response

from cityloom.broker.transient import alive
from cityloom.ld.context import LdContext
from cityloom.maps.collections import Collection, find_collection
from cityloom.maps.crs import Crs
from cityloom.maps.features import Column, Writer, read_columns
from cityloom.maps.geojson import encode_collection, features_of
from cityloom.maps.items import Request, Selection, read_box, read_order, select
from cityloom.maps.queryables import check_filter, meant
from cityloom.maps.tables import encode_csv, encode_parquet
from cityloom.maps.times import parse_period
from cityloom.model.entity import LOCATION
from cityloom.model.errors import BadRequestData, InvalidRequest, ResourceNotFound
from cityloom.model.time import format_datetime
from cityloom.query.values import CqlNode
from cityloom.store.ports import Snapshot
from cityloom.web.body import GEO_JSON, JSON
from cityloom.web.filters import FILTER_PARAMS, all_of, read_filter, read_property_filters
from cityloom.web.html import HTML
from cityloom.web.incoming import Incoming
from cityloom.web.ogc.pages import Pages
from cityloom.web.ogc.schemas import FEATURE as FEATURE_SCHEMA
from cityloom.web.ogc.schemas import FEATURE_COLLECTION
from cityloom.web.ogc.shared import (
    COMMON_PARAMS,
    CSV,
    FEATURE,
    FEATURES,
    PARQUET,
    ROOT,
    Link,
    json_answer,
    languages_of,
    link,
    own_links,
    read,
    told,
    url_of,
)
from cityloom.web.params import Params
from cityloom.web.resource import Operation

_MOST_ON_A_PAGE: Final = 1000
"""Features of one HTML page."""


class _Asked(Struct, frozen=True, kw_only=True):
    """What was asked for, read once; `properties` are those that are parameters of their own.

    `filter` is the parameter of that name; the request's has the properties too.
    """

    request: Request
    filter: CqlNode | None
    crs: Crs
    columns: list[Column] | None
    languages: str
    properties: list[str]
    sortby: list[str]


class _Answered(Struct, frozen=True, kw_only=True):
    """What came of it; `features` for HTML, else `body`."""

    collection: Collection
    matched: int
    returned: int
    body: bytes = b""
    features: list[dict[str, Any]] = []


async def list_features(incoming: Incoming) -> Response:
    """`GET /ogc/collections/{collectionId}/items` (7.15).

    Cost: read and encoded off the event loop; see `maps.items.select`.
    """
    ld_context = await incoming.ld_context()
    asked = _read(incoming, ld_context)
    now = incoming.services.clock.now()

    def work(snapshot: Snapshot) -> _Answered:
        return _answer(incoming, snapshot, ld_context, asked, now)

    answered = await read(incoming, work)
    links = _page_links(incoming, answered, asked.request)
    if incoming.accept == HTML:
        document = {
            "features": answered.features,
            "numberMatched": answered.matched,
            "numberReturned": answered.returned,
        }
        collection = answered.collection
        response = Pages(incoming).items(collection.title, collection.id, document, links)
    else:
        response = told(incoming, Response(answered.body, media_type=incoming.accept), links)
    if incoming.accept not in (GEO_JSON, JSON):
        # Where the body has no place for them (7.15.8).
        response.headers["OGC-NumberMatched"] = str(answered.matched)
        response.headers["OGC-NumberReturned"] = str(answered.returned)
    response.headers["Content-Crs"] = f"<{asked.crs.uri}>"
    return response


def _read(incoming: Incoming, ld_context: LdContext) -> _Asked:
    """Reads the parameters. Raises BadRequestData, InvalidRequest: names the one that is wrong."""
    params, settings, known = incoming.params, incoming.services.settings, incoming.services.crs
    limit = min(params.integer("limit", 1) or settings.items_default, settings.items_max)
    if incoming.accept == HTML:
        limit = min(limit, _MOST_ON_A_PAGE)
    bbox, bbox_crs = params.text("bbox"), known.find(params.text("bbox-crs"), "bbox-crs")
    datetime, sortby = params.text("datetime"), params.names("sortby")
    properties = {name: value for name, value in params.items() if name not in _ITEMS_PARAMS}
    filters = read_property_filters(properties, ld_context)
    filter = read_filter(params, ld_context, known.find(params.text("filter-crs"), "filter-crs"))
    if filter is not None:
        filters.append(filter)
    return _Asked(
        request=Request(
            box=read_box(bbox, bbox_crs) if bbox is not None else None,
            period=parse_period(datetime) if datetime is not None else None,
            filter=all_of(filters),
            order=read_order(sortby, ld_context) if sortby else None,
            limit=limit,
            offset=params.integer("offset") or 0,
        ),
        filter=filter,
        crs=known.find(params.text("crs"), "crs"),
        columns=_columns(params, ld_context),
        languages=languages_of(incoming),
        properties=list(properties),
        sortby=[term.lstrip("+- ") for term in sortby],
    )


def _columns(params: Params, ld_context: LdContext) -> list[Column] | None:
    names = params.names("properties")
    try:
        return read_columns(names, ld_context) if names else None
    except BadRequestData as error:
        raise BadRequestData(f"parameter properties is invalid: {error.detail}") from None


def _answer(
    incoming: Incoming, snapshot: Snapshot, ld_context: LdContext, asked: _Asked, now: int
) -> _Answered:
    tenant = incoming.call.tenant
    collection = find_collection(snapshot, tenant, ld_context, incoming.path["collectionId"])
    check_filter(snapshot, tenant, collection.type, ld_context, asked.filter)
    _require_properties(snapshot, tenant, collection, asked, ld_context)
    writer = Writer(ld_context, asked.languages, asked.columns)
    selection = select(snapshot, tenant, collection, asked.request, writer.names, now)
    if incoming.accept == HTML:
        features = [each for piece in features_of(selection, writer, asked.crs) for each in piece]
        return _Answered(
            collection=collection,
            matched=selection.matched,
            returned=selection.returned,
            features=features,
        )
    if incoming.accept in (CSV, PARQUET):
        encode_table = encode_csv if incoming.accept == CSV else encode_parquet
        labels = _labels(snapshot, tenant, collection, ld_context, asked)
        body = encode_table(selection, writer, asked.crs, labels)
    else:
        members = _members(incoming, collection, asked.request, selection)
        body = encode_collection(selection, writer, asked.crs, members)
    return _Answered(collection=collection, matched=selection.matched, returned=selection.returned, body=body)


def _require_properties(
    snapshot: Snapshot, tenant: str, collection: Collection, asked: _Asked, ld_context: LdContext
) -> None:
    """What is filtered by or sorted by is a property of the collection.

    What is selected need not be: who draws many collections asks each for a name.

    Raises:
        InvalidRequest: a parameter is none of the operation's and no property either.
        BadRequestData: `sortby` names what no feature has.
    """
    if not (asked.properties or asked.sortby):
        return
    uses = snapshot.attribute_uses(tenant, collection.type)
    queryables = {use.name for use in uses if use.kinds != ["GeoProperty"]}
    for name in _strangers(asked.properties, queryables, ld_context):
        raise InvalidRequest(
            f"parameter {name[:100]!r} is invalid: neither this operation knows it "
            f"nor is it a property of {collection.id}{meant(name, queryables, ld_context)}"
        )
    known = {use.name for use in uses}
    for name in _strangers(asked.sortby, known, ld_context):
        raise BadRequestData(
            f"parameter sortby is invalid: {name[:100]!r} is no property "
            f"of {collection.id}{meant(name, known, ld_context)}"
        )


def _strangers(names: list[str], known: set[str], ld_context: LdContext) -> Iterator[str]:
    """Those of `names` that are no attribute of `known`, and nothing that every feature has.

    Whether an object is silent can be asked while none is.
    """
    for name in names:
        columns = read_columns([name], ld_context)
        if name != "stale" and any(column.name and column.name not in known for column in columns):
            yield name


def _labels(
    snapshot: Snapshot, tenant: str, collection: Collection, ld_context: LdContext, asked: _Asked
) -> list[str]:
    """The columns of a table: so that every page of a collection has the same."""
    if asked.columns is not None:
        return [column.label for column in asked.columns]
    uses = snapshot.attribute_uses(tenant, collection.type)
    return sorted(ld_context.compact_key(use.name) for use in uses if use.name != LOCATION)


def _members(
    incoming: Incoming, collection: Collection, request: Request, selection: Selection
) -> Iterator[tuple[str, Any]]:
    """What a collection of features tells beside them; begun when they are all written."""
    answered = _Answered(collection=collection, matched=selection.matched, returned=selection.returned)
    yield "numberMatched", answered.matched
    yield "numberReturned", answered.returned
    yield "timeStamp", format_datetime(incoming.services.clock.now())
    yield "links", _page_links(incoming, answered, request)


def _page_links(incoming: Incoming, answered: _Answered, request: Request) -> list[Link]:
    links = own_links(incoming, FEATURES)
    here = ("collections", answered.collection.id, "items")
    kept = dict(incoming.params)
    word = next((word for word, type in FEATURES.items() if type == incoming.accept), "json")

    def page(offset: int, rel: str) -> Link:
        params = {**kept, "f": word, "limit": request.limit, "offset": offset}
        return link(url_of(incoming, *here, params=params), rel, incoming.accept)

    if request.offset > 0:
        links.append(page(max(0, request.offset - request.limit), "prev"))
    if request.offset + request.limit < answered.matched:
        links.append(page(request.offset + request.limit, "next"))
    links.append(link(url_of(incoming, *here[:2]), "collection", JSON, answered.collection.title))
    return links


async def read_feature(incoming: Incoming) -> Response:
    """`GET /ogc/collections/{collectionId}/items/{featureId}` (7.16)."""
    ld_context = await incoming.ld_context()
    params, tenant = incoming.params, incoming.call.tenant
    crs = incoming.services.crs.find(params.text("crs"), "crs")
    writer = Writer(ld_context, languages_of(incoming), _columns(params, ld_context))
    wanted, now = incoming.path["featureId"], incoming.services.clock.now()

    def work(snapshot: Snapshot) -> tuple[Collection, dict[str, Any]]:
        collection = find_collection(snapshot, tenant, ld_context, incoming.path["collectionId"])
        stored = snapshot.get(tenant, wanted)
        entity = None if stored is None else alive(stored, now)
        if entity is None or collection.type not in entity.types:
            raise ResourceNotFound(f"feature {wanted[:200]!r} does not exist in collection {collection.id!r}")
        ((feature,),) = features_of([entity], writer, crs)
        return collection, feature

    collection, feature = await read(incoming, work)
    links = [
        *own_links(incoming, FEATURE),
        link(url_of(incoming, "collections", collection.id), "collection", JSON, collection.title),
    ]
    if incoming.accept == HTML:
        response = Pages(incoming).feature(collection.id, feature, links)
    else:
        response = json_answer(incoming, {**feature, "links": links}, links)
    response.headers["Content-Crs"] = f"<{crs.uri}>"
    return response


_ITEM_PARAMS: Final = COMMON_PARAMS | {"crs", "properties"}
_ITEMS_PARAMS: Final = (
    _ITEM_PARAMS | FILTER_PARAMS | {"bbox", "bbox-crs", "datetime", "filter-crs", "limit", "offset", "sortby"}
)

OPERATIONS = [
    Operation(
        name="getFeatures",
        method="GET",
        path=f"{ROOT}/collections/{{collectionId}}/items",
        handler=list_features,
        summary="The features of a collection",
        params=_ITEMS_PARAMS,
        more_params="properties of the collection, each with the value that it must have",
        answers=(*FEATURES.values(), JSON),
        formats=FEATURES,
        response=FEATURE_COLLECTION,
    ),
    Operation(
        name="getFeature",
        method="GET",
        path=f"{ROOT}/collections/{{collectionId}}/items/{{featureId}}",
        handler=read_feature,
        summary="One feature",
        params=_ITEM_PARAMS,
        answers=(*FEATURE.values(), JSON),
        formats=FEATURE,
        response=FEATURE_SCHEMA,
    ),
]

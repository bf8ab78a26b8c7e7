"""From the words of a request to a `Query`, a `Projection` and a `Form`.

The same words come as query parameters (6.4.3.2) and as members of a Query
document (5.2.23), so both pass through a `Words` mapping.

Source: ETSI GS CIM 009 clauses 5.2.13, 5.2.21, 5.2.23, 5.2.33, 5.2.43, 5.2.44,
5.7.1, 5.7.2, 5.7.4, 6.3.7.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from cityloom.broker.ports import Forwarding
from cityloom.ld.compact import Form
from cityloom.ld.context import LdContext
from cityloom.ld.language import check_languages
from cityloom.model.entity import LOCATION
from cityloom.model.errors import BadRequestData, InvalidRequest, TooComplexQuery
from cityloom.query.parse import (
    parse_geo,
    parse_id_pattern,
    parse_ids,
    parse_order_by,
    parse_projection,
    parse_q,
    parse_scope_q,
    parse_temporal,
    parse_type_selection,
    split_names,
)
from cityloom.query.sources import attributes_of
from cityloom.query.values import Projection, Query, TemporalQuery, TypeExpression, TypeOr
from cityloom.web.body import GEO_JSON
from cityloom.web.incoming import Incoming
from cityloom.web.paging import Paging
from cityloom.web.params import Params

Words = Mapping[str, Any]
Expand = Callable[[str], str]

SELECTION: Final = frozenset({"id", "idPattern", "type", "q", "scopeQ"})
GEO: Final = frozenset({"georel", "geometry", "coordinates", "geoproperty"})
COERCION: Final = frozenset({"expandValues", "jsonKeys"})
ORDER: Final = frozenset({"orderBy", "collation", "orderFrom", "orderGeometry"})
PROJECTION: Final = frozenset({"attrs", "pick", "omit", "datasetId", "lang"})
TEMPORAL: Final = frozenset({"timerel", "timeAt", "endTimeAt", "timeproperty", "lastN", "repeats"})
AGGREGATION: Final = frozenset({"aggrMethods", "aggrPeriodDuration"})
REPRESENTATION: Final = frozenset({"format", "options"})
DISTRIBUTED: Final = frozenset({"local", "splitEntities"})
"""What says how far a query reaches."""
SOURCES: Final = frozenset({"csf"})
"""What chooses among context sources."""
ENTITY_MAPS: Final = frozenset({"entityMap", "entityMapLifetime"})
LINKED: Final = frozenset({"join", "joinLevel", "containedBy"})

_FORMATS_IN_ORDER: Final = ("normalized", "concise", "simplified", "keyValues")
FORMATS: Final = frozenset(_FORMATS_IN_ORDER)
_EVERYTHING: Final = Projection()
TEMPORAL_FORMATS: Final = frozenset({"temporalValues", "aggregatedValues"})

_SYSTEM: Final = frozenset({"createdAt", "modifiedAt", "deletedAt", "expiresAt"})


def read_query(
    words: Words, ld_context: LdContext, paging: Paging, *, selects: bool = True, join_level: int = 0
) -> Query:
    """What a request selects.

    Args:
        words: `id`, `type`, `q`, ... as text, or as the JSON of a Query document.
        selects: whether something must narrow the query, unless it is local (5.7.2.4).
        join_level: how deep its conditions may reach into linked entities.

    Raises:
        BadRequestData: a part is invalid, or the query is too wide.
    """
    expand = ld_context.expand_term
    type_text = words.get("type")
    if type_text == "*" and words.get("local") in ("false", False):
        raise BadRequestData("parameter local is invalid: with type=* the scope is local")
    attrs = parse_projection({"attrs": words["attrs"]}, expand).attrs if words.get("attrs") else []
    query = Query(
        ids=parse_ids(words["id"]) if words.get("id") is not None else [],
        id_pattern=_pattern(words),
        types=parse_type_selection(type_text, expand) if type_text is not None else None,
        attrs=attrs,
        q=_q(words, expand, join_level),
        scope_q=parse_scope_q(words["scopeQ"]) if words.get("scopeQ") is not None else None,
        geo=parse_geo(words, expand),
        dataset_ids=[],
        order_by=parse_order_by(words, expand),
        limit=paging.limit,
        offset=paging.offset,
    )
    if not selects:
        return query
    require_narrow(query, words, False)
    return query


def require_narrow(query: Query, words: Words, selected: bool) -> None:
    """Refuses a query that nothing narrows, unless it is local (5.7.2.4).

    Args:
        selected: whether EntitySelectors narrow it.

    Raises:
        BadRequestData: it is too wide.
    """
    asked = query.q is not None and attributes_of(query.q)
    narrow = selected or words.get("type") is not None or asked or query.geo is not None
    local = words.get("local") in ("true", True)
    if not (narrow or local or any(name not in _SYSTEM for name in query.attrs)):
        raise BadRequestData("type, attrs, q or georel is required, unless local=true")


def read_distribution(incoming: Incoming, words: Words, ld_context: LdContext) -> None:
    """How a query reaches registered sources (4.3.6.7), kept with the call.

    Raises:
        BadRequestData: a part is invalid.
    """
    if incoming.call.forwarding is not None:
        distribute(incoming.call.forwarding, words, ld_context)


def distribute(forwarding: Forwarding, words: Words, ld_context: LdContext) -> None:
    """As `read_distribution`, for one of several queries of a request."""
    split = words.get("splitEntities")
    if split not in (None, "true", "false", True, False):
        raise BadRequestData(f"splitEntities is invalid: {split!r} is neither true nor false")
    forwarding.words = words
    csf = words.get("csf")
    if csf is not None:
        forwarding.csf = parse_q(csf, ld_context.expand_term)
    forwarding.split = None if split is None else split in ("true", True)
    if words.get("type") == "*":
        forwarding.local = True


def _pattern(words: Words) -> str | None:
    """`id` goes before `idPattern` (5.2.33)."""
    if words.get("idPattern") is None or words.get("id") is not None:
        return None
    return parse_id_pattern(words["idPattern"])


def _q(words: Words, expand: Expand, join_level: int) -> Any:
    if words.get("q") is None:
        return None
    return parse_q(
        words["q"],
        expand,
        expand_values=split_names(words.get("expandValues")),
        json_keys=split_names(words.get("jsonKeys")),
        join_level=join_level,
    )


def read_projection(words: Words, ld_context: LdContext, join_level: int = 0) -> Projection:
    """Which members of the selected entities are answered. Raises BadRequestData."""
    if PROJECTION.isdisjoint(words):
        return _EVERYTHING
    lang = words.get("lang")
    if isinstance(lang, str) and lang.strip():
        check_languages(lang)
    return parse_projection(words, ld_context.expand_term, join_level)


def projected_names(projection: Projection) -> list[str]:
    """The attributes that a projection names one by one, for reading no more of history than that."""
    if projection.attrs:
        return list(projection.attrs)
    return [path[0] for path in projection.pick if path[0] not in ("id", "type", "scope")]


def read_types(text: str, ld_context: LdContext) -> TypeExpression | None:
    """A selection of types (4.17); None is any."""
    return parse_type_selection(text, ld_context.expand_term)


def read_form(
    params: Params, options: frozenset[str], accept: str, ld_context: LdContext, projection: Projection
) -> Form:
    """How entities are written (6.3.7, 6.3.11, 6.3.15).

    Raises:
        InvalidRequest: a format that is none.
        BadRequestData: geometryProperty without GeoJSON.
    """
    geojson = accept == GEO_JSON
    geometry = params.text("geometryProperty")
    if geometry is not None and not geojson:
        raise BadRequestData("parameter geometryProperty is invalid: it is for Accept: application/geo+json")
    return Form(
        representation=_representation(params, options),
        sys_attrs="sysAttrs" in options,
        geojson=geojson,
        geometry_property=ld_context.expand_name(geometry) if geometry else LOCATION,
        lang=read_languages(projection),
    )


def read_languages(projection: Projection) -> str | None:
    """The languages that are asked for (4.15). Raises BadRequestData: they are no language ranges."""
    return None if projection.lang is None else check_languages(projection.lang)


def _representation(
    params: Params, options: frozenset[str]
) -> Literal["normalized", "concise", "simplified"]:
    wanted = params.text("format")
    if wanted is None:
        wanted = next((option for option in _FORMATS_IN_ORDER if option in options), "normalized")
    elif wanted not in FORMATS:
        raise InvalidRequest(f"parameter format is invalid: {wanted!r}")
    if wanted in ("simplified", "keyValues"):
        return "simplified"
    return "concise" if wanted == "concise" else "normalized"


class TemporalForm(Struct, frozen=True):
    """How temporal evolutions are written (6.3.12)."""

    representation: Literal["normalized", "temporalValues", "aggregatedValues"]
    sys_attrs: bool


def read_temporal_form(params: Params, options: frozenset[str]) -> TemporalForm:
    """Reads `format` and `options` of a temporal operation. Raises InvalidRequest."""
    wanted = params.text("format")
    if wanted is None:
        found = sorted(options & TEMPORAL_FORMATS)
        if len(found) > 1:
            raise InvalidRequest("parameter options is invalid: temporalValues or aggregatedValues, not both")
        wanted = found[0] if found else "normalized"
    if wanted == "temporalValues":
        return TemporalForm("temporalValues", "sysAttrs" in options)
    if wanted == "aggregatedValues":
        return TemporalForm("aggregatedValues", "sysAttrs" in options)
    if wanted != "normalized":
        raise InvalidRequest(f"parameter format is invalid: {wanted!r}")
    return TemporalForm("normalized", "sysAttrs" in options)


def read_temporal(words: Words, form: TemporalForm) -> TemporalQuery:
    """The temporal query of a request (4.11).

    Raises:
        BadRequestData: a part is invalid.
        InvalidRequest: aggregatedValues without aggrMethods.
    """
    temporal = parse_temporal(words) or TemporalQuery()
    if form.representation == "aggregatedValues":
        if not temporal.aggr_methods:
            raise InvalidRequest("parameter aggrMethods is required with aggregatedValues")
        return temporal
    return replace(temporal, aggr_methods=[]) if temporal.aggr_methods else temporal


class Selector(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """An EntitySelector (5.2.33)."""

    type: str
    id: str | list[str] | None = None
    id_pattern: str | None = None


class GeoQ(Struct, frozen=True, forbid_unknown_fields=True):
    """A GeoQuery (5.2.13)."""

    georel: str
    geometry: str
    coordinates: str | list[Any]
    geoproperty: str | None = None


class TemporalQ(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A TemporalQuery (5.2.21)."""

    timerel: str | None = None
    time_at: str | None = None
    end_time_at: str | None = None
    timeproperty: str | None = None
    last_n: int | None = None
    aggr_methods: str | list[str] | None = None
    aggr_period_duration: str | None = None


class AggrParams(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """AggregationParams (5.2.44)."""

    aggr_methods: str | list[str]
    aggr_period_duration: str | None = None


class Ordering(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """OrderingParams (5.2.43)."""

    order_by: list[str]
    collation: str | None = None
    coordinates: list[Any] | None = None
    geometry: str | None = None


class QueryDocument(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """The body of a query by POST (5.2.23)."""

    type: Literal["Query"]
    entities: list[Selector] | UnsetType = UNSET
    attrs: list[str] | UnsetType = UNSET
    pick: list[str] | UnsetType = UNSET
    omit: list[str] | UnsetType = UNSET
    dataset_id: list[str] | UnsetType = UNSET
    q: str | UnsetType = UNSET
    geo_q: GeoQ | UnsetType = UNSET
    scope_q: str | UnsetType = UNSET
    lang: str | UnsetType = UNSET
    temporal_q: TemporalQ | UnsetType = UNSET
    aggr_params: AggrParams | UnsetType = UNSET
    ordering: Ordering | UnsetType = UNSET
    expand_values: str | UnsetType = UNSET
    json_keys: str | UnsetType = UNSET
    split_entities: bool | UnsetType = UNSET
    csf: str | UnsetType = UNSET
    join: Literal["flat", "inline", "@none"] | UnsetType = UNSET
    join_level: int | UnsetType = UNSET
    contained_by: list[str] | UnsetType = UNSET
    entity_map: bool | UnsetType = UNSET
    entity_map_lifetime: str | UnsetType = UNSET


def words_of(document: QueryDocument, *, temporal: bool) -> dict[str, Any]:
    """The words of a Query document, as `read_query` and the others take them.

    Raises:
        BadRequestData: an empty array, or a member that is for the other operation.
    """
    words: dict[str, Any] = {}
    lists = (("attrs", document.attrs), ("pick", document.pick), ("omit", document.omit))
    for name, members in lists:
        if isinstance(members, list):
            if not members:
                raise BadRequestData(f"member {name} is invalid: it is empty")
            words[name] = members
    for name, value in (
        ("q", document.q),
        ("scopeQ", document.scope_q),
        ("lang", document.lang),
        ("datasetId", document.dataset_id),
        ("expandValues", document.expand_values),
        ("jsonKeys", document.json_keys),
        ("join", document.join),
        ("joinLevel", document.join_level),
        ("containedBy", document.contained_by),
        ("csf", document.csf),
        ("splitEntities", document.split_entities),
        ("entityMap", document.entity_map),
        ("entityMapLifetime", document.entity_map_lifetime),
    ):
        if value is not UNSET:
            words[name] = value
    if isinstance(document.geo_q, GeoQ):
        words |= _given(document.geo_q)
    if isinstance(document.ordering, Ordering):
        words["orderBy"] = document.ordering.order_by
        words["collation"] = document.ordering.collation
        words["orderFrom"] = document.ordering.coordinates
        words["orderGeometry"] = document.ordering.geometry
    if not temporal and (document.temporal_q is not UNSET or document.aggr_params is not UNSET):
        raise BadRequestData("temporalQ and aggrParams are invalid: they are for the temporal query")
    if isinstance(document.temporal_q, TemporalQ):
        words |= _given(document.temporal_q)
    if isinstance(document.aggr_params, AggrParams):
        words |= _given(document.aggr_params)
    return words


def _given(part: Struct) -> dict[str, Any]:
    names = zip(part.__struct_fields__, part.__struct_encode_fields__, strict=True)
    return {wire: value for name, wire in names if (value := getattr(part, name)) is not None}


def with_selectors(query: Query, selectors: Sequence[Selector], expand: Expand) -> Query:
    """The query narrowed to a list of EntitySelectors, of which one must fit.

    Raises:
        BadRequestData: the list is empty, or an id or a type is invalid.
        TooComplexQuery: selectors that differ in ids and in types at once.
    """
    if not selectors:
        raise BadRequestData("member entities is invalid: it is empty")
    types = [parse_type_selection(selector.type, expand) for selector in selectors]
    ids = [_selector_ids(selector) for selector in selectors]
    patterns = [
        None if found else selector.id_pattern for found, selector in zip(ids, selectors, strict=True)
    ]
    expression = types[0]
    if any(other != expression for other in types):
        if any(other != ids[0] for other in ids) or any(other != patterns[0] for other in patterns):
            raise TooComplexQuery("member entities is invalid: its selectors differ both in ids and in types")
        known = [term for term in types if term is not None]
        expression = TypeOr(known) if len(known) == len(types) else None
    all_ids = [one for found in ids for one in found]
    if all_ids and not all(ids):
        raise TooComplexQuery("member entities is invalid: some selectors have ids and some have none")
    if len(set(patterns)) > 1:
        raise TooComplexQuery("member entities is invalid: its selectors have different id patterns")
    pattern = parse_id_pattern(patterns[0]) if patterns[0] is not None else None
    return replace(query, types=expression, ids=list(dict.fromkeys(all_ids)), id_pattern=pattern)


def _selector_ids(selector: Selector) -> list[str]:
    if selector.id is None:
        return []
    return parse_ids(selector.id if isinstance(selector.id, str) else ",".join(selector.id))

"""The parsed forms of everything that selects, orders or projects entities.

Source: ETSI GS CIM 009 clauses 4.9 (q), 4.10 (geo), 4.11 (temporal), 4.17
(type selection), 4.19 (scope), 4.21 (pick, omit), 4.23 (orderBy), 5.5.9 (paging);
OGC 21-065r2 (CQL2). All names of types and attributes are expanded IRIs.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct

from cityloom.model.entity import LOCATION

MEMBERS: Final = frozenset(
    {
        "id",
        "type",
        "scope",
        "createdAt",
        "modifiedAt",
        "deletedAt",
        "expiresAt",
        "observedAt",
        "unitCode",
        "datasetId",
        "instanceId",
        "objectType",
        "valueType",
    }
)
"""Members of entities and attributes that are no attributes: in paths they keep these plain names."""


class TypeIs(Struct, frozen=True, tag=True, tag_field="kind"):
    """The entity has this type."""

    type: str


class TypeAnd(Struct, frozen=True, tag=True, tag_field="kind"):
    """Every one of `terms` selects the entity."""

    terms: list[TypeExpression]


class TypeOr(Struct, frozen=True, tag=True, tag_field="kind"):
    """At least one of `terms` selects the entity."""

    terms: list[TypeExpression]


TypeExpression = TypeIs | TypeAnd | TypeOr
"""`None` where one is optional means any type (also the wildcard `*`)."""


class Path(Struct, frozen=True):
    """Where a `q` term looks: an attribute, sub-attributes, then members of its value.

    `a.b[c.d]` is attributes=(a, b) and members=(c, d): all names expanded but
    that the raw names of members are kept too, for JsonProperty values and
    for language tags (`title[en]`), in `raw_members`. Members of the system
    (`createdAt`, `observedAt`, `unitCode`, `id`, `type`, `scope` ...: `MEMBERS`)
    stay plain words in `attributes`.
    """

    attributes: tuple[str, ...]
    members: tuple[str, ...] = ()
    raw_members: tuple[str, ...] = ()


class QText(Struct, frozen=True, tag=True):
    """A text literal: `text` as written, `iri` as the caller's terms expand it (VocabProperty, types).

    One without quotes (`gender==Male`) equals or not, but has no order.
    """

    text: str
    iri: str
    quoted: bool = True


class Range(Struct, frozen=True, tag=True):
    """`low..high`, both ends included."""

    low: Any
    high: Any


class AnyOf(Struct, frozen=True, tag=True):
    """`a,b,c`: one of these values (or ranges)."""

    values: list[Any]


class QExists(Struct, frozen=True, tag=True):
    """The path leads to something."""

    path: Path


class QCompare(Struct, frozen=True, tag=True):
    """`path operator value`; `value` a text (`QText`), number, bool, time (`QTime`), `Range` or `AnyOf`.

    A plain `str` is a text that expands to itself: a URI, or the pattern of `~=` and `!~=`.
    """

    path: Path
    operator: Literal["==", "!=", ">", "<", ">=", "<=", "~=", "!~="]
    value: Any


class QTime(Struct, frozen=True, tag=True):
    """A date, time or date-time literal; `text` as written, `micros` when it is a date-time."""

    text: str
    micros: int | None = None


class QAnd(Struct, frozen=True, tag=True):
    """All of `terms`."""

    terms: list[QNode]


class QOr(Struct, frozen=True, tag=True):
    """At least one of `terms`."""

    terms: list[QNode]


class QLinked(Struct, frozen=True, tag=True):
    """`relationship{node}`: an entity that the relationship leads to (of one of `types`) meets `node`.

    What is linked may lie elsewhere: whoever looks it up puts `QLinks` in its place, or hands `matcher`
    what gives entities.
    """

    relationship: str
    node: QNode
    types: list[str] = []


class QLinks(Struct, frozen=True, tag=True):
    """The relationship leads to one of these entities."""

    relationship: str
    ids: list[str]


QNode = QExists | QCompare | QAnd | QOr | QLinked | QLinks


def names_in(node: QNode) -> list[str]:
    """The attributes, or members of the entity, that a query speaks of, as expanded."""
    if isinstance(node, QAnd | QOr):
        return [name for term in node.terms for name in names_in(term)]
    if isinstance(node, QLinked | QLinks):
        return [node.relationship]
    return [node.path.attributes[0]]


GeoRelation = Literal["near", "within", "contains", "overlaps", "intersects", "equals", "disjoint"]


class GeoQuery(Struct, frozen=True, kw_only=True):
    """A relation to a reference geometry (GeoJSON, lon and lat in CRS84 degrees); distances in metres.

    `or_absent` selects entities without the GeoProperty, too (OGC API Features' `bbox`).
    """

    georel: GeoRelation
    geometry: dict[str, Any]
    max_distance: float | None = None
    min_distance: float | None = None
    geoproperty: str = LOCATION
    or_absent: bool = False


class ScopeTerm(Struct, frozen=True, tag=True):
    """One scope of a scope query: `/a/b`, with `+` for one level and `#` for any below."""

    scope: str


class ScopeAnd(Struct, frozen=True, tag=True):
    """All of `terms` (`;`)."""

    terms: list[ScopeExpression]


class ScopeOr(Struct, frozen=True, tag=True):
    """At least one of `terms` (`,` or `|`)."""

    terms: list[ScopeExpression]


ScopeExpression = ScopeTerm | ScopeAnd | ScopeOr


# -- CQL2 (OGC 21-065r2): the filter language of the OGC APIs ------------------------------------------
class CqlProperty(Struct, frozen=True, tag=True):
    """The value of a property, `name` as the caller wrote it.

    `paths` are the ways in which the dotted name may be read (sub-attributes, members of a
    value), the first that leads somewhere counts.
    """

    name: str
    paths: tuple[Path, ...]


class CqlText(Struct, frozen=True, tag=True):
    """A text; `iri` is what it expands to, for values of a vocabulary."""

    text: str
    iri: str


class CqlNumber(Struct, frozen=True, tag=True):
    """A finite number."""

    value: float


class CqlBoolean(Struct, frozen=True, tag=True):
    """TRUE or FALSE, as a value or as a condition."""

    value: bool


class CqlInstant(Struct, frozen=True, tag=True):
    """A moment (µs since 1970, UTC), or with `is_date` the day that begins then."""

    micros: int
    is_date: bool = False


class CqlInterval(Struct, frozen=True, tag=True):
    """From `start` to `end`, both included; None is no bound."""

    start: CqlInstant | CqlProperty | None
    end: CqlInstant | CqlProperty | None


class CqlGeometry(Struct, frozen=True, tag=True):
    """A geometry (GeoJSON, GeometryCollection too; lon and lat in CRS84 degrees)."""

    geometry: dict[str, Any]


class CqlArray(Struct, frozen=True, tag=True):
    """A set of values."""

    items: list[CqlExpression]


class CqlArithmetic(Struct, frozen=True, tag=True):
    """`left operator right` of numbers."""

    operator: Literal["+", "-", "*", "/", "%", "div", "^"]
    left: CqlExpression
    right: CqlExpression


class CqlFold(Struct, frozen=True, tag=True):
    """A text without the difference of case (CASEI) or of accents (ACCENTI)."""

    fold: Literal["casei", "accenti"]
    text: CqlExpression


CqlExpression = (
    CqlProperty
    | CqlText
    | CqlNumber
    | CqlBoolean
    | CqlInstant
    | CqlInterval
    | CqlGeometry
    | CqlArray
    | CqlArithmetic
    | CqlFold
)
"""What has a value."""


class CqlCompare(Struct, frozen=True, tag=True):
    """`left operator right`."""

    operator: Literal["=", "<>", "<", ">", "<=", ">="]
    left: CqlExpression
    right: CqlExpression


class CqlLike(Struct, frozen=True, tag=True):
    """The text is of the pattern: `%` any characters, `_` one, a backslash before either: itself."""

    text: CqlExpression
    pattern: str


class CqlBetween(Struct, frozen=True, tag=True):
    """`low <= value <= high`."""

    value: CqlExpression
    low: CqlExpression
    high: CqlExpression


class CqlIn(Struct, frozen=True, tag=True):
    """The value equals one of `items`."""

    value: CqlExpression
    items: list[CqlExpression]


class CqlIsNull(Struct, frozen=True, tag=True):
    """There is no value, or the condition is unknown."""

    operand: CqlExpression | CqlNode


class CqlRelation(Struct, frozen=True, tag=True):
    """A relation of two geometries (`s_…`), times (`t_…`) or sets (`a_…`), by its name in CQL2 JSON."""

    name: str
    left: CqlExpression
    right: CqlExpression


class CqlNot(Struct, frozen=True, tag=True):
    """`term` is false."""

    term: CqlNode


class CqlAnd(Struct, frozen=True, tag=True):
    """All of `terms`."""

    terms: list[CqlNode]


class CqlOr(Struct, frozen=True, tag=True):
    """At least one of `terms`."""

    terms: list[CqlNode]


CqlNode = (
    CqlBoolean | CqlCompare | CqlLike | CqlBetween | CqlIn | CqlIsNull | CqlRelation | CqlNot | CqlAnd | CqlOr
)
"""What is true, false or unknown of an entity."""


class OrderTerm(Struct, frozen=True):
    """One key to order by: by value, or (`by_distance`) by distance from the order's `geometry`."""

    path: Path
    descending: bool = False
    by_distance: bool = False


class OrderBy(Struct, frozen=True):
    """The keys of an order, first the strongest; the id always breaks ties."""

    terms: list[OrderTerm]
    collation: str | None = None
    geometry: dict[str, Any] | None = None


class Query(Struct, frozen=True, kw_only=True):
    """What selects current entities; every given part must hold.

    `attrs` keeps entities that have at least one of these attributes.
    `filter` is a condition in CQL2, of which only TRUE selects.
    `limit` 0 with a wanted count answers no entities (5.5.9).
    `after`, of temporal evolutions alone, is the id of the last one before `offset`: whoever knows it
    spares looking at all of those again.
    """

    ids: list[str] = []
    id_pattern: str | None = None
    types: TypeExpression | None = None
    attrs: list[str] = []
    q: QNode | None = None
    scope_q: ScopeExpression | None = None
    geo: GeoQuery | None = None
    filter: CqlNode | None = None
    dataset_ids: list[str] = []
    order_by: OrderBy | None = None
    limit: int = 20
    offset: int = 0
    after: str = ""


class Projection(Struct, frozen=True, kw_only=True):
    """What of a selected entity is answered (clauses 4.21, 4.5.5, 4.15).

    `pick` and `omit` name expanded attributes or the members `id`, `type`,
    `scope`, `createdAt`, `modifiedAt`, `expiresAt`; sub-attributes are
    reached by nested tuples of names. `dataset_ids` keeps these instances
    (`@none` is the default one). `lang` picks one language.
    """

    attrs: list[str] = []
    pick: list[tuple[str, ...]] = []
    omit: list[tuple[str, ...]] = []
    dataset_ids: list[str] = []
    lang: str | None = None


AggregateMethod = Literal["totalCount", "distinctCount", "sum", "avg", "min", "max", "stddev", "sumsq"]


class TemporalQuery(Struct, frozen=True, kw_only=True):
    """What of the history is answered (4.11); times in microseconds since 1970 (UTC).

    `period` is (calendar months, microseconds); both 0 is one period over everything.
    """

    timerel: Literal["before", "after", "between"] | None = None
    time_at: int | None = None
    end_time_at: int | None = None
    timeproperty: Literal["observedAt", "createdAt", "modifiedAt", "deletedAt"] = "observedAt"
    last_n: int | None = None
    aggr_methods: list[AggregateMethod] = []
    period: tuple[int, int] = (0, 0)
    with_repeats: bool = True

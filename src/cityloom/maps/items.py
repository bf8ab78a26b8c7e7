"""Which features are asked for, and reading them: one pass over what the store finds.

Source: OGC 17-069r4 clauses 7.15, 7.16; OGC 18-058r1 clause 6.3; OGC 19-079r2 clause 8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from cityloom.broker.transient import alive
from cityloom.ld.context import LdContext
from cityloom.maps.collections import Collection
from cityloom.maps.crs import Crs, numbers_of
from cityloom.maps.features import ENTITY_MEMBERS, geometry_of
from cityloom.maps.times import Period, in_period
from cityloom.model.entity import LOCATION, Entity
from cityloom.model.errors import BadRequestData
from cityloom.query.values import MEMBERS, CqlNode, GeoQuery, OrderBy, OrderTerm, Path, Query, TypeIs
from cityloom.store.entity_ports import EntityReads

_NO_LIMIT: Final = 2**62
_PIECE: Final = 1000


class BoundingBox(Struct, frozen=True, kw_only=True):
    """Where features must be: a GeoJSON geometry in CRS84 degrees, and heights in metres."""

    geometry: dict[str, Any]
    heights: tuple[float, float] | None = None


class Request(Struct, frozen=True, kw_only=True):
    """What selects features of a collection; every given part must hold."""

    box: BoundingBox | None = None
    period: Period | None = None
    filter: CqlNode | None = None
    order: OrderBy | None = None
    limit: int
    offset: int = 0


class Selection:
    """The features of one answer, one after the other; how many match is known at the end."""

    def __init__(self, features: Iterator[Entity], matched: Callable[[int], int]) -> None:
        self._features = features
        self._matched = matched
        self.returned = 0

    def __iter__(self) -> Iterator[Entity]:
        for feature in self._features:
            self.returned += 1
            yield feature

    @property
    def matched(self) -> int:
        """How many features match, on all pages; to be asked when all were taken."""
        return self._matched(self.returned)


def read_box(text: str, crs: Crs) -> BoundingBox:
    """Reads `bbox`: four numbers, or six with heights, in the order of the system's axes.

    Raises:
        BadRequestData: it is no box of this system.
    """
    numbers = numbers_of(text, "bbox")
    if len(numbers) == 4:
        return BoundingBox(geometry=crs.box(numbers[:2], numbers[2:]))
    if len(numbers) != 6:
        raise BadRequestData("parameter bbox is invalid: four numbers are required, or six with heights")
    low, high = numbers[2], numbers[5]
    if low > high:
        raise BadRequestData("parameter bbox is invalid: the lower height comes first")
    return BoundingBox(geometry=crs.box(numbers[:2], numbers[3:5]), heights=(low, high))


def read_order(terms: Sequence[str], ld_context: LdContext) -> OrderBy:
    """Reads `sortby`: names with `+` (or nothing) for rising and `-` for falling.

    Raises:
        BadRequestData: one of them is no name.
    """
    read = []
    for term in terms:
        # A plus sign that was not percent-encoded comes as a blank.
        name = term.lstrip("+- ")
        if not name:
            raise BadRequestData(f"parameter sortby is invalid: {term!r} names nothing")
        read.append(OrderTerm(path=path_of(name, ld_context), descending=term.startswith("-")))
    return OrderBy(terms=read)


def path_of(name: str, ld_context: LdContext) -> Path:
    """Where a property lies in entities: `no2`, `no2.observedAt`, `id`, `modifiedAt`."""
    if name == "id" or name in ENTITY_MEMBERS:
        return Path((name,))
    # The name of an attribute may be an IRI, full of dots, or a dotted path.
    first, *below = [name] if "://" in name else name.split(".")
    attribute = ld_context.expand_name(first)
    if len(below) == 1 and below[0] in MEMBERS:
        return Path((attribute, below[0]))
    members = tuple(ld_context.expand_term(part) for part in below)
    return Path((attribute,), members, tuple(below))


def select(
    reads: EntityReads,
    tenant: str,
    collection: Collection,
    request: Request,
    names: Sequence[str] | None,
    now: int,
) -> Selection:
    """The features of a collection that a request selects.

    Args:
        names: the attributes that the answer needs; None is all.
        now: microseconds since 1970, for what expires.

    Cost: a page costs a page where nothing selects; else all that the index finds is looked at once,
    since the answer tells how many match.
    """
    query = Query(types=TypeIs(collection.type), limit=request.limit, offset=request.offset)
    if request.order is not None:
        query = replace(query, order_by=request.order)
    if request.box is not None:
        lacking = collection.located < collection.count
        query = replace(query, geo=_geo(request.box, or_absent=lacking))
    if request.filter is not None:
        query = replace(query, filter=request.filter)
    if query.geo is None and request.period is None and query.filter is None:
        found = _alive(reads.lights(tenant, query, names), now)
        return Selection(found, lambda _: collection.count)
    every = replace(query, limit=_NO_LIMIT, offset=0)
    if request.period is not None:
        # The time may stand on any attribute.
        return _one_pass(reads.lights(tenant, every), request, now)
    if names is not None:
        return _one_pass(reads.lights(tenant, every, names), request, now)
    # To be counted an entity need not be read whole.
    light = _one_pass(reads.lights(tenant, every, [LOCATION]), request, now)
    ids = [entity.id for entity in light]
    matched = light.matched
    return Selection(_alive(_by_ids(reads, tenant, ids), now), lambda _: matched)


def _by_ids(reads: EntityReads, tenant: str, ids: list[str]) -> Iterator[Entity]:
    for start in range(0, len(ids), _PIECE):
        piece = ids[start : start + _PIECE]
        known = reads.get_many(tenant, piece)
        yield from (known[entity_id] for entity_id in piece)


def _geo(box: BoundingBox, *, or_absent: bool) -> GeoQuery:
    return GeoQuery(georel="intersects", geometry=box.geometry, or_absent=or_absent)


def _one_pass(found: Iterator[Entity], request: Request, now: int) -> Selection:
    seen = 0

    def counted() -> Iterator[Entity]:
        nonlocal seen
        for entity in _alive(found, now):
            if _holds(request, entity):
                seen += 1
                yield entity

    passing = counted()

    def rest(_: int) -> int:
        for _entity in passing:
            pass
        return seen

    return Selection(islice(passing, request.offset, request.offset + request.limit), rest)


def _alive(entities: Iterator[Entity], now: int) -> Iterator[Entity]:
    for entity in entities:
        living = alive(entity, now)
        if living is not None:
            yield living


def _holds(request: Request, entity: Entity) -> bool:
    if request.period is not None and not in_period(entity, request.period):
        return False
    if request.box is not None and request.box.heights is not None:
        return _within_heights(geometry_of(entity), request.box.heights)
    return True


def _within_heights(geometry: dict[str, Any] | None, heights: tuple[float, float]) -> bool:
    """Whether a geometry reaches between two heights; one without heights is on every one."""
    known: list[float] = []
    _collect_heights(geometry.get("coordinates") if geometry is not None else None, known)
    return not known or (min(known) <= heights[1] and max(known) >= heights[0])


def _collect_heights(coordinates: Any, into: list[float]) -> None:
    if not isinstance(coordinates, list) or not coordinates:
        return
    if isinstance(coordinates[0], list):
        for part in coordinates:
            _collect_heights(part, into)
    elif len(coordinates) > 2:
        into.append(coordinates[2])

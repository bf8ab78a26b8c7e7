"""What a map asks of a store: entities as they are seen, without their bodies where that is enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from cityloom.model.entity import AttributeKind

Box = tuple[float, float, float, float]
"""west, south, east, north in CRS84 degrees"""
Name = str | bytes | None
"""A name as told: a text, or by language as JSON"""


class Told(Struct, frozen=True, gc=False):
    """Of an instance of an attribute, what is shown: light, since there are a hundred thousand."""

    kind: AttributeKind | Literal[""] = ""
    value: Any = None
    dataset_id: str = ""


Values = Sequence[Told | None]
"""The default instances (or else the first) of the attributes asked for, in their order"""


PointSight = tuple[str, Name, float, float, Values | None]
"""(id, name, lon, lat, values) of an entity whose location is one Point, exact in CRS84 degrees.

A plain tuple, since a map asks for a hundred thousand; values None where no attribute was asked for.
"""


class ShapeSight(NamedTuple):
    """An entity with another location.

    `box` is around it, outward by at most 1 part in 2^23; `geometry` is its GeoJSON,
    None where the box is smaller than was asked for. `dimension`: 0 points, 1 lines, 2 areas.
    """

    id: str
    name: Name
    dimension: int
    box: Box
    geometry: bytes | None
    values: Values


class Found(Struct, frozen=True, kw_only=True):
    """An entity that a search found: `location` is its GeoJSON, None when it has none."""

    id: str
    types: list[str]
    name: Name
    location: bytes | None


class MapReads(Protocol):
    """Entities as a map shows them."""

    def points(
        self, tenant: str, type: str, box: Box, attributes: Sequence[str] = ()
    ) -> Sequence[PointSight]:
        """Entities of a type in a box whose location is one Point, by id.

        Cost: without `attributes` (expanded) about 3 µs an entity and no body; with them 10 µs.
        """
        ...

    def shapes(
        self,
        tenant: str,
        type: str,
        box: Box,
        least: tuple[float, float] = (0.0, 0.0),
        attributes: Sequence[str] = (),
    ) -> Sequence[ShapeSight]:
        """Entities of a type that a box touches whose location is another geometry, by id.

        Args:
            least: degrees of longitude and latitude; what is smaller in both comes without its geometry.
        """
        ...

    def silent(self, tenant: str, type: str) -> set[str]:
        """The entities of a type whose `stale` is true."""
        ...

    def changed(self, tenant: str, type: str, attributes: Sequence[str] | None = ()) -> int:
        """The number of the last event that changed what a map shows of a type; 0 when there was none.

        That is: which entities there are, where, their names, whether they are silent, which
        attributes they have, and the values of `attributes` (None: anything).

        Cost: one row.
        """
        ...

    def search(self, tenant: str, text: str, limit: int) -> list[Found]:
        """Entities whose name in any language, id or type's name holds `text`, without case and accents.

        Those whose name, id and type's name together hold each of its words count as well. The whole name
        or id (or its last part) comes first, then what begins with it, then what a word begins with, then
        the rest, then what holds the words apart, types last; among equals those of the types that have
        fewest entities (a district before a crowd of lamps), then by id.

        Cost: a walk through all sights, about 0.5 µs an entity.
        """
        ...


def read_name(name: bytes) -> dict[str, Any]:
    """A name by language: language tag -> text or texts."""
    names: dict[str, Any] = msgspec.json.decode(name)
    return names

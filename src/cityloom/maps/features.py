"""An entity as a feature: a geometry and plain values by compact name.

An attribute is told by its default instance, else its first; a text in
several languages by the one that suits the reader; a typed value by the value
alone. What is told of a value (`no2.observedAt`, `no2.unitCode`), its members
(`address.street`) and sub-attributes are told where they are asked for.

Source: OGC 17-069r4 clauses 7.16, 8; RFC 7946; ETSI GS CIM 009 clause 4.5.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
from msgspec import UNSET, Struct

from cityloom.ld.context import LdContext
from cityloom.ld.language import choose_language
from cityloom.ld.values import compact_value
from cityloom.maps.crs import CRS84, Crs
from cityloom.model.entity import LOCATION, Attribute, Entity
from cityloom.query.geometry import GEOMETRY_TYPES

GeoJson = dict[str, Any]

ENTITY_MEMBERS: Final = frozenset({"createdAt", "modifiedAt"})
"""Members of an entity that a feature can tell."""
_TELLS: Final[dict[str, Callable[[Attribute], Any]]] = {
    "observedAt": lambda each: each.observed_at,
    "unitCode": lambda each: each.unit_code,
    "createdAt": lambda each: each.created_at,
    "modifiedAt": lambda each: each.modified_at,
    "datasetId": lambda each: each.dataset_id or None,
}
_SCALARS: Final = frozenset((str, int, float, bool))
_IDENTITY: Final = frozenset({"id"})


class Column(Struct, frozen=True):
    """One property of the answer: label, IRI of the attribute ("": a member of the entity), what is below."""

    label: str
    name: str
    below: tuple[str, ...] = ()


def read_columns(labels: Iterable[str], ld_context: LdContext) -> list[Column]:
    """Columns from the names of `properties`: `no2`, `no2.observedAt`, `address.street`, `modifiedAt`.

    Raises:
        BadRequestData: one of them is no name.
    """
    columns = []
    for label in dict.fromkeys(labels):
        if label in _IDENTITY:
            continue
        if label in ENTITY_MEMBERS:
            columns.append(Column(label, ""))
            continue
        # The name of an attribute may be an IRI, full of dots, or a dotted path.
        first, *below = [label] if "://" in label else label.split(".")
        columns.append(Column(label, ld_context.expand_name(first), tuple(below)))
    return columns


class Writer:
    """Renders features of one answer.

    Args:
        ld_context: gives the names.
        languages: the reader's language ranges, as in `Accept-Language`.
        columns: the properties to tell; None is every attribute but `location`.
    """

    def __init__(self, ld_context: LdContext, languages: str, columns: Sequence[Column] | None) -> None:
        self._ld_context = ld_context
        self._languages = languages
        self._columns = columns

    @property
    def names(self) -> list[str] | None:
        """The attributes that must be read; None is all."""
        if self._columns is None:
            return None
        return [LOCATION, *(column.name for column in self._columns if column.name)]

    def properties(self, entity: Entity) -> dict[str, Any]:
        """The values of a feature; what it does not have is left out."""
        properties = {}
        if self._columns is None:
            for name, instances in entity.attributes.items():
                if name != LOCATION:
                    value = self.value(preferred(instances))
                    if value is not None:
                        properties[self._ld_context.compact_key(name)] = value
            return properties
        for column in self._columns:
            value = self._of_column(entity, column)
            if value is not None:
                properties[column.label] = value
        return properties

    def _of_column(self, entity: Entity, column: Column) -> Any:
        if not column.name:
            return entity.created_at if column.label == "createdAt" else entity.modified_at
        instances = entity.attributes.get(column.name)
        if not instances:
            return None
        instance = preferred(instances)
        return self._below(instance, column.below) if column.below else self.value(instance)

    def _below(self, instance: Attribute, path: tuple[str, ...]) -> Any:
        first, rest = path[0], path[1:]
        if not rest and first in _TELLS:
            return _TELLS[first](instance)
        subs = instance.attributes.get(self._ld_context.expand_term(first)) if instance.attributes else None
        if subs:
            sub = preferred(subs)
            return self._below(sub, rest) if rest else self.value(sub)
        if instance.kind == "LanguageProperty" and isinstance(instance.value, dict) and not rest:
            return instance.value.get(first)
        value = self.value(instance)
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def value(self, instance: Attribute) -> Any:
        """The plain value of an instance; None where it has none."""
        value: Any = instance.value
        if value is UNSET:
            return None
        match instance.kind:
            case "LanguageProperty":
                return choose_language(value, self._languages)[1] if value else None
            case "VocabProperty":
                compact = self._ld_context.compact_iri
                return [compact(part) for part in value] if isinstance(value, list) else compact(value)
            case "Property" | "ListProperty" if type(value) not in _SCALARS:
                plain = compact_value(value, self._ld_context)
                return plain["@value"] if isinstance(plain, dict) and "@value" in plain else plain
        return value


def preferred(instances: Sequence[Attribute]) -> Attribute:
    """The instance that stands for an attribute: the default one, else the first."""
    if len(instances) == 1:
        return instances[0]
    return next((each for each in instances if not each.dataset_id), instances[0])


def geometry_of(entity: Entity) -> GeoJson | None:
    """The GeoJSON geometry of an entity, or None."""
    instances = entity.attributes.get(LOCATION)
    if not instances:
        return None
    value: Any = preferred(instances).value
    return value if isinstance(value, dict) and value.get("type") in GEOMETRY_TYPES else None


def reproject(
    geometries: Sequence[GeoJson | None], crs: Crs, *, always_xy: bool = False
) -> list[GeoJson | None]:
    """Geometries in another system; one that it cannot hold, or that is broken, becomes None.

    Cost: one call of PROJ for all of them, and about 1 µs a position around it.
    """
    if crs.uri == CRS84:
        return list(geometries)
    flat: list[Sequence[float]] = []
    counts = []
    for geometry in geometries:
        before = len(flat)
        if geometry is not None and not _collect(geometry.get("coordinates"), flat):
            del flat[before:]
        counts.append(len(flat) - before)
    if not flat:
        return [None] * len(geometries)
    moved = crs.from_crs84(np.array([each[:2] for each in flat], dtype=float), always_xy=always_xy)
    fine = np.isfinite(moved[:, 0] + moved[:, 1])
    pairs = moved.tolist()
    result: list[GeoJson | None] = []
    start = 0
    for geometry, count in zip(geometries, counts, strict=True):
        stop = start + count
        if geometry is None or count == 0 or not fine[start:stop].all():
            result.append(None)
        else:
            rows = ([*pairs[row], *flat[row][2:]] for row in range(start, stop))
            result.append({"type": geometry["type"], "coordinates": _refill(geometry["coordinates"], rows)})
        start = stop
    return result


def _collect(coordinates: Any, into: list[Sequence[float]]) -> bool:
    """Adds every position; False where there is something else."""
    if not isinstance(coordinates, list) or not coordinates:
        return False
    if isinstance(coordinates[0], list):
        return all(_collect(part, into) for part in coordinates)
    if len(coordinates) < 2 or not all(type(each) in (int, float) for each in coordinates):
        return False
    into.append(coordinates)
    return True


def _refill(coordinates: Any, rows: Iterable[list[float]]) -> Any:
    if not isinstance(coordinates[0], list):
        return next(iter(rows))
    return [_refill(part, rows) for part in coordinates]

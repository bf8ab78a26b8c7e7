"""What of a collection can be asked for: each property with its type, unit, format and role.

Types, units and values are looked up in the first features of the collection;
`enum` is told only where every feature was looked at.

Source: OGC 19-079r2 clause 7.2; JSON Schema 2020-12; the `x-ogc-` words are those of OGC 23-058r1.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Final

from cityloom.ld.context import LdContext
from cityloom.maps.collections import Collection, title_of
from cityloom.maps.features import Writer, preferred
from cityloom.model.entity import LOCATION, Attribute
from cityloom.model.errors import BadRequestData
from cityloom.query.cql2 import properties_of
from cityloom.query.values import MEMBERS, CqlNode, Query, TypeIs
from cityloom.store.entity_ports import EntityReads

_SAMPLE: Final = 2000
_RARE_SAMPLE: Final = 20
_MOST_RARE: Final = 20
_MOST_VALUES: Final = 20
_MOST_MEMBERS: Final = 50
_LONGEST_VALUE: Final = 100
_MOST_CLOSE: Final = 3
_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)")
_SYNTAX: Final = re.compile(r"[\^$.*+?()\[\]{}|/\\]")
_ESCAPED: Final = r"\\\g<0>"
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_JSON_TYPES: Final[dict[type, str]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
_OF_KIND: Final = {
    "Relationship": "string",
    "ListRelationship": "array",
    "LanguageProperty": "string",
    "VocabProperty": "string",
    "ListProperty": "array",
    "JsonProperty": "object",
}
_REFERENCES: Final = frozenset({"Relationship", "ListRelationship"})
_TIME: Final[dict[str, Any]] = {"type": "string", "format": "date-time"}
_GEOMETRIES: Final = {
    frozenset({"Point"}): "point",
    frozenset({"MultiPoint"}): "multipoint",
    frozenset({"LineString"}): "linestring",
    frozenset({"MultiLineString"}): "multilinestring",
    frozenset({"Polygon"}): "polygon",
    frozenset({"MultiPolygon"}): "multipolygon",
    frozenset({"Point", "MultiPoint"}): "point-or-multipoint",
    frozenset({"LineString", "MultiLineString"}): "linestring-or-multilinestring",
    frozenset({"Polygon", "MultiPolygon"}): "polygon-or-multipolygon",
}

Schema = dict[str, Any]


class _Seen:
    """What was seen of one property."""

    def __init__(self) -> None:
        self.types: set[str] = set()
        self.units: Counter[str] = Counter()
        self.texts = 0
        self.instants = 0
        self.dates = 0
        self.values: set[Any] | None = set()

    def value(self, value: Any) -> None:
        """Counts one value in."""
        if value is None:
            return
        self.types.add(_JSON_TYPES.get(type(value), "string"))
        if isinstance(value, str):
            self.texts += 1
            self.instants += _DATE_TIME.fullmatch(value) is not None
            self.dates += _DATE.fullmatch(value) is not None
        if self.values is not None:
            if isinstance(value, list | dict) or (isinstance(value, str) and len(value) > _LONGEST_VALUE):
                self.values = None
            else:
                self.values.add(value)
                if len(self.values) > _MOST_VALUES:
                    self.values = None

    def schema(self, *, whole: bool) -> Schema:
        """As JSON Schema; `whole` where there are no more values than were seen."""
        types = set(self.types)
        if "number" in types:
            types.discard("integer")
        schema: Schema = {"type": next(iter(types)) if len(types) == 1 else sorted(types) or "string"}
        if types == {"string"} and self.texts == self.instants:
            schema["format"] = "date-time"
        elif types == {"string"} and self.texts == self.dates:
            schema["format"] = "date"
        elif self.values and types <= {"string", "integer", "number"}:
            schema["enum" if whole else "examples"] = sorted(
                self.values, key=lambda each: (str(type(each)), each)
            )
        if self.units:
            schema["x-ogc-unit"] = self.units.most_common(1)[0][0]
            schema["x-ogc-unitLang"] = "UNECE"
        return schema


def check_filter(
    reads: EntityReads, tenant: str, type: str, ld_context: LdContext, filter: CqlNode | None
) -> None:
    """Returns when each property of a filter is an attribute in use, lies below one, or is a member.

    The members of an entity itself (`id`, `modifiedAt`) are always known. What lies below an attribute
    (`height.observedAt`, `address.street`) differs from entity to entity: it is null where it is not.

    Source: OGC 19-079r2 clause 7.2 (`additionalProperties` is false).

    Args:
        type: an IRI.

    Raises:
        BadRequestData: names the property, and those that may have been meant.

    Cost: the attributes in use, which the store keeps.
    """
    if filter is None:
        return
    known = [use.name for use in reads.attribute_uses(tenant, type)]
    for name, start in properties_of(filter).items():
        if start not in MEMBERS and start not in known:
            raise BadRequestData(
                f"filter is invalid: the property {name[:100]!r} does not exist in "
                f"{ld_context.compact_iri(type)}{meant(name, known, ld_context)}"
            )


def meant(name: str, known: Iterable[str], ld_context: LdContext) -> str:
    """Of the attributes (IRIs) those that a misspelt name may stand for, as the end of a sentence."""
    first, *below = [name] if "://" in name else name.split(".")
    labels = {label.lower(): label for label in map(ld_context.compact_key, known)}
    close = get_close_matches(first.lower(), labels, n=_MOST_CLOSE)
    if not close:
        return "; its queryables tell what can be asked for"
    return "; did you mean " + " or ".join(".".join([labels[each], *below]) for each in close) + "?"


def below_queryables(queryables: Iterable[str]) -> str:
    """The pattern (ECMA 262) of the names that lie below a queryable, for `patternProperties`."""
    starts = sorted({name for name in queryables if "." not in name})
    return f"^({'|'.join(_SYNTAX.sub(_ESCAPED, start) for start in starts)})[.].+$"


def read_queryables(
    reads: EntityReads, tenant: str, collection: Collection, ld_context: LdContext, languages: str
) -> dict[str, Schema]:
    """The queryable properties of a collection, by name.

    Cost: the attributes in use, and up to 2000 features.
    """
    kinds = {use.name: use.kinds for use in reads.attribute_uses(tenant, collection.type)}
    look = _Look(ld_context, languages)
    query = Query(types=TypeIs(collection.type), limit=_SAMPLE)
    for entity in reads.lights(tenant, query):
        for name, instances in entity.attributes.items():
            look.at(name, preferred(instances))
    unseen = [name for name in kinds if name not in look.attributes]
    for name in unseen[:_MOST_RARE]:
        rare = Query(types=TypeIs(collection.type), attrs=[name], limit=_RARE_SAMPLE)
        for entity in reads.lights(tenant, rare, [name]):
            look.at(name, preferred(entity.attributes[name]))
    described = {
        "id": {"title": "Id", "type": "string", "format": "uri", "x-ogc-role": "id"},
        "createdAt": {"title": "Created at", **_TIME},
        "modifiedAt": {"title": "Modified at", **_TIME},
    }
    whole = collection.count <= _SAMPLE
    for name, used in sorted(kinds.items(), key=lambda pair: ld_context.compact_key(pair[0])):
        described |= look.describe(name, used, collection, whole=whole)
    return described


class _Look:
    """Looks at values, and remembers what there was."""

    def __init__(self, ld_context: LdContext, languages: str) -> None:
        self._ld_context = ld_context
        self._writer = Writer(ld_context, languages, None)
        self.attributes: dict[str, _Seen] = {}
        self._below: dict[str, dict[str, _Seen]] = {}

    def at(self, name: str, instance: Attribute) -> None:
        """Looks at one instance of an attribute."""
        seen = self.attributes.setdefault(name, _Seen())
        if instance.kind == "GeoProperty":
            return
        value = self._writer.value(instance)
        seen.value(value)
        if instance.unit_code is not None:
            seen.units[instance.unit_code] += 1
        if instance.observed_at is not None:
            self._under(name, "observedAt", instance.observed_at)
        if isinstance(value, dict):
            for member, part in value.items():
                self._under(name, member, part)
        for sub, instances in instance.attributes.items():
            self._under(name, self._ld_context.compact_key(sub), self._writer.value(preferred(instances)))

    def _under(self, name: str, member: str, value: Any) -> None:
        members = self._below.setdefault(name, {})
        # A dotted path cannot name a member that holds dots or is an IRI.
        if member.isidentifier() and (member in members or len(members) < _MOST_MEMBERS):
            members.setdefault(member, _Seen()).value(value)

    def describe(
        self, name: str, kinds: list[str], collection: Collection, *, whole: bool
    ) -> dict[str, Schema]:
        """The schemas of an attribute and of what is below it."""
        label = self._ld_context.compact_key(name)
        if "GeoProperty" in kinds:
            return {label: _geometry(name, label, collection)}
        seen = self.attributes.get(name, _Seen())
        schema = {"title": title_of(label), **seen.schema(whole=whole)}
        if len(kinds) == 1 and kinds[0] in _OF_KIND and not seen.types:
            schema["type"] = _OF_KIND[kinds[0]]
        if kinds and _REFERENCES.issuperset(kinds):
            schema.pop("enum", None)
            schema.pop("examples", None)
            schema["x-ogc-role"] = "reference"
            if schema["type"] == "string":
                schema["format"] = "uri"
        described = {label: schema}
        for member, below in sorted(self._below.get(name, {}).items()):
            described[f"{label}.{member}"] = {
                "title": f"{title_of(label)}: {title_of(member).lower()}",
                **below.schema(whole=whole),
            }
        return described


def _geometry(name: str, label: str, collection: Collection) -> Schema:
    schema: Schema = {"title": title_of(label), "format": "geometry-any"}
    if name == LOCATION:
        kind = _GEOMETRIES.get(frozenset(collection.geometries), "any")
        schema |= {"format": f"geometry-{kind}", "x-ogc-role": "primary-geometry"}
    return schema

"""The kinds of attributes and the members of the standard, in one table.

Source: ETSI GS CIM 009 clauses 4.5.2, 4.5.3, 4.5.18, 4.5.20 to 4.5.22, 4.5.24
and tables 5.2.5-1 to 5.2.7-2, 5.2.32-1 to 5.2.38-2.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from cityloom.model.entity import DEFAULT_VOCAB, NGSI_LD, NULL, Attribute, AttributeKind


class Kind(Struct, frozen=True, kw_only=True):
    """What one kind of attribute holds.

    `member` is the member that holds its value, `previous` the one of
    notifications, `plural` the one of the simplified temporal representation,
    `linked` the one that holds joined entities; `optional` are the members
    that it may have beyond those of every kind.
    """

    name: AttributeKind
    member: str
    previous: str
    plural: str
    linked: str = ""
    optional: frozenset[str] = frozenset()


_VALUE_TYPE: Final = frozenset(("valueType",))
_UNIT: Final = frozenset(("valueType", "unitCode"))
_OBJECT_TYPE: Final = frozenset(("objectType",))

_KINDS: Final = (
    Kind(name="Property", member="value", previous="previousValue", plural="values", optional=_UNIT),
    Kind(name="GeoProperty", member="value", previous="previousValue", plural="values", optional=_VALUE_TYPE),
    Kind(
        name="Relationship",
        member="object",
        previous="previousObject",
        plural="objects",
        linked="entity",
        optional=_OBJECT_TYPE,
    ),
    Kind(
        name="LanguageProperty",
        member="languageMap",
        previous="previousLanguageMap",
        plural="languageMaps",
        optional=_VALUE_TYPE,
    ),
    Kind(
        name="VocabProperty", member="vocab", previous="previousVocab", plural="vocabs", optional=_VALUE_TYPE
    ),
    Kind(
        name="ListProperty",
        member="valueList",
        previous="previousValueList",
        plural="valueLists",
        optional=_UNIT,
    ),
    Kind(
        name="ListRelationship",
        member="objectList",
        previous="previousObjectList",
        plural="objectLists",
        linked="entityList",
        optional=_OBJECT_TYPE,
    ),
    Kind(name="JsonProperty", member="json", previous="previousJson", plural="jsons", optional=_VALUE_TYPE),
)

KINDS: Final[dict[str, Kind]] = {kind.name: kind for kind in _KINDS}
KIND_OF_TYPE: Final[dict[str, Kind]] = {
    **KINDS,
    **{NGSI_LD + kind.name: kind for kind in _KINDS},
}
"""A kind by the word or the IRI that `type` may hold."""

INFERRED: Final[dict[str, Kind]] = {kind.member: kind for kind in reversed(_KINDS)}
"""The kind that a concise attribute has by its member; `value` may also hold a geometry."""

GEOMETRY_TYPES: Final = frozenset(
    ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon")
)

SCOPE: Final = NGSI_LD + "scope"
EXPIRES_AT: Final = NGSI_LD + "expiresAt"
SYSTEM_TIMES: Final = frozenset(NGSI_LD + word for word in ("createdAt", "modifiedAt", "deletedAt"))
PROOFS: Final = frozenset(home + "ngsildproof" for home in (DEFAULT_VOCAB, NGSI_LD))
"""The property that holds a signature (clause 4.5.2.2); published core contexts lack its term."""
SEALS: Final = frozenset(
    home + word for home in (DEFAULT_VOCAB, NGSI_LD) for word in ("entityIdSealed", "entityTypeSealed")
)
LANG_STRING: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString"

_OWN_IRI: Final = (
    "createdAt modifiedAt deletedAt expiresAt observedAt instanceId datasetId unitCode lang entity entityList"
    " jsons avg distinctCount max min stddev sum sumsq totalCount"
)
_HAS_IRI: Final = (
    "value object languageMap vocab valueList objectList values objects languageMaps vocabs valueLists"
    " objectsLists previousValue previousObject previousLanguageMap previousVocab previousJson"
    " previousValueList previousObjectList dataset objectType"
)

MEMBERS: Final[dict[str, str]] = {
    "@type": "type",
    **{NGSI_LD + word: word for word in _OWN_IRI.split()},
    **{f"{NGSI_LD}has{word[0].upper()}{word[1:]}": word for word in _HAS_IRI.split()},
    NGSI_LD + "hasJSON": "json",
    # Named in the text and in no published core context of these versions
    DEFAULT_VOCAB + "valueType": "valueType",
    NGSI_LD + "valueType": "valueType",
    DEFAULT_VOCAB + "objectLists": "objectLists",
    NGSI_LD + "hasObjectsLists": "objectLists",
}
"""The members of the standard inside an attribute, by IRI: no names for attributes (clause 4.5.1)."""

READ_ONLY: Final = frozenset(("createdAt", "modifiedAt", "deletedAt", "instanceId"))
"""Members that only the system sets: ignored where a caller provides them (clause 5.2.2)."""

TELLING: Final = frozenset(("observedAt", "datasetId", "unitCode", "objectType", "expiresAt", "valueType"))
"""Members by which an object without type and value is an attribute, not a value."""


def is_deleted(attribute: Attribute) -> bool:
    """Whether an instance tells a deletion: its value is NGSI-LD Null in one of its encodings (4.5.0)."""
    value: Any = attribute.value
    if type(value) is str:
        return value == NULL
    if type(value) is list:
        return len(value) == 1 and value[0] == NULL
    return type(value) is dict and len(value) == 1 and value.get("@none") == NULL


def null_of(kind: Kind) -> Any:
    """NGSI-LD Null in the encoding that the member of a kind takes (4.5.0)."""
    if kind.name == "LanguageProperty":
        return {"@none": NULL}
    if kind.name in ("ListProperty", "ListRelationship"):
        return [NULL]
    return NULL

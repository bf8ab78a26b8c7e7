"""The core `@context`: what each of its terms means, and since when.

A table of the project's own, grouped by how a term is coerced, from which the
document of every published version is made. It is checked against ETSI's
documents in the tests where these are at hand.

Source: ETSI GS CIM 009 annex B, versions 1.3.1 to 1.9.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from msgspec import Struct

from cityloom.model.entity import DEFAULT_VOCAB, NGSI_LD

VERSIONS: Final = ("1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "1.9")
CURRENT: Final = VERSIONS[-1]
_HOME: Final = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context"
CORE_URL: Final = f"{_HOME}-v{CURRENT}.jsonld"

_ALWAYS: Final = frozenset(VERSIONS)


class Term(Struct, frozen=True):
    """One term: its compact IRI, coercion and container, and the versions that have it so."""

    name: str
    iri: str
    coercion: str | None = None
    container: str | None = None
    versions: frozenset[str] = _ALWAYS

    def definition(self) -> Any:
        """The term's definition as it stands in a context document."""
        if self.coercion is None and self.container is None:
            return self.iri
        parts = {"@id": self.iri, "@type": self.coercion, "@container": self.container}
        return {key: value for key, value in parts.items() if value is not None}


def _since(first: str, last: str = CURRENT) -> frozenset[str]:
    return frozenset(version for version in VERSIONS if first <= version <= last)


_1_4, _1_5, _1_6, _1_7, _1_8 = (_since(version) for version in ("1.4", "1.5", "1.6", "1.7", "1.8"))


def _same(words: str, versions: frozenset[str] = _ALWAYS, **shape: str) -> Iterable[Term]:
    """Terms whose IRI ends in their own name."""
    return (Term(word, f"ngsi-ld:{word}", versions=versions, **shape) for word in words.split())


def _geojson(words: str, versions: frozenset[str] = _ALWAYS, **shape: str) -> Iterable[Term]:
    return (Term(word, f"geojson:{word}", versions=versions, **shape) for word in words.split())


TERMS: Final[tuple[Term, ...]] = (
    Term("ngsi-ld", NGSI_LD),
    Term("geojson", "https://purl.org/geojson/vocab#"),
    Term("id", "@id"),
    Term("type", "@type"),
    Term("description", "http://purl.org/dc/terms/description"),
    Term("title", "http://purl.org/dc/terms/title"),
    # Kinds of attributes and of API elements
    *_same(
        "Attribute AttributeList ContextSourceNotification ContextSourceRegistration Date DateTime"
        " EntityType EntityTypeInfo EntityTypeList GeoProperty Notification Property Relationship"
        " Subscription TemporalProperty Time"
    ),
    *_same("LanguageProperty", _1_5),
    *_same("VocabularyProperty", _since("1.7", "1.7")),
    *_same("ContextSourceIdentity JsonProperty ListProperty ListRelationship VocabProperty", _1_8),
    # GeoJSON
    *_geojson(
        "Feature FeatureCollection GeometryCollection LineString MultiLineString MultiPoint"
        " MultiPolygon Point Polygon geometry properties"
    ),
    *_geojson("geometryProperty", _1_8),
    *_geojson("bbox coordinates", container="@list"),
    *_geojson("features", container="@set"),
    # Members that are plain values
    *_same(
        "accept csf data detail endpoint entities entityCount error errors format geoQ geoproperty georel"
        " idPattern information isActive location managementInterval notification observationInterval"
        " observationSpace operationSpace q reason registrationName status subscriptionName temporalQ"
        " throttling timeInterval timeproperty timerel timesSent triggerReason unchanged unitCode updated"
        " uri"
    ),
    *_same("attrs lang scope scopeQ", _1_5),
    *_same(
        "cacheDuration contextSourceInfo cooldown localOnly management mode notUpdated notificationTrigger"
        " notifierInfo operations receiverInfo refreshRate registrationId showChanges sysAttrs timeout"
        " timesFailed",
        _1_6,
    ),
    *_same(
        "contextSourceAlias contextSourceUptime entity expandValues join jsonKeys linkedMaps omit pick", _1_8
    ),
    # In three versions these two have no IRI of their own and fall to the default vocabulary
    *(
        Term(name, iri, versions=versions)
        for name in ("attributeCount", "attributeDetails")
        for iri, versions in (
            (name, _ALWAYS - {"1.5", "1.7"}),
            (f"ngsi-ld:{name}", frozenset(("1.5", "1.7"))),
        )
    ),
    # Members that are times
    *_same(
        "createdAt endAt endTimeAt expiresAt lastFailure lastNotification lastSuccess modifiedAt notifiedAt"
        " observedAt startAt timeAt",
        coercion="DateTime",
    ),
    *_same("deletedAt", _1_6, coercion="DateTime"),
    *_same("contextSourceTimeAt", _1_8, coercion="DateTime"),
    # Members that are URIs
    *_same("datasetId entityId instanceId subscriptionId success", coercion="@id"),
    *_same("tenant", _ALWAYS - {"1.4"}, coercion="@id"),
    # Members that are names
    *_same(
        "attributeList attributeName attributeNames attributeTypes attributes propertyNames"
        " relationshipNames typeList typeName typeNames watchedAttributes",
        coercion="@vocab",
    ),
    # Members that are ordered, or raw
    *_same("avg distinctCount max min stddev sum sumsq totalCount", _1_4, container="@list"),
    *_same("entityList jsons", _1_8, container="@list"),
    *_same("contextSourceExtras", _1_8, coercion="@json"),
    # What an attribute holds, whose IRI is named otherwise than the member
    Term("value", "ngsi-ld:hasValue"),
    Term("values", "ngsi-ld:hasValues", container="@list"),
    Term("object", "ngsi-ld:hasObject", "@id"),
    Term("objects", "ngsi-ld:hasObjects", "@id", "@list", _since("1.3", "1.5")),
    Term("objects", "ngsi-ld:hasObjects", container="@list", versions=_1_6),
    Term("languageMap", "ngsi-ld:hasLanguageMap", container="@language", versions=_1_5),
    Term("languageMaps", "ngsi-ld:hasLanguageMaps", container="@list", versions=_1_6),
    Term("key", "ngsi-ld:hasKey", versions=_1_6),
    Term("previousValue", "ngsi-ld:hasPreviousValue", versions=_1_6),
    Term("previousObject", "ngsi-ld:hasPreviousObject", "@id", versions=_1_6),
    Term("previousLanguageMap", "ngsi-ld:hasPreviousLanguageMap", container="@language", versions=_1_6),
    Term("dataset", "ngsi-ld:hasDataset", container="@index", versions=_1_7),
    Term("vocab", "ngsi-ld:hasVocab", "@vocab", versions=_1_7),
    Term("vocabs", "ngsi-ld:hasVocabs", container="@list", versions=_1_7),
    Term("previousVocab", "ngsi-ld:hasPreviousVocab", "@vocab", versions=_1_7),
    Term("containedBy", "ngsi-ld:isContainedBy", versions=_1_8),
    Term("entityMap", "ngsi-ld:hasEntityMap", versions=_1_8),
    Term("joinLevel", "ngsi-ld:hasJoinLevel", versions=_1_8),
    Term("json", "ngsi-ld:hasJSON", "@json", versions=_1_8),
    Term("previousJson", "ngsi-ld:hasPreviousJson", "@json", versions=_1_8),
    Term("objectList", "ngsi-ld:hasObjectList", container="@list", versions=_1_8),
    Term("objectsLists", "ngsi-ld:hasObjectsLists", container="@list", versions=_1_8),
    Term("objectType", "ngsi-ld:hasObjectType", "@vocab", versions=_1_8),
    Term("previousObjectList", "ngsi-ld:hasPreviousObjectList", container="@list", versions=_1_8),
    Term("previousValueList", "ngsi-ld:hasPreviousValueList", container="@list", versions=_1_8),
    Term("valueList", "ngsi-ld:hasValueList", container="@list", versions=_1_8),
    Term("valueLists", "ngsi-ld:hasValueLists", container="@list", versions=_1_8),
)


@cache
def core_context(version: str = CURRENT) -> dict[str, Any]:
    """The core context of a version as JSON-LD: the value of `@context`, not to be changed.

    Args:
        version: one of `VERSIONS`.
    """
    context: dict[str, Any] = {"@version": 1.1, "@protected": True} if version in _1_8 else {}
    context |= {term.name: term.definition() for term in TERMS if version in term.versions}
    return context | {"@vocab": DEFAULT_VOCAB}


CORE_URLS: Final[dict[str, str]] = {
    **{f"{_HOME}-v{version}.jsonld": version for version in VERSIONS},
    f"{_HOME}.jsonld": CURRENT,
}
"""Every published address of the core context, with the version it stands for."""

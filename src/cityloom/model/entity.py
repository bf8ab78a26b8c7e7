"""An entity and its attributes, with names expanded to IRIs.

These are the values that every room works on and that the store keeps. They
are *not* JSON-LD: `ld` turns a document with an `@context` into them and back.

Values are frozen and are never changed in place, nor are the lists and dicts
in them: make a new one with `msgspec.structs.replace`.

Source: ETSI GS CIM 009 clauses 4.5.1 (entity), 4.5.2 to 4.5.24 (attribute
kinds), 4.5.5 (multi-attributes), 4.18 (scopes), 4.8 (temporal properties).
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

AttributeKind = Literal[
    "Property",
    "Relationship",
    "GeoProperty",
    "LanguageProperty",
    "VocabProperty",
    "ListProperty",
    "ListRelationship",
    "JsonProperty",
]

NGSI_LD: Final = "https://uri.etsi.org/ngsi-ld/"
DEFAULT_VOCAB: Final = "https://uri.etsi.org/ngsi-ld/default-context/"
NULL: Final = "urn:ngsi-ld:null"
"""The URI that stands for "delete this" in fragments (clause 4.5.0)."""

LOCATION: Final = NGSI_LD + "location"
OBSERVATION_SPACE: Final = NGSI_LD + "observationSpace"
OPERATION_SPACE: Final = NGSI_LD + "operationSpace"
DEFAULT_INSTANCE: Final = ""
"""The `dataset_id` of the default instance of a multi-attribute (clause 4.5.5)."""


class Attribute(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One instance of an attribute.

    `value` holds, by kind: Property any JSON value but null (keys of objects
    expanded); Relationship a URI or a list of URIs; GeoProperty a GeoJSON
    geometry; LanguageProperty language tag -> string or list of strings;
    VocabProperty an expanded IRI or a list of them; ListProperty a list;
    ListRelationship a list of URIs; JsonProperty any JSON, untouched. A
    fragment (merge, partial update) may leave `kind` empty and `value` unset,
    and may hold the string `NULL` where something is to be deleted.

    Times are ISO 8601 strings as the caller wrote them (`observed_at`) or as
    the clock gave them; `dataset_id` is empty for the default instance.
    `attributes` are the sub-attributes (properties of properties) by expanded
    name, each a list of instances as on the entity.
    """

    kind: AttributeKind | Literal[""] = ""
    value: Any | UnsetType = UNSET
    observed_at: str | None = None
    dataset_id: str = DEFAULT_INSTANCE
    unit_code: str | None = None
    object_type: list[str] | None = None
    value_type: str | None = None
    created_at: str | None = None
    modified_at: str | None = None
    deleted_at: str | None = None
    expires_at: str | None = None
    instance_id: str | None = None
    attributes: dict[str, list[Attribute]] = {}


class Entity(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An entity, or (with `id` or `types` empty) a fragment of one.

    `types` and the keys of `attributes` are expanded IRIs; `scopes` are kept
    as written (clause 4.18); `expires_at` is the end of a transient entity.
    """

    id: str = ""
    types: list[str] = []
    scopes: list[str] = []
    attributes: dict[str, list[Attribute]] = {}
    created_at: str | None = None
    modified_at: str | None = None
    deleted_at: str | None = None
    expires_at: str | None = None

    def instance(self, name: str, dataset_id: str = DEFAULT_INSTANCE) -> Attribute | None:
        """The instance of attribute `name` (expanded) with this dataset id, or None."""
        for attribute in self.attributes.get(name, ()):
            if attribute.dataset_id == dataset_id:
                return attribute
        return None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Entity)


def encode_entity(entity: Entity) -> bytes:
    """The stored form of an entity: JSON of the struct, defaults left out."""
    return _encoder.encode(entity)


def decode_entities(lines: bytes) -> list[Entity]:
    """Reads the stored forms of entities, a line each."""
    return _decoder.decode_lines(lines)


def decode_entity(body: bytes) -> Entity:
    """Reads the stored form of an entity."""
    return _decoder.decode(body)

"""Entities amended to what older versions of the standard know.

Source: ETSI GS CIM 009 clause 4.3.6.8 (tables 4.3.6.8-1 to 4.3.6.8-3).
"""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec import UNSET
from msgspec.structs import replace

from cityloom.ld.context import LdContext
from cityloom.ld.kinds import KINDS, is_deleted, null_of
from cityloom.ld.language import choose_language
from cityloom.model.entity import DEFAULT_INSTANCE, Attribute, AttributeKind, Entity

Version = tuple[int, int]
"""Major and minor, as a caller tells them: `1.5`."""

NEWEST: Final[Version] = (1, 9)
"""The version that entities conform to as they are."""
_VERSION: Final = re.compile(r"(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})")
_SINCE: Final[dict[str, tuple[Version, AttributeKind]]] = {
    "LanguageProperty": ((1, 4), "Property"),
    "JsonProperty": ((1, 8), "Property"),
    "VocabProperty": ((1, 8), "Property"),
    "ListProperty": ((1, 8), "Property"),
    "ListRelationship": ((1, 8), "Relationship"),
}
"""Since when a kind of attribute is known, and what it is told as before."""


def parse_version(text: str) -> Version | None:
    """The version that a text tells; None where it tells none."""
    found = _VERSION.fullmatch(text)
    return None if found is None else (int(found[1]), int(found[2]))


def version_text(version: Version) -> str:
    """As callers tell it."""
    return f"{version[0]}.{version[1]}"


def amended(entity: Entity, version: Version, ld_context: LdContext, lang: str | None = None) -> Entity:
    """The entity without what came after `version`, or with what it was told as before.

    Args:
        ld_context: gives the short names of terms, which older versions take for texts.
        lang: the language filter of a language map that becomes a plain value.
    """
    if version >= NEWEST:
        return entity
    return replace(
        entity,
        types=entity.types if version >= (1, 3) else entity.types[:1],
        scopes=entity.scopes if version >= (1, 4) else [],
        expires_at=None,
        attributes=amended_attributes(entity.attributes, version, ld_context, lang),
    )


def amended_attributes(
    attributes: dict[str, list[Attribute]], version: Version, ld_context: LdContext, lang: str | None = None
) -> dict[str, list[Attribute]]:
    """As `amended`, of attributes alone."""
    found = {}
    for name, instances in attributes.items():
        if version < (1, 3) and len(instances) > 1:
            first = next((one for one in instances if one.dataset_id == DEFAULT_INSTANCE), instances[0])
            instances = [first]
        found[name] = [amended_instance(one, version, ld_context, lang) for one in instances]
    return found


def amended_instance(
    instance: Attribute, version: Version, ld_context: LdContext, lang: str | None = None
) -> Attribute:
    """As `amended`, of one instance."""
    if version >= NEWEST:
        return instance
    changes: dict[str, Any] = {"expires_at": None, "value_type": None}
    if version < (1, 8):
        changes["object_type"] = None
    if version < (1, 3):
        changes |= {"dataset_id": DEFAULT_INSTANCE, "observed_at": None, "unit_code": None}
    since, kind = _SINCE.get(instance.kind, (version, instance.kind))
    if version < since:
        changes |= {"kind": kind, "value": _as_before(instance, kind, ld_context, lang)}
    if instance.attributes:
        changes["attributes"] = amended_attributes(instance.attributes, version, ld_context)
    return replace(instance, **changes)


def _as_before(instance: Attribute, kind: str, ld_context: LdContext, lang: str | None) -> Any:
    value: Any = instance.value
    if value is UNSET:
        return value
    if is_deleted(instance):
        return null_of(KINDS[kind])
    if instance.kind == "LanguageProperty" and lang is not None:
        return choose_language(value, lang)[1]
    if instance.kind == "VocabProperty":
        terms = [ld_context.compact_iri(one) for one in (value if isinstance(value, list) else [value])]
        return terms if isinstance(value, list) else terms[0]
    return value

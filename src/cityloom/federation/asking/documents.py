"""What is sent to a source: entities and fragments in its terms, and queries narrowed to what it has.

Source: ETSI GS CIM 009 clauses 4.3.6.1, 4.3.6.6, 4.17, 5.12.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from cityloom.broker.linked import reaches_out
from cityloom.broker.ports import Call
from cityloom.federation.registrations.matching import fits, info_fits
from cityloom.federation.registrations.registration import EntityInfo, Information, Registration
from cityloom.ld.compact import Form, compact_attribute, compact_entity
from cityloom.ld.conformance import Version, amended, amended_instance, parse_version
from cityloom.ld.context import LdContext
from cityloom.model.entity import Attribute, Entity
from cityloom.query.evaluate import matches_types
from cityloom.query.patterns import compile_pattern
from cityloom.query.sources import EntitySpecification
from cityloom.query.values import Query, TypeAnd, TypeExpression, TypeIs, TypeOr

_SIMPLE: Final = Form(representation="simplified")
_LONGEST_IDS: Final = 4000
"""Characters of the ids that one request to a source names."""


def entity_document(entity: Entity, ld_context: LdContext, registration: Registration) -> dict[str, Any]:
    """An entity or a fragment as a source takes it, and no newer than it is registered for (4.3.6.6)."""
    version = version_of(registration)
    if version is not None:
        entity = amended(entity, version, ld_context)
    document = compact_entity(replace(entity, attributes={}), ld_context)
    if entity.expires_at is not None:
        document["expiresAt"] = entity.expires_at
    for name, instances in entity.attributes.items():
        [first, *others] = instances
        if others or first.kind or first != Attribute(value=first.value):
            document[ld_context.compact_key(name)] = _attribute(name, instances, ld_context)
        else:
            # A value by itself, which takes the kind of the attribute that it meets (5.6.17).
            document[ld_context.compact_key(name)] = compact_attribute(name, instances, ld_context, _SIMPLE)
    return document


def attribute_document(
    name: str, instance: Attribute, ld_context: LdContext, registration: Registration
) -> Any:
    """An instance of an attribute, or a fragment of one, as a source takes it: see `entity_document`."""
    version = version_of(registration)
    if version is not None:
        instance = amended_instance(instance, version, ld_context)
    return _attribute(name, [instance], ld_context)


def version_of(registration: Registration) -> Version | None:
    """The version of the standard that a source is written to in, where its registration tells one."""
    info = registration.context_source_info or ()
    return next((parse_version(pair.value) for pair in info if pair.key == "ngsildConformance"), None)


def _attribute(name: str, instances: Sequence[Attribute], ld_context: LdContext) -> Any:
    """Without a kind where it was given none."""
    told = compact_attribute(name, instances, ld_context)
    parts = told if isinstance(told, list) else [told]
    for part, instance in zip(parts, instances, strict=False):
        if isinstance(part, dict):
            if not instance.kind:
                part.pop("type", None)
            if instance.expires_at is not None:
                part["expiresAt"] = instance.expires_at
    return told


def narrowed(entity: Entity, names: frozenset[str]) -> Entity:
    """The entity with these attributes alone."""
    kept = {name: found for name, found in entity.attributes.items() if name in names}
    return replace(entity, attributes=kept)


def type_text(expression: TypeExpression, ld_context: LdContext) -> str:
    """A selection of types, as it is written (4.17)."""
    match expression:
        case TypeIs(type):
            return ld_context.compact_iri(type)
        case TypeAnd(terms):
            return "(" + ";".join(type_text(term, ld_context) for term in terms) + ")"
        case TypeOr(terms):
            return ",".join(type_text(term, ld_context) for term in terms)


def specification_of(query: Query) -> EntitySpecification:
    """The entities that a query asks for."""
    return EntitySpecification(types=query.types, ids=query.ids, id_pattern=query.id_pattern)


def requests(
    registration: Registration, query: Query, attrs: frozenset[str], ld_context: LdContext
) -> Iterator[dict[str, str]]:
    """The parameters of the queries to a source: no entity, type or attribute that it did not register.

    Args:
        attrs: the attributes that are asked for; none is all.
    """
    wanted = specification_of(query)
    seen: list[dict[str, str]] = []
    for information in registration.information:
        if not fits(information, [wanted], attrs):
            continue
        names = information.attributes
        shown = sorted((names & attrs or names) if attrs else names)
        for params in _entities(information, wanted, ld_context):
            if shown:
                params["attrs"] = ",".join(ld_context.compact_key(name) for name in shown)
            if params not in seen:
                seen.append(params)
                yield params


def _entities(
    information: Information, wanted: EntitySpecification, ld_context: LdContext
) -> Iterator[dict[str, str]]:
    if information.entities is None:
        yield _selection(
            None if wanted.types is None else type_text(wanted.types, ld_context),
            wanted.ids,
            wanted.id_pattern,
        )
        return
    found = [info for info in information.entities if info_fits(info, wanted)]
    anyone = [info for info in found if info.id is None and info.pattern is None]
    if anyone:
        yield _selection(_types(anyone, wanted, ld_context), wanted.ids, wanted.id_pattern)
    named = [info for info in found if info.id is not None]
    if named:
        ids = list(dict.fromkeys(info.id for info in named if info.id is not None))
        yield _selection(_types(named, wanted, ld_context), ids, None)
    for info in found:
        if info.pattern is None:
            continue
        pattern = compile_pattern(info.pattern, "idPattern")
        ids = [id for id in wanted.ids if pattern.search(id) is not None]
        yield _selection(
            _types([info], wanted, ld_context), ids, None if ids else wanted.id_pattern or info.pattern
        )


def _types(infos: Sequence[EntityInfo], wanted: EntitySpecification, ld_context: LdContext) -> str:
    texts = []
    for info in infos:
        if wanted.types is not None and not matches_types(wanted.types, info.types):
            continue
        named = [ld_context.compact_iri(type) for type in info.types]
        texts.append(named[0] if len(named) == 1 else "(" + ";".join(named) + ")")
    return ",".join(dict.fromkeys(texts))


def _selection(types: str | None, ids: Sequence[str], pattern: str | None) -> dict[str, str]:
    params: dict[str, str] = {}
    if types is not None:
        params["type"] = types
    if ids:
        params["id"] = ",".join(ids)
    elif pattern is not None:
        params["idPattern"] = pattern
    return params


def filters_of(call: Call, query: Query, ld_context: LdContext) -> dict[str, str]:
    """The filters of a query as they were written; none where the source reads other words."""
    forwarding = call.forwarding
    if forwarding is None or (forwarding.ld_context or LdContext.core) is not ld_context:
        return {}
    if query.q is not None and reaches_out(query.q):
        # What is linked may lie here or at another source, which this one would not ask.
        return {}
    words: list[str] = []
    if query.q is not None:
        words += ("q", "expandValues", "jsonKeys")
    if query.scope_q is not None:
        words.append("scopeQ")
    if query.geo is not None:
        words += ("georel", "geometry", "coordinates", "geoproperty")
    given = {name: forwarding.words.get(name) for name in words}
    return {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in given.items()
        if value is not None
    }


def query_document(params: Mapping[str, str]) -> dict[str, Any]:
    """The body of a query by POST (5.2.23) for the parameters of one by GET."""
    selector: dict[str, Any] = {"type": params.get("type", "*")}
    if "id" in params:
        ids = params["id"].split(",")
        selector["id"] = ids[0] if len(ids) == 1 else ids
    if "idPattern" in params:
        selector["idPattern"] = params["idPattern"]
    document: dict[str, Any] = {"type": "Query", "entities": [selector]}
    if "attrs" in params:
        document["attrs"] = params["attrs"].split(",")
    for name in ("q", "scopeQ"):
        if name in params:
            document[name] = params[name]
    return document


def named_at_once(ids: Sequence[str]) -> Iterator[list[str]]:
    """The ids in groups that fit into an address."""
    group: list[str] = []
    length = 0
    for id in ids:
        if group and length + len(id) > _LONGEST_IDS:
            yield group
            group, length = [], 0
        group.append(id)
        length += len(id) + 1
    if group:
        yield group

"""What is expanded and compacted again is what it was, as far as each form carries."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from ld_entities import CONTEXT, entities
from msgspec.structs import replace
from pyld import jsonld

from cityloom.ld.compact import Form, compact_entity
from cityloom.ld.context import LdContext, compile_context
from cityloom.ld.core_terms import CORE_URL, CORE_URLS, core_context
from cityloom.ld.expand import expand_entity
from cityloom.ld.kinds import SCOPE
from cityloom.model.entity import NGSI_LD, Attribute, Entity, decode_entity, encode_entity
from cityloom.model.errors import BadRequestData


def nothing(url: str) -> Any:
    raise BadRequestData(url)


MINE = compile_context(CONTEXT, nothing)


def through_json(document: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(document))


@given(entities())
def test_normalized_round_trip_keeps_everything(entity: Entity) -> None:
    for ld_context in (MINE, LdContext.core):
        document = through_json(compact_entity(entity, ld_context, Form(sys_attrs=True)))
        assert expand_entity(document, ld_context) == entity


@given(entities())
def test_concise_round_trip_keeps_everything(entity: Entity) -> None:
    for ld_context in (MINE, LdContext.core):
        document = through_json(
            compact_entity(entity, ld_context, Form(representation="concise", sys_attrs=True))
        )
        assert expand_entity(document, ld_context) == entity


@given(entities())
def test_stored_form_round_trip_keeps_everything(entity: Entity) -> None:
    assert decode_entity(encode_entity(entity)) == entity


@given(entities())
@settings(max_examples=50)
def test_what_one_context_wrote_another_reads_the_same(entity: Entity) -> None:
    written = through_json(compact_entity(entity, MINE, Form(sys_attrs=True)))
    read = expand_entity(written, MINE)
    rendered = through_json(compact_entity(read, LdContext.core, Form(sys_attrs=True)))
    assert expand_entity(rendered, LdContext.core) == entity


def load_core(url: str, _: Any) -> dict[str, Any]:
    document = {"@context": core_context(CORE_URLS[url])}
    return {
        "contentType": "application/ld+json",
        "contextUrl": None,
        "documentUrl": url,
        "document": document,
    }


@given(entities())
@settings(max_examples=50)
def test_what_we_write_an_independent_processor_reads_by_the_same_names(entity: Entity) -> None:
    document = compact_entity(entity, MINE)
    (node,) = jsonld.expand({**document, "@context": [CONTEXT, CORE_URL]}, {"documentLoader": load_core})
    assert node["@id"] == entity.id
    assert sorted(node["@type"]) == sorted(entity.types)
    assert set(node) - {"@id", "@type", SCOPE} == set(entity.attributes)
    for name, instances in entity.attributes.items():
        kinds = sorted(found["@type"][0] for found in node[name])
        assert kinds == sorted(NGSI_LD + instance.kind for instance in instances)


def simple(attribute: Attribute) -> Any:
    """What the simplified form carries of an instance: its value, and its kind where the form tells it."""
    kind = attribute.kind
    if kind in ("Relationship", "ListProperty", "ListRelationship"):
        kind = "Property"
    return (kind, attribute.value, attribute.dataset_id)


def as_simple(entity: Entity) -> dict[str, list[Any]]:
    return {name: sorted(map(repr, map(simple, found))) for name, found in entity.attributes.items()}


def readable(entity: Entity) -> Entity:
    """The entity without values that the simplified form cannot tell from members of the standard."""

    def plain(attribute: Attribute) -> bool:
        return attribute.kind != "Property" or isinstance(attribute.value, (str, int, float, bool))

    def first_as_default(found: list[Attribute]) -> list[Attribute]:
        # One instance alone is rendered by its value, without its dataset.
        return [replace(found[0], dataset_id="")] if len(found) == 1 else found

    kept = {
        name: first_as_default([a for a in found if plain(a) and a.kind != "ListProperty"])
        for name, found in entity.attributes.items()
    }
    return replace(entity, attributes={name: found for name, found in kept.items() if found})


@given(entities())
def test_simplified_round_trip_keeps_values(entity: Entity) -> None:
    entity = readable(entity)
    document = through_json(compact_entity(entity, MINE, Form(representation="simplified")))
    assert as_simple(expand_entity(document, MINE)) == as_simple(entity)

"""One JSON Schema of an entity type, compiled: what it checks, and how an entity looks to it.

It loads `jsonschema`, so it is imported when a city has its first schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import referencing
from jsonschema import FormatChecker
from jsonschema.exceptions import SchemaError, best_match
from jsonschema.exceptions import ValidationError as SchemaViolation
from jsonschema.protocols import Validator
from jsonschema.validators import Draft202012Validator, validator_for
from msgspec import Struct, UnsetType
from referencing.exceptions import Unresolvable

from cityloom.broker.instances import brief
from cityloom.model.entity import Attribute, Entity
from cityloom.model.errors import BadRequestData
from cityloom.model.history import Instance

_CONTEXT: Final = "@context"


class TypeSchema(Struct, frozen=True):
    """A schema, compiled: `names` says how an attribute (IRI) is called in it."""

    type: str
    names: Mapping[str, str]
    validator: Validator
    attributes: Mapping[str, Validator]

    def check(self, entity: Entity) -> None:
        """Raises BadRequestData with the field and the reason when the entity breaks the schema."""
        violation = best_match(self.validator.iter_errors(simplified(entity, self.names)))
        if violation is not None:
            raise self._refusal(violation, "", entity.id)

    def check_instance(self, entity_id: str, instance: Instance) -> None:
        """Raises BadRequestData when an instance of history breaks what the schema says of its attribute."""
        name = _compact(instance.name, self.names)
        validator = self.attributes.get(name)
        if validator is None or instance.attribute.deleted_at is not None:
            return
        violation = best_match(validator.iter_errors(_plain(instance.attribute.value, self.names)))
        if violation is not None:
            raise self._refusal(violation, name, entity_id, row=instance.row)

    def _refusal(
        self, violation: SchemaViolation, field: str, entity_id: str, **extra: object
    ) -> BadRequestData:
        path = [str(part) for part in violation.absolute_path]
        wanted: Any = violation.validator_value
        if violation.validator == "required" and isinstance(violation.instance, dict):
            path.extend([name for name in wanted if name not in violation.instance][:1])
            reason = "is required"
        else:
            reason = f"is invalid: {_short(violation.message)}"
        place = ".".join(([field] if field else []) + path) or "the entity"
        return BadRequestData(
            f"{place} {reason} (schema of {brief(self.type)}, entity {entity_id})",
            field=place,
            reason=reason,
            **{key: value for key, value in extra.items() if value is not None},
        )


def compile_schema(type: str, schema: Any) -> TypeSchema:
    """Compiles a schema.

    Raises:
        BadRequestData: it is no JSON Schema, its `@context` is no object of terms,
            or it refers to another document (nothing is ever fetched for a schema).
    """
    if not isinstance(schema, dict):
        raise BadRequestData("schema is invalid: it is no JSON object")
    names = _names(schema.get(_CONTEXT, {}))
    body = {key: value for key, value in schema.items() if key != _CONTEXT}
    kind = validator_for(body, default=Draft202012Validator)
    try:
        kind.check_schema(body)
    except SchemaError as error:
        place = ".".join(str(part) for part in error.absolute_path) or "schema"
        raise BadRequestData(f"{place} is invalid: {_short(error.message)}") from None
    registry: referencing.Registry[Any] = referencing.Registry()
    validator = kind(body, registry=registry, format_checker=FormatChecker())
    _refuse_foreign_references(body, registry)
    properties = body.get("properties", {})
    return TypeSchema(
        type, names, validator, {name: validator.evolve(schema=part) for name, part in properties.items()}
    )


def simplified(entity: Entity, names: Mapping[str, str]) -> dict[str, Any]:
    """An entity as plain values (4.5.4), with attributes and members called as `names` (IRI -> name) says."""
    types = [_compact(type, names) for type in entity.types]
    document: dict[str, Any] = {"id": entity.id, "type": types[0] if len(types) == 1 else types}
    if entity.scopes:
        document["scope"] = entity.scopes[0] if len(entity.scopes) == 1 else entity.scopes
    for name, instances in entity.attributes.items():
        values = [_plain_attribute(instance, names) for instance in instances]
        document[_compact(name, names)] = values[0] if len(values) == 1 else values
    return document


def _plain_attribute(attribute: Attribute, names: Mapping[str, str]) -> Any:
    if attribute.kind == "VocabProperty":
        value = attribute.value
        if isinstance(value, list):
            return [_compact(item, names) for item in value]
        return _compact(value, names) if isinstance(value, str) else value
    if attribute.kind in ("GeoProperty", "JsonProperty", "LanguageProperty"):
        return attribute.value
    return _plain(attribute.value, names)


def _plain(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        if "@value" in value:
            return value["@value"]
        return {_compact(key, names): _plain(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, names) for item in value]
    return None if isinstance(value, UnsetType) else value


def _compact(name: str, names: Mapping[str, str]) -> str:
    return names.get(name) or brief(name)


def _names(ld_context: Any) -> dict[str, str]:
    """The inverse of a schema's own `@context`: IRI -> term."""
    names: dict[str, str] = {}
    for part in ld_context if isinstance(ld_context, list) else [ld_context]:
        if not isinstance(part, dict):
            raise BadRequestData("@context of the schema is invalid: it must be an object of terms and IRIs")
        for term, meaning in part.items():
            iri = meaning.get("@id") if isinstance(meaning, dict) else meaning
            if term.startswith("@") or not isinstance(iri, str) or ":" not in iri:
                raise BadRequestData(f"@context.{term} of the schema is invalid: {iri!r} is no IRI")
            names[iri] = term
    return names


def _refuse_foreign_references(schema: Any, registry: referencing.Registry[Any]) -> None:
    resource = referencing.Resource.from_contents(
        schema, default_specification=referencing.jsonschema.DRAFT202012
    )
    resolver = registry.resolver_with_root(resource)
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            reference = part.get("$ref")
            if isinstance(reference, str):
                try:
                    resolver.lookup(reference)
                except Unresolvable:
                    raise BadRequestData(
                        f"$ref is invalid: {reference!r} does not exist in the schema, and none is fetched"
                    ) from None
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)


def _short(message: str, most: int = 200) -> str:
    return message if len(message) <= most else message[: most - 1] + "…"

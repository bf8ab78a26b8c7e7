"""Short ways to write entities down."""

from __future__ import annotations

from typing import Any

from cityloom.model.entity import DEFAULT_VOCAB, NGSI_LD, Attribute, Entity

V = DEFAULT_VOCAB
SCOPE = NGSI_LD + "scope"
VEHICLE = V + "Vehicle"


def prop(value: Any, dataset: str = "", **more: Any) -> Attribute:
    return Attribute(kind="Property", value=value, dataset_id=dataset, **more)


def rel(target: Any, dataset: str = "", **more: Any) -> Attribute:
    return Attribute(kind="Relationship", value=target, dataset_id=dataset, **more)


def named(attributes: dict[str, Attribute | list[Attribute]]) -> dict[str, list[Attribute]]:
    return {V + name: one if isinstance(one, list) else [one] for name, one in attributes.items()}


def vehicle(number: int | str = 1, scopes: list[str] | None = None, **attributes: Any) -> Entity:
    """A vehicle; plain values become Properties."""
    return Entity(
        id=f"urn:ngsi-ld:Vehicle:{number}",
        types=[VEHICLE],
        scopes=scopes or [],
        attributes=named(
            {
                name: one if isinstance(one, Attribute | list) else prop(one)
                for name, one in attributes.items()
            }
        ),
    )


def fragment(scopes: list[str] | None = None, types: list[str] | None = None, **attributes: Any) -> Entity:
    """A fragment; plain values become Properties."""
    return Entity(
        types=types or [],
        scopes=scopes or [],
        attributes=named(
            {
                name: one if isinstance(one, Attribute) or _instances(one) else prop(one)
                for name, one in attributes.items()
            }
        ),
    )


def _instances(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Attribute) for item in value)


def value(entity: Entity, name: str, dataset: str = "") -> Any:
    instance = entity.instance(V + name, dataset)
    assert instance is not None, f"{name} is not there"
    return instance.value

"""Entities that the conformance tests share, made up for them."""

from __future__ import annotations

from typing import Any

ENTITIES = "/ngsi-ld/v1/entities"
TEMPORAL = "/ngsi-ld/v1/temporal/entities"
BATCH = "/ngsi-ld/v1/entityOperations"
DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"
CORE_LINK_REL = 'rel="http://www.w3.org/ns/json-ld#context"'


def lamp(number: int = 1, **more: Any) -> dict[str, Any]:
    """A street light."""
    return {
        "id": f"urn:ngsi-ld:Streetlight:{number}",
        "type": "Streetlight",
        "powerState": {"type": "Property", "value": "on"},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [-71.06, 42.36]}},
        **more,
    }


def prop(value: Any, **more: Any) -> dict[str, Any]:
    """A Property."""
    return {"type": "Property", "value": value, **more}

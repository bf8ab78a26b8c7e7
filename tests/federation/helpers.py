"""Registrations and entities that these tests share."""

from __future__ import annotations

from typing import Any

from tests.web.node import Answer, Client

ENTITIES = "/ngsi-ld/v1/entities"
BATCH = "/ngsi-ld/v1/entityOperations"
REGISTRATIONS = "/ngsi-ld/v1/csourceRegistrations"
LAMP = "urn:ngsi-ld:Lamp:1"
ALL = ["redirectionOps", "createBatch", "upsertBatch", "updateBatch", "deleteBatch", "mergeBatch"]


def prop(value: Any, **more: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value, **more}


def lamp(number: int = 1, **attributes: Any) -> dict[str, Any]:
    return {"id": f"urn:ngsi-ld:Lamp:{number}", "type": "Lamp", **attributes}


async def register(node: Client, endpoint: str, **members: Any) -> str:
    """Registers a source for lamps, or for what `information` says; the registration's id."""
    body = {
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": "Lamp"}]}],
        "operations": ALL,
        "endpoint": endpoint,
        **members,
    }
    answer = await node.post(
        REGISTRATIONS, {name: value for name, value in body.items() if value is not None}
    )
    assert answer.status == 201, answer.body
    return str(answer.headers["Location"].rpartition("/")[2])


def power_of(number: int = 1, *names: str) -> list[dict[str, Any]]:
    """Information: the attribute `power` (or others) of one lamp."""
    entity = {"type": "Lamp", "id": f"urn:ngsi-ld:Lamp:{number}"}
    return [{"entities": [entity], "propertyNames": list(names or ("power",))}]


async def put(node: Client, *entities: dict[str, Any]) -> None:
    """Keeps entities on a node, and there alone."""
    for entity in entities:
        answer = await node.post(f"{ENTITIES}?local=true", entity)
        assert answer.status == 201, answer.body


async def held(node: Client, id: str = LAMP) -> dict[str, Any] | None:
    """The plain values of an entity on a node, and there alone."""
    answer = await node.get(f"{ENTITIES}/{id}?local=true&format=simplified")
    return None if answer.status == 404 else answer.json


def warnings(answer: Answer) -> list[str]:
    """The codes of an answer's warnings."""
    return [value.partition(" ")[0] for value in answer.headers.getall("NGSILD-Warning", [])]

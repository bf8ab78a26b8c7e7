"""Clauses 4.3.6.2, 4.3.6.3, 5.6.1 to 5.6.10 and 5.6.17 to 5.6.21: each write in each mode.

What a write does at a node without sources it does to the whole entity, wherever its parts lie.
"""

from typing import Any

import pytest

from tests.federation.helpers import ALL, BATCH, ENTITIES, LAMP, held, lamp, power_of, prop, put, register
from tests.web.node import Client

PATH = f"{ENTITIES}/{LAMP}"
POWER = f"{PATH}/attrs/power"
START = lamp(1, power=[prop("on"), prop("half", datasetId="urn:d:b")], colour=prop("red"))
NEW: dict[str, Any] = {"power": prop("off"), "colour": prop("blue"), "height": prop(4)}
NEXT = lamp(1, **NEW)
NULL = "urn:ngsi-ld:null"
WRITES: dict[str, tuple[str, str, Any]] = {
    "create": ("POST", ENTITIES, NEXT),
    "replace": ("PUT", PATH, NEXT),
    "merge": ("PATCH", PATH, {**NEW, "colour": NULL}),
    "update": ("PATCH", f"{PATH}/attrs", {**NEW, "power": prop(NULL)}),
    "append": ("POST", f"{PATH}/attrs", NEW),
    "append without overwriting": ("POST", f"{PATH}/attrs?options=noOverwrite", NEW),
    "partial update": ("PATCH", POWER, {"value": "dim", "unitCode": "X"}),
    "replace attribute": ("PUT", POWER, prop("dim")),
    "delete attribute": ("DELETE", POWER, None),
    "delete dataset": ("DELETE", f"{POWER}?datasetId=urn:d:b", None),
    "delete all datasets": ("DELETE", f"{POWER}?deleteAll=true", None),
    "delete": ("DELETE", PATH, None),
    "batch create": ("POST", f"{BATCH}/create", [NEXT]),
    "batch upsert": ("POST", f"{BATCH}/upsert", [NEXT]),
    "batch upsert by update": ("POST", f"{BATCH}/upsert?options=update", [NEXT]),
    "batch update": ("POST", f"{BATCH}/update", [NEXT]),
    "batch update without overwriting": ("POST", f"{BATCH}/update?options=noOverwrite", [NEXT]),
    "batch merge": ("POST", f"{BATCH}/merge", [{**NEXT, "colour": NULL}]),
    "batch delete": ("POST", f"{BATCH}/delete", [LAMP]),
    "purge": ("DELETE", f"{ENTITIES}?type=Lamp", None),
    "purge of attributes": ("DELETE", f"{ENTITIES}?type=Lamp&drop=power", None),
    "purge but attributes": ("DELETE", f"{ENTITIES}?type=Lamp&keep=power", None),
}


def without(whole: dict[str, Any] | None, *names: str) -> dict[str, Any] | None:
    return None if whole is None else {name: value for name, value in whole.items() if name not in names}


@pytest.mark.parametrize("name", WRITES)
async def test_write_does_the_same_wherever_the_parts_lie(
    node: Client, there: Client, third: Client, name: str
) -> None:
    method, path, body = WRITES[name]
    makes = "create" in name
    if not makes:
        await put(third, START)
    alone = await third.ask(method, path, body)
    expected = await held(third)
    for mode in ("inclusive", "redirect", "exclusive"):
        information = power_of() if mode == "exclusive" else [{"entities": [{"type": "Lamp"}]}]
        at = await register(node, there.base, mode=mode, information=information, operations=ALL)
        if not makes:
            await put(there, without(START, "colour") or {} if mode == "exclusive" else START)
        if not makes and mode != "redirect":
            await put(node, without(START, "power") or {} if mode == "exclusive" else START)
        answer = await node.ask(method, path, body)
        assert answer.status == alone.status, (mode, answer.body)
        here, beyond = await held(node), await held(there)
        if mode == "inclusive":
            assert here == beyond == expected
        elif mode == "redirect":
            assert (here, beyond) == (None, expected)
        else:
            assert here == without(expected, "power")
            # Of what is registered by name no more than that is purged at its source.
            rest = lamp() if name == "purge" else without(expected, "colour", "height")
            assert beyond == rest
        for client in (node, there):
            await client.delete(f"{PATH}?local=true")
        await node.delete(f"/ngsi-ld/v1/csourceRegistrations/{at}")


async def test_query_for_an_attribute_finds_who_has_it_anywhere(node: Client, there: Client) -> None:
    """5.7.2.4: of entities that lie in parts, decided when they are whole."""
    await put(node, lamp(1, power=prop("on")), lamp(2, power=prop("on")))
    await put(there, lamp(1, height=prop(4)), lamp(3, power=prop("on")))
    await register(node, there.base)
    for attrs, found in (("height", "1"), ("power", "123"), ("height,power", "123"), ("nothing", "")):
        answer = await node.get(f"{ENTITIES}?type=Lamp&attrs={attrs}")
        assert "".join(each["id"][-1] for each in answer.json) == found, attrs

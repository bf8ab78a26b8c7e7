"""Clauses 4.5.5.2, 4.5.5.3, 5.7.1.4 and 5.7.2.4: versions of an entity of which some expire."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.federation.helpers import ENTITIES, LAMP, lamp, prop, put, register
from tests.federation.source import Source
from tests.web.node import Client

PAST = "2020-01-01T00:00:00Z"


def after(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT00:00:00Z")


SOON, LATE = after(2), after(9)


async def told(node: Client) -> dict[str, Any]:
    answer = await node.get(f"{ENTITIES}/{LAMP}?options=sysAttrs")
    assert answer.status == 200, answer.body
    [queried] = (await node.get(f"{ENTITIES}?type=Lamp&options=sysAttrs")).json
    assert queried == answer.json
    found: dict[str, Any] = answer.json
    return found


def ends(entity: dict[str, Any], *names: str) -> list[str | None]:
    return [entity.get("expiresAt"), *(entity[name].get("expiresAt") for name in names)]


async def test_expiry_of_one_version_goes_to_its_attributes(node: Client, there: Client) -> None:
    """4.5.5.2: to those without one, and to those that would last longer; the entity itself has none then."""
    here = lamp(1, a=prop(1), b=prop(2, expiresAt=SOON), c=prop(3, expiresAt=LATE), expiresAt=after(5))
    await put(node, here)
    await put(there, lamp(1, d=prop(4)))
    await register(node, there.base)
    assert ends(await told(node), "a", "b", "c", "d") == [None, after(5), SOON, after(5), None]


async def test_entity_lasts_as_long_as_its_longest_version(node: Client, there: Client) -> None:
    """4.5.5.3: where every version expires."""
    await put(node, lamp(1, a=prop(1), expiresAt=SOON))
    await put(there, lamp(1, b=prop(2), expiresAt=LATE))
    await register(node, there.base)
    assert ends(await told(node), "a", "b") == [LATE, SOON, LATE]


@pytest.mark.parametrize("local", [True, False])
async def test_expiry_that_all_versions_share_stays_with_the_entity(
    node: Client, there: Client, local: bool
) -> None:
    if local:
        await put(node, lamp(1, a=prop(1), expiresAt=SOON))
    await put(there, lamp(1, b=prop(2), expiresAt=SOON))
    await register(node, there.base)
    assert ends(await told(node), "b") == [SOON, None]


async def test_what_has_expired_at_a_source_is_passed_over(node: Client, source: Source) -> None:
    """An entity whole, and an attribute of which another version lives on."""
    gone = lamp(2, a=prop(1), expiresAt=PAST)
    stale = lamp(1, a=prop(1, expiresAt=PAST, observedAt=after(0)), b=prop(2, expiresAt=PAST), c=prop(3))
    source.body = [stale, gone]
    source.answers = {
        ("GET", f"/entities/{LAMP}"): (200, stale),
        ("GET", f"/entities/{gone['id']}"): (200, gone),
    }
    await put(node, lamp(1, a=prop(9, observedAt=PAST)))
    await register(node, source.url)
    entity = await told(node)
    assert (entity["a"]["value"], "b" in entity, entity["c"]["value"]) == (9, False, 3)
    assert (await node.get(f"{ENTITIES}/{gone['id']}")).status == 404

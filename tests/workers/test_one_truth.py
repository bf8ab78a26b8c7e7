"""What is asked of one process is known to the other: subscriptions, registrations, contexts, snapshots."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from msgspec.structs import replace

from cityloom.app import Node
from cityloom.broker.ports import Forwarding, MapWish
from cityloom.ld.expand import expand_entity, expand_fragment
from cityloom.model.errors import AlreadyExists, ResourceNotFound
from cityloom.query.values import Query, TypeIs
from tests.federation.source import running_source
from tests.subscriptions.helpers import Receiver
from tests.workers.doing import CORE, call, create, matched, patch, subscribe, unsubscribe, until

Pair = tuple[Node, Node]


@pytest.mark.parametrize("seed", [1])
async def test_what_is_notified_follows_the_order_of_the_log_whoever_is_asked(
    pair: Pair, receiver: Receiver, seed: int
) -> None:
    draw = random.Random(seed)
    ids = [f"urn:ngsi-ld:Lamp:{number}" for number in range(3)]
    for id in ids:
        await create(draw.choice(pair), id, level={"type": "Property", "value": 0})
    known: dict[str, str] = {}
    expected: set[tuple[str, str, int]] = set()
    for value in range(1, 41):
        node = draw.choice(pair)
        act = draw.random()
        if act < 0.2 or not known:
            name = f"urn:ngsi-ld:Subscription:{value}"
            await subscribe(node, f"{receiver.url}/{value}", name)
            known[name] = f"/{value}"
        elif act < 0.3 and len(known) > 1:
            # Deleted with nothing on its way: what waits for a subscription goes with it.
            await matched(*pair)
            name = draw.choice(sorted(known))
            await unsubscribe(node, name)
            del known[name]
        else:
            id = draw.choice(ids)
            await patch(node, id, level={"type": "Property", "value": value})
            expected |= {(path, id, value) for path in known.values()}
    await matched(*pair)
    told = {
        (path, one.entity["id"], one.entity["level"]["value"])
        for path, received in receiver.told.items()
        for one in received
    }
    assert told == expected
    keys = [one.headers["Idempotency-Key"] for received in receiver.told.values() for one in received]
    assert len(set(keys)) == len(expected)


async def test_subscription_that_one_deleted_is_gone_for_the_other(pair: Pair, receiver: Receiver) -> None:
    one, other = pair
    id = await subscribe(one, receiver.url, "urn:ngsi-ld:Subscription:a")
    with pytest.raises(AlreadyExists):
        await subscribe(other, receiver.url, id)
    await unsubscribe(other, id)
    with pytest.raises(ResourceNotFound):
        await one.subscriptions.retrieve(await call(one), id, CORE)
    await create(other, "urn:ngsi-ld:Lamp:1")
    await matched(*pair)
    assert receiver.told == {}


async def test_counters_of_a_subscription_are_known_whoever_is_asked(pair: Pair, receiver: Receiver) -> None:
    one, other = pair
    id = await subscribe(other, f"{receiver.url}/a", "urn:ngsi-ld:Subscription:a")
    await create(one, "urn:ngsi-ld:Lamp:1")
    await receiver.until("/a", 1)
    await matched(*pair)
    for node in pair:
        told = await node.subscriptions.retrieve(await call(node), id, CORE)
        assert told["notification"]["timesSent"] == 1


async def test_dead_letter_that_one_replays_is_sent_by_whoever_delivers(
    pair: Pair, receiver: Receiver
) -> None:
    broken = True
    receiver.answer = lambda path, number: 400 if broken else 200
    for node in pair:
        await subscribe(node, f"{receiver.url}/{node.worker}", f"urn:ngsi-ld:Subscription:{node.worker}")
    await create(pair[0], "urn:ngsi-ld:Lamp:1")

    def dead() -> int:
        with pair[0].store.snapshot() as snapshot:
            return snapshot.delivery_counts()[1]

    await until(lambda: dead() == 2)
    broken = False
    tried = {path: len(received) for path, received in receiver.told.items()}
    for node in pair:
        id = f"urn:ngsi-ld:Subscription:{node.worker}"
        assert len(await node.subscriptions.replay(await call(node), subscription_id=id)) == 1
    await matched(*pair)
    for path, received in receiver.told.items():
        assert len(received) == tried[path] + 1
        assert len({one.headers["Idempotency-Key"] for one in received}) == 1


def registration(id: str, endpoint: str = "http://127.0.0.1:9") -> dict[str, Any]:
    return {
        "id": id,
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": "Far"}]}],
        "endpoint": endpoint,
    }


async def test_registration_counts_for_the_other_once_it_is_answered(pair: Pair) -> None:
    one, other = pair
    for number, (maker, user) in enumerate(((one, other), (other, one))):
        id = f"urn:ngsi-ld:ContextSourceRegistration:{number}"
        await maker.registrations.create(await call(maker), registration(id), CORE)
        await call(user)
        assert [each.id for each in user.registrations.registry.of("", user.clock.now())] == [id]
        await user.registrations.delete(await call(user), id)
        await call(maker)
        assert not maker.registrations.registry.of("", maker.clock.now())


async def test_context_that_one_deleted_is_not_used_by_the_other(pair: Pair) -> None:
    one, other = pair
    document = {"@context": {"lamp": "https://example.org/lamp"}}
    request = await call(one)
    id = await one.contexts.add("", document, request.cause)
    url = one.contexts.url_of(id)
    for node in pair:
        await call(node)
        found = await node.contexts.resolve([{"@version": 1.1}, url])
        assert found.expand_term("lamp") == "https://example.org/lamp"
    await other.contexts.delete("", id, request.cause)
    await call(one)
    with pytest.raises(Exception, match="not available"):
        await one.contexts.resolve([{"@version": 1.1}, url])


async def test_entities_and_new_names_of_one_are_read_by_the_other(pair: Pair) -> None:
    """Names, tenants and types are told by numbers, which both give out."""
    for number in range(6):
        writer, reader = pair[number % 2], pair[1 - number % 2]
        tenant = f"t{number // 2}"
        entity_id = f"urn:ngsi-ld:Thing{number}:1"
        request = await call(writer, tenant)
        entity = expand_entity(
            {"id": entity_id, "type": f"Thing{number}", f"a{number}": {"type": "Property", "value": 1}}, CORE
        )
        await writer.broker.create_entity(request, entity)
        page = await reader.broker.query_entities(await call(reader, tenant), Query(ids=[entity_id]))
        assert [one.id for one in page.entities] == [entity_id]
    for node in pair:
        with node.store.snapshot() as snapshot:
            assert [snapshot.count(f"t{number}", Query()) for number in range(3)] == [2, 2, 2]


async def test_snapshot_that_one_made_is_used_changed_and_deleted_by_the_other(pair: Pair) -> None:
    one, other = pair
    await create(one, "urn:ngsi-ld:Lamp:1")
    document = {"type": "Snapshot", "snapshotQueries": [{"type": "Query", "entities": [{"type": "Lamp"}]}]}
    id = await one.snapshots.create(await call(one), document, CORE)

    async def status(node: Node) -> str:
        told = await node.snapshots.retrieve(await call(node), id)
        return str(told["snapshotStatus"])

    while await status(other) == "preparing":
        await asyncio.sleep(0.01)
    assert await status(one) == "success"
    place = other.snapshots.place(await call(other), id)
    page = await other.broker.query_entities(await call(other, place), Query(ids=["urn:ngsi-ld:Lamp:1"]))
    assert len(page.entities) == 1
    await other.snapshots.update(await call(other), id, {"snapshotPriority": 9})
    assert (await one.snapshots.retrieve(await call(one), id))["snapshotPriority"] == 9
    await other.snapshots.delete(await call(other), id)
    with pytest.raises(ResourceNotFound):
        await one.snapshots.retrieve(await call(one), id)


async def test_entity_map_that_one_made_is_used_changed_and_deleted_by_the_other(pair: Pair) -> None:
    one, other = pair
    for number in range(5):
        await create(one, f"urn:ngsi-ld:Lamp:{number}")
    query = Query(types=TypeIs(type=CORE.expand_term("Lamp")), limit=2)
    made = await one.broker.create_entity_map(await call(one), query)
    await create(one, "urn:ngsi-ld:Lamp:0a")

    async def page(node: Node, offset: int) -> tuple[list[str], str]:
        forwarding = Forwarding(map_wish=MapWish(wanted=True, id=made.id))
        request = replace(await call(node), forwarding=forwarding)
        found = await node.broker.query_entities(request, replace(query, offset=offset))
        return [entity.id[-2:] for entity in found.entities], forwarding.map_used

    assert await page(other, 0) == ([":0", ":1"], made.id)
    assert await page(one, 2) == ([":2", ":3"], made.id)
    # What does not fit any more is taken out, for every page of whoever is asked.
    await one.broker.delete_entity(await call(one), "urn:ngsi-ld:Lamp:1")
    assert await page(other, 0) == ([":0", ":2"], made.id)
    assert await page(one, 2) == ([":3", ":4"], made.id)
    end = made.expires_at + 60_000_000
    await other.broker.update_entity_map(await call(other), made.id, end)
    assert (await one.broker.retrieve_entity_map(await call(one), made.id)).expires_at == end
    await other.broker.delete_entity_map(await call(other), made.id)
    for node in pair:
        with pytest.raises(ResourceNotFound):
            await node.broker.retrieve_entity_map(await call(node), made.id)


async def test_entity_map_that_nobody_deletes_goes_from_the_store_in_time(pair: Pair) -> None:
    one, other = pair
    await create(one, "urn:ngsi-ld:Lamp:1")
    query = Query(types=TypeIs(type=CORE.expand_term("Lamp")))
    forwarding = Forwarding(map_wish=MapWish(lifetime=300_000))
    made = await one.broker.create_entity_map(replace(await call(one), forwarding=forwarding), query)

    def kept() -> int:
        with other.store.snapshot() as snapshot:
            return len(snapshot.documents("", "entityMap")) + len(snapshot.documents("", "entityMapHead"))

    assert kept() == 2
    await until(lambda: kept() == 0)
    with pytest.raises(ResourceNotFound):
        await other.broker.retrieve_entity_map(await call(other), made.id)


async def test_answer_of_a_source_that_one_keeps_is_forgotten_when_the_other_writes_there(pair: Pair) -> None:
    one, other = pair
    async with running_source() as source:
        lamp = {"id": "urn:ngsi-ld:Far:1", "type": "Far", "level": {"type": "Property", "value": 1}}
        source.body = lamp
        document = registration("urn:ngsi-ld:ContextSourceRegistration:far", source.url)
        document |= {
            "mode": "redirect",
            "operations": ["redirectionOps"],
            "management": {"cacheDuration": "PT1H"},
        }
        await one.registrations.create(await call(one), document, CORE)

        async def level(node: Node) -> object:
            request = replace(await call(node), forwarding=Forwarding())
            entity = await node.broker.retrieve_entity(request, lamp["id"])
            found = entity.instance(CORE.expand_term("level"))
            return None if found is None else found.value

        for node in pair:
            assert [await level(node) for _ in range(2)] == [1, 1]
        assert [each.method for each in source.asked] == ["GET", "GET"]
        source.body = {**lamp, "level": {"type": "Property", "value": 2}}
        source.answers["PATCH", f"/entities/{lamp['id']}/attrs"] = (204, None)
        fragment = expand_fragment({"level": {"type": "Property", "value": 2}}, CORE)
        request = replace(await call(other), forwarding=Forwarding())
        await other.broker.update_attributes(request, lamp["id"], fragment)
        assert "PATCH" in [each.method for each in source.asked]
        for node in pair:
            assert await level(node) == 2

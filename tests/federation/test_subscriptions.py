"""Clauses 5.8.1.4, 5.8.2.4, 5.8.5.4: subscriptions to entities reach context sources, whatever happens."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cityloom.federation.registrations.registration import REGISTRATION
from cityloom.federation.sharing.links import LINK
from cityloom.folder import CityFolder
from cityloom.model.clock import SystemClock
from cityloom.model.events import Cause
from cityloom.store.ports import Transaction
from cityloom.store.sqlite import SqliteStore
from tests.federation.helpers import LAMP, REGISTRATIONS, lamp, prop, put, register
from tests.federation.source import Source
from tests.federation.whole import (
    FEDERATION,
    OFF,
    ON,
    QUICK,
    SUBSCRIPTIONS,
    Whole,
    change,
    free_port,
    link_of,
    notify,
    subscribe,
    subscriptions,
    told,
    until_asked,
    until_subscribed,
    whole_node,
)
from tests.subscriptions.helpers import WAIT, Receiver

# -- what a source is given ------------------------------------------------


async def test_copy_is_reduced_to_what_is_registered(here: Whole, harbour: Whole, receiver: Receiver) -> None:
    information = [
        {"entities": [{"type": "Lamp", "id": LAMP}], "propertyNames": ["power", "height"]},
        {"entities": [{"type": "Bus"}], "propertyNames": ["speed"]},
    ]
    await register(here, harbour.base, information=information, operations=FEDERATION)
    id = await subscribe(
        here,
        receiver.url + "/a",
        entities=[{"type": "Lamp,Bus", "idPattern": "Lamp"}, {"type": "Tram"}],
        watchedAttributes=["power", "speed", "colour"],
        notificationTrigger=["attributeUpdated", "attributeDeleted"],
        q='power=="on"',
        scopeQ="/port",
        throttling=0.5,
        expiresAt="2099-01-01T00:00:00Z",
        notification={"attributes": ["power"], "format": "simplified"},
    )
    [copy] = await until_subscribed(harbour)
    assert copy["id"] != id
    assert copy["entities"] == [{"type": "Lamp", "id": LAMP}, {"type": "Bus", "idPattern": "Lamp"}]
    assert copy["watchedAttributes"] == ["power", "speed"]
    assert copy["notificationTrigger"] == ["attributeUpdated", "attributeDeleted"]
    assert (copy["throttling"], copy["expiresAt"]) == (0.5, "2099-01-01T00:00:00Z")
    assert copy.keys().isdisjoint({"q", "scopeQ"})
    assert copy["notification"].keys().isdisjoint({"attributes", "format"})
    assert link_of(copy).startswith(f"{here.base}/notifications/")


async def test_whole_entities_are_filtered_at_the_source(
    here: Whole, harbour: Whole, receiver: Receiver
) -> None:
    await register(here, harbour.base, operations=FEDERATION)
    await subscribe(
        here,
        receiver.url + "/a",
        q='power=="on"',
        splitEntities=False,
        notification={"pick": ["colour"], "format": "simplified"},
    )
    [copy] = await until_subscribed(harbour)
    assert copy["q"] == 'power=="on"'
    assert copy["notification"]["pick"] == ["id", "type", "colour"]
    await put(harbour, lamp(1, power=OFF, colour=prop("red")), lamp(2, power=ON, colour=prop("blue")))
    await receiver.until("/a", 1)
    assert told(receiver) == [{"colour": "blue"}]
    await change(harbour, 2, power=prop("on", unitCode="x"))
    await receiver.until("/a", 2)
    assert told(receiver)[1] == {"colour": "blue"}


async def test_secrets_of_the_receiver_and_choice_of_sources_stay_here(
    here: Whole, source: Source, receiver: Receiver
) -> None:
    source.status = 201
    await register(here, source.url, operations=FEDERATION, owner={"type": "Property", "value": "the port"})
    answer = await here.post(
        SUBSCRIPTIONS,
        {
            "type": "Subscription",
            "entities": [{"type": "Lamp"}],
            "csf": 'owner=="the port"',
            "notification": {
                "endpoint": {
                    "uri": receiver.url + "/a",
                    "receiverInfo": [{"key": "Authorization", "value": "secret"}],
                }
            },
        },
    )
    assert answer.status == 201
    [asked] = await until_asked(source, "POST")
    assert asked.path == "/subscriptions"
    assert "csf" not in asked.body
    assert asked.body["notification"]["endpoint"].keys() == {"uri", "accept"}
    assert asked.headers["Via"].startswith("1.1 cityloom-")


@pytest.mark.parametrize(
    ("registered", "subscribed"),
    [
        ({"mode": "auxiliary", "operations": None}, {}),
        ({"operations": ["retrieveOps"]}, {}),
        ({}, {"localOnly": True}),
        ({}, {"csf": 'owner=="nobody"'}),
        ({}, {"entities": [{"type": "Bus"}]}),
        (
            {"information": [{"entities": [{"type": "Lamp"}], "propertyNames": ["height"]}]},
            {"watchedAttributes": ["power"]},
        ),
        ({"observationInterval": {"startAt": "2026-01-01T00:00:00Z"}}, {}),
    ],
)
async def test_source_that_is_not_meant_is_not_asked(
    here: Whole, source: Source, receiver: Receiver, registered: dict[str, Any], subscribed: dict[str, Any]
) -> None:
    source.status = 201
    await register(here, source.url, **{"operations": FEDERATION, **registered})
    await subscribe(here, receiver.url + "/a", **subscribed)
    await register(here, source.url, operations=FEDERATION, information=[{"entities": [{"type": "Tram"}]}])
    await subscribe(here, receiver.url + "/a", entities=[{"type": "Tram"}])
    await until_asked(source, "POST")
    assert [one.body["entities"] for one in source.asked] == [[{"type": "Tram"}]]


async def test_source_that_stays_local_is_told_so(here: Whole, harbour: Whole, receiver: Receiver) -> None:
    await register(here, harbour.base, operations=FEDERATION, management={"localOnly": True})
    await subscribe(here, receiver.url + "/a")
    [copy] = await until_subscribed(harbour)
    assert copy["localOnly"] is True


async def test_copy_is_in_the_words_that_the_source_registered(
    here: Whole, harbour: Whole, receiver: Receiver
) -> None:
    ours = {"Laterne": "urn:t:Lamp", "an": "urn:t:on"}
    theirs = {"Lamp": "urn:t:Lamp", "on": "urn:t:on"}
    hosted = await harbour.post("/ngsi-ld/v1/jsonldContexts", {"@context": theirs})
    url = harbour.base + hosted.headers["Location"].removeprefix(harbour.base)
    await register(
        here,
        harbour.base,
        information=[{"entities": [{"type": "urn:t:Lamp"}], "propertyNames": ["urn:t:on"]}],
        operations=FEDERATION,
        contextSourceInfo=[{"key": "jsonldContext", "value": url}],
    )
    await subscribe(
        here, receiver.url + "/a", **{"@context": [ours]}, entities=[{"type": "Laterne"}], q="an==true"
    )
    [copy] = await until_subscribed(harbour)
    assert (copy["entities"], copy["watchedAttributes"]) == ([{"type": "urn:t:Lamp"}], ["urn:t:on"])
    assert copy["jsonldContext"] == url
    await put(harbour, {"id": LAMP, "type": "Lamp", "on": prop(True), "@context": [theirs]})
    await receiver.until("/a", 1)
    assert told(receiver) == [{"id": LAMP, "type": "Laterne", "an": prop(True)}]


# -- as subscriptions and registrations come, change and go -----------------


async def test_registration_that_comes_changes_and_goes_is_followed(
    here: Whole, harbour: Whole, district: Whole, receiver: Receiver
) -> None:
    await subscribe(here, receiver.url + "/a")
    id = await register(here, harbour.base, operations=FEDERATION)
    [first] = await until_subscribed(harbour)
    assert "watchedAttributes" not in first
    information = [{"entities": [{"type": "Lamp"}], "propertyNames": ["power"]}]
    assert (await here.patch(f"{REGISTRATIONS}/{id}", {"information": information})).status == 204
    async with asyncio.timeout(WAIT):
        while "watchedAttributes" not in (await subscriptions(harbour))[0]:
            await asyncio.sleep(0.01)
    assert (await subscriptions(harbour))[0]["id"] == first["id"]
    assert (await here.patch(f"{REGISTRATIONS}/{id}", {"endpoint": district.base})).status == 204
    await until_subscribed(harbour, 0)
    await until_subscribed(district, 1)
    await here.delete(f"{REGISTRATIONS}/{id}")
    await until_subscribed(district, 0)


async def test_subscription_that_changes_and_goes_is_followed(
    here: Whole, harbour: Whole, receiver: Receiver
) -> None:
    await register(here, harbour.base, operations=FEDERATION)
    id = await subscribe(here, receiver.url + "/a", watchedAttributes=["power"])
    [copy] = await until_subscribed(harbour)
    for changes, members in (
        ({"watchedAttributes": ["colour"]}, {"watchedAttributes": ["colour"], "status": "active"}),
        ({"watchedAttributes": None, "isActive": False}, {"watchedAttributes": None, "status": "paused"}),
        ({"isActive": True, "throttling": 7}, {"status": "active", "throttling": 7}),
    ):
        assert (await here.patch(f"{SUBSCRIPTIONS}/{id}", changes)).status == 204
        async with asyncio.timeout(WAIT):
            while {name: copy.get(name) for name in members} != members:
                [copy] = await subscriptions(harbour)
    await here.delete(f"{SUBSCRIPTIONS}/{id}")
    await until_subscribed(harbour, 0)


async def test_change_that_says_nothing_to_a_source_asks_nothing_of_it(
    here: Whole, source: Source, receiver: Receiver
) -> None:
    source.status = 201
    await register(here, source.url, operations=FEDERATION)
    id = await subscribe(here, receiver.url + "/a")
    await until_asked(source, "POST", 1)
    await here.patch(f"{SUBSCRIPTIONS}/{id}", {"notification": {"endpoint": {"uri": receiver.url + "/b"}}})
    await subscribe(here, receiver.url + "/b")
    await until_asked(source, "POST", 2)
    assert [one.method for one in source.asked] == ["POST", "POST"]


async def test_id_that_the_source_gave_is_the_one_that_is_used(
    here: Whole, source: Source, receiver: Receiver
) -> None:
    name = "urn:theirs:1"
    source.status, source.headers = 201, {"Location": f"/ngsi-ld/v1/subscriptions/{name}"}
    await register(here, source.url, operations=FEDERATION)
    id = await subscribe(here, receiver.url + "/a")
    [made] = await until_asked(source, "POST")
    link = link_of(made.body)
    # It may tell before its answer has been read: whose it is, is known by the path.
    answer = await notify(link, lamp(power=ON), client=here, subscriptionId=name)
    assert answer.status == 200
    [one] = await receiver.until("/a", 1)
    assert (one.body["subscriptionId"], one.entity["power"]) == (id, ON)
    source.status = 204
    await here.delete(f"{SUBSCRIPTIONS}/{id}")
    [gone] = await until_asked(source, "DELETE")
    assert gone.path == f"/subscriptions/{name}"
    async with asyncio.timeout(WAIT):
        while (await notify(link, lamp(power=OFF), client=here, subscriptionId=name)).status != 404:
            await asyncio.sleep(0.01)


async def test_subscription_that_a_source_lost_is_made_again(
    here: Whole, harbour: Whole, receiver: Receiver
) -> None:
    await register(here, harbour.base, operations=FEDERATION)
    id = await subscribe(here, receiver.url + "/a")
    [copy] = await until_subscribed(harbour)
    await harbour.delete(f"{SUBSCRIPTIONS}/{copy['id']}")
    await here.patch(f"{SUBSCRIPTIONS}/{id}", {"throttling": 0.001})
    [again] = await until_subscribed(harbour)
    assert (again["id"], again["throttling"]) == (copy["id"], 0.001)


async def test_subscription_that_a_source_lost_without_a_word_is_found_out(
    harbour: Whole, receiver: Receiver, tmp_path: Path
) -> None:
    port = free_port()
    async with whole_node(tmp_path / "city", port=port) as node:
        await register(node, harbour.base, operations=FEDERATION)
        await subscribe(node, receiver.url + "/a")
        [copy] = await until_subscribed(harbour)
    await harbour.delete(f"{SUBSCRIPTIONS}/{copy['id']}")
    async with whole_node(tmp_path / "city", port=port):
        [again] = await until_subscribed(harbour)
        assert (again["id"], link_of(again)) == (copy["id"], link_of(copy))


async def test_making_that_was_done_and_not_answered_makes_no_second_one(
    here: Whole, source: Source, receiver: Receiver
) -> None:
    source.status = 409
    source.answers = {}
    await register(here, source.url, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a")
    [made] = await until_asked(source, "POST")
    [changed] = await until_asked(source, "PATCH")
    assert changed.path == f"/subscriptions/{made.body['id']}"
    assert changed.body == {name: value for name, value in made.body.items() if name != "id"}


# -- trouble ----------------------------------------------------------------


async def test_source_that_is_away_gets_it_when_it_is_back(
    here: Whole, harbour: Whole, receiver: Receiver, tmp_path: Path
) -> None:
    port = free_port()
    await register(here, f"http://127.0.0.1:{port}", operations=FEDERATION)
    await register(here, harbour.base, operations=FEDERATION)
    id = await subscribe(here, receiver.url + "/a")
    # Who is away holds up nobody else.
    await until_subscribed(harbour)
    async with whole_node(tmp_path / "late", port=port) as late:
        await until_subscribed(late)
        await put(late, lamp(1, power=ON))
        await receiver.until("/a", 1)
    await here.delete(f"{SUBSCRIPTIONS}/{id}")
    await until_subscribed(harbour, 0)
    async with whole_node(tmp_path / "late", port=port) as late:
        await until_subscribed(late, 0)


async def test_restart_loses_nothing(receiver: Receiver, tmp_path: Path) -> None:
    port = free_port()
    # However long the other takes to come back.
    patient = replace(QUICK, notify_attempts=10_000)
    async with whole_node(tmp_path / "harbour", patient) as harbour:
        async with whole_node(tmp_path / "city", port=port) as node:
            await register(node, harbour.base, operations=FEDERATION)
            kept = await subscribe(node, receiver.url + "/a")
            [copy] = await until_subscribed(harbour)
            assert [one["id"] for one in await subscriptions(node)] == [kept]
        await put(harbour, lamp(1, power=ON))
        async with whole_node(tmp_path / "city", port=port) as node:
            await receiver.until("/a", 1)
            assert await subscriptions(harbour) == [
                {**copy, "notification": (await subscriptions(harbour))[0]["notification"]}
            ]
            await node.delete(f"{SUBSCRIPTIONS}/{kept}")
            await until_subscribed(harbour, 0)


async def test_what_was_to_be_deleted_when_the_node_stopped_is_deleted(
    receiver: Receiver, tmp_path: Path
) -> None:
    port = free_port()
    async with whole_node(tmp_path / "city") as node:
        async with whole_node(tmp_path / "harbour", port=port) as harbour:
            await register(node, harbour.base, operations=FEDERATION)
            id = await subscribe(node, receiver.url + "/a")
            await until_subscribed(harbour)
        await node.delete(f"{SUBSCRIPTIONS}/{id}")
    async with whole_node(tmp_path / "city"), whole_node(tmp_path / "harbour", port=port) as harbour:
        await until_subscribed(harbour, 0)


async def test_subscriptions_from_before_there_were_links_are_shared(
    harbour: Whole, receiver: Receiver, tmp_path: Path
) -> None:
    """As an older version of the node left them."""
    async with whole_node(tmp_path / "city") as node:
        await register(node, "http://127.0.0.1:9", operations=FEDERATION)
        await subscribe(node, receiver.url + "/a")
        [one] = (await node.get(f"{REGISTRATIONS}?type=Lamp")).json

    def older(tx: Transaction) -> None:
        for link in tx.documents("", LINK):
            tx.delete_document("", LINK, link.id, Cause(kind="system", id="system:test"))
        body = {**tx.documents("", REGISTRATION)[0].body, "endpoint": harbour.base}
        tx.set_state("", REGISTRATION, one["id"], body)

    store = SqliteStore(CityFolder(tmp_path / "city").store_file, SystemClock())
    await asyncio.wrap_future(store.submit(older))
    store.close()
    async with whole_node(tmp_path / "city"):
        await until_subscribed(harbour)


async def test_node_that_moved_tells_its_sources_where_it_is(
    harbour: Whole, receiver: Receiver, tmp_path: Path
) -> None:
    async with whole_node(tmp_path / "city") as node:
        await register(node, harbour.base, operations=FEDERATION)
        await subscribe(node, receiver.url + "/a")
        [copy] = await until_subscribed(harbour)
    async with whole_node(tmp_path / "city") as node:
        async with asyncio.timeout(WAIT):
            while not link_of((await subscriptions(harbour))[0]).startswith(node.base):
                await asyncio.sleep(0.01)
        assert [one["id"] for one in await subscriptions(harbour)] == [copy["id"]]
        await put(harbour, lamp(1, power=ON))
        await receiver.until("/a", 1)


async def test_source_that_refuses_one_subscription_is_given_the_others(
    here: Whole, source: Source, receiver: Receiver
) -> None:
    source.status = 500
    await register(here, source.url, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a", watchedAttributes=["power"])
    await subscribe(here, receiver.url + "/a", watchedAttributes=["height"])
    async with asyncio.timeout(WAIT):
        while {one.body["watchedAttributes"][0] for one in source.asked} != {"power", "height"}:
            await asyncio.sleep(0.01)
    source.status = 201
    done = len(source.asked)
    await until_asked(source, "POST", done + 2)


async def test_other_source_that_fails_costs_its_own_part(
    here: Whole, harbour: Whole, source: Source, receiver: Receiver
) -> None:
    source.status = 500
    await register(here, harbour.base, operations=FEDERATION)
    await register(here, source.url, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a")
    await until_subscribed(harbour)
    await put(harbour, lamp(power=ON))
    await receiver.until("/a", 1)
    assert told(receiver) == [lamp(power=ON)]

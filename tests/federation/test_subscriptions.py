"""Clauses 5.8.1.4 to 5.8.6: subscriptions to entities reach sources, and their news the subscribers."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from cityloom.federation.links import LINK
from cityloom.federation.registration import REGISTRATION
from cityloom.folder import CityFolder
from cityloom.model.clock import SystemClock
from cityloom.model.events import Cause
from cityloom.store.ports import Transaction
from cityloom.store.sqlite import SqliteStore
from cityloom.subscriptions.document import CONSUMER
from tests.federation.helpers import ENTITIES, LAMP, REGISTRATIONS, lamp, prop, put, register
from tests.federation.source import Source
from tests.federation.whole import (
    SUBSCRIPTIONS,
    Whole,
    free_port,
    subscribe,
    subscriptions,
    until_asked,
    until_subscribed,
    whole_node,
)
from tests.subscriptions.helpers import WAIT, Receiver
from tests.web.node import Answer, Client

ON, OFF = prop("on"), prop("off")
FEDERATION = ["federationOps"]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole_node(tmp_path / "here") as node:
        yield node


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole_node(tmp_path / "there") as node:
        yield node


@pytest.fixture
async def third(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole_node(tmp_path / "third") as node:
        yield node


def told(receiver: Receiver, path: str = "/a") -> list[Any]:
    """The entity of each notification; of one in the simplified form its members are values."""
    return [one.entity for one in receiver.at(path)]


async def change(node: Client, number: int = 1, **attributes: Any) -> None:
    """Changes attributes on a node, and there alone."""
    id = f"urn:ngsi-ld:Lamp:{number}"
    answer = await node.post(f"{ENTITIES}/{id}/attrs?local=true", attributes)
    assert answer.status == 204, answer.body


async def notify(link: str, *entities: dict[str, Any], client: Client, **members: Any) -> Answer:
    """Tells as a source would, at the address that it was given."""
    body = {
        "id": "urn:ngsi-ld:Notification:1",
        "type": "Notification",
        "notifiedAt": "2026-05-01T12:00:00Z",
        "data": list(entities),
        **members,
    }
    return await client.post(link, body)


def link_of(copy: dict[str, Any]) -> str:
    """Where a copy has its notifications brought."""
    return str(copy["notification"]["endpoint"]["uri"])


async def still(receiver: Receiver, node: Whole, path: str = "/a") -> None:
    """Waits until a later change of this node was told, so that what came before would have been."""
    count = len(receiver.at(path))
    await put(node, lamp(99, power=ON))
    await receiver.until(path, count + 1)
    assert told(receiver, path)[-1]["id"] == "urn:ngsi-ld:Lamp:99"
    await node.delete(f"{ENTITIES}/urn:ngsi-ld:Lamp:99?local=true")
    del receiver.at(path)[-1]


async def settled(*nodes: Whole) -> None:
    """Waits until nodes, in the order in which news goes through them, have matched and told it."""
    async with asyncio.timeout(WAIT):
        for node in nodes:
            while not quiet(node):
                await asyncio.sleep(0.01)


def quiet(node: Whole) -> bool:
    """Whether every event was matched, and what came of it delivered."""
    with node.node.store.snapshot() as snapshot:
        matched = snapshot.cursor(CONSUMER) == snapshot.last_seq()
        return matched and snapshot.delivery_counts()[0] == 0


# -- what a source is given ------------------------------------------------


async def test_copy_is_reduced_to_what_is_registered(here: Whole, there: Whole, receiver: Receiver) -> None:
    information = [
        {"entities": [{"type": "Lamp", "id": LAMP}], "propertyNames": ["power", "height"]},
        {"entities": [{"type": "Bus"}], "propertyNames": ["speed"]},
    ]
    await register(here, there.base, information=information, operations=FEDERATION)
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
    [copy] = await until_subscribed(there)
    assert copy["id"] != id
    assert copy["entities"] == [{"type": "Lamp", "id": LAMP}, {"type": "Bus", "idPattern": "Lamp"}]
    assert copy["watchedAttributes"] == ["power", "speed"]
    assert copy["notificationTrigger"] == ["attributeUpdated", "attributeDeleted"]
    assert (copy["throttling"], copy["expiresAt"]) == (0.5, "2099-01-01T00:00:00Z")
    assert copy.keys().isdisjoint({"q", "scopeQ"})
    assert copy["notification"].keys().isdisjoint({"attributes", "format"})
    assert link_of(copy).startswith(f"{here.base}/notifications/")


async def test_whole_entities_are_filtered_at_the_source(
    here: Whole, there: Whole, receiver: Receiver
) -> None:
    await register(here, there.base, operations=FEDERATION)
    await subscribe(
        here,
        receiver.url + "/a",
        q='power=="on"',
        splitEntities=False,
        notification={"pick": ["colour"], "format": "simplified"},
    )
    [copy] = await until_subscribed(there)
    assert copy["q"] == 'power=="on"'
    assert copy["notification"]["pick"] == ["id", "type", "colour"]
    await put(there, lamp(1, power=OFF, colour=prop("red")), lamp(2, power=ON, colour=prop("blue")))
    await receiver.until("/a", 1)
    assert told(receiver) == [{"colour": "blue"}]
    await change(there, 2, power=prop("on", unitCode="x"))
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


async def test_source_that_stays_local_is_told_so(here: Whole, there: Whole, receiver: Receiver) -> None:
    await register(here, there.base, operations=FEDERATION, management={"localOnly": True})
    await subscribe(here, receiver.url + "/a")
    [copy] = await until_subscribed(there)
    assert copy["localOnly"] is True


async def test_copy_is_in_the_words_that_the_source_registered(
    here: Whole, there: Whole, receiver: Receiver
) -> None:
    ours = {"Laterne": "urn:t:Lamp", "an": "urn:t:on"}
    theirs = {"Lamp": "urn:t:Lamp", "on": "urn:t:on"}
    hosted = await there.post("/ngsi-ld/v1/jsonldContexts", {"@context": theirs})
    url = there.base + hosted.headers["Location"].removeprefix(there.base)
    await register(
        here,
        there.base,
        information=[{"entities": [{"type": "urn:t:Lamp"}], "propertyNames": ["urn:t:on"]}],
        operations=FEDERATION,
        contextSourceInfo=[{"key": "jsonldContext", "value": url}],
    )
    await subscribe(
        here, receiver.url + "/a", **{"@context": [ours]}, entities=[{"type": "Laterne"}], q="an==true"
    )
    [copy] = await until_subscribed(there)
    assert (copy["entities"], copy["watchedAttributes"]) == ([{"type": "urn:t:Lamp"}], ["urn:t:on"])
    assert copy["jsonldContext"] == url
    await put(there, {"id": LAMP, "type": "Lamp", "on": prop(True), "@context": [theirs]})
    await receiver.until("/a", 1)
    assert told(receiver) == [{"id": LAMP, "type": "Laterne", "an": prop(True)}]


# -- as subscriptions and registrations come, change and go -----------------


async def test_registration_that_comes_changes_and_goes_is_followed(
    here: Whole, there: Whole, third: Whole, receiver: Receiver
) -> None:
    await subscribe(here, receiver.url + "/a")
    id = await register(here, there.base, operations=FEDERATION)
    [first] = await until_subscribed(there)
    assert "watchedAttributes" not in first
    information = [{"entities": [{"type": "Lamp"}], "propertyNames": ["power"]}]
    assert (await here.patch(f"{REGISTRATIONS}/{id}", {"information": information})).status == 204
    async with asyncio.timeout(WAIT):
        while "watchedAttributes" not in (await subscriptions(there))[0]:
            await asyncio.sleep(0.01)
    assert (await subscriptions(there))[0]["id"] == first["id"]
    assert (await here.patch(f"{REGISTRATIONS}/{id}", {"endpoint": third.base})).status == 204
    await until_subscribed(there, 0)
    await until_subscribed(third, 1)
    await here.delete(f"{REGISTRATIONS}/{id}")
    await until_subscribed(third, 0)


async def test_subscription_that_changes_and_goes_is_followed(
    here: Whole, there: Whole, receiver: Receiver
) -> None:
    await register(here, there.base, operations=FEDERATION)
    id = await subscribe(here, receiver.url + "/a", watchedAttributes=["power"])
    [copy] = await until_subscribed(there)
    for changes, members in (
        ({"watchedAttributes": ["colour"]}, {"watchedAttributes": ["colour"], "status": "active"}),
        ({"watchedAttributes": None, "isActive": False}, {"watchedAttributes": None, "status": "paused"}),
        ({"isActive": True, "throttling": 7}, {"status": "active", "throttling": 7}),
    ):
        assert (await here.patch(f"{SUBSCRIPTIONS}/{id}", changes)).status == 204
        async with asyncio.timeout(WAIT):
            while {name: copy.get(name) for name in members} != members:
                [copy] = await subscriptions(there)
    await here.delete(f"{SUBSCRIPTIONS}/{id}")
    await until_subscribed(there, 0)


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
    here: Whole, there: Whole, receiver: Receiver
) -> None:
    await register(here, there.base, operations=FEDERATION)
    id = await subscribe(here, receiver.url + "/a")
    [copy] = await until_subscribed(there)
    await there.delete(f"{SUBSCRIPTIONS}/{copy['id']}")
    await here.patch(f"{SUBSCRIPTIONS}/{id}", {"throttling": 0.001})
    [again] = await until_subscribed(there)
    assert (again["id"], again["throttling"]) == (copy["id"], 0.001)


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


# -- what a source tells ----------------------------------------------------


async def test_subscriber_hears_of_a_change_at_a_source(
    here: Whole, there: Whole, receiver: Receiver
) -> None:
    await register(here, there.base, operations=FEDERATION)
    id = await subscribe(here, receiver.url + "/a")
    await until_subscribed(there)
    await put(there, lamp(power=ON))
    [one] = await receiver.until("/a", 1)
    assert one.body["subscriptionId"] == id
    assert one.body["data"] == [lamp(power=ON)]
    assert (await here.get(f"{SUBSCRIPTIONS}/{id}")).json["notification"]["timesSent"] == 1


async def test_entity_is_put_together_before_conditions_are_looked_at(
    here: Whole, there: Whole, third: Whole, receiver: Receiver
) -> None:
    """Clause 5.8.6: the rest comes from here and from the other sources, and decides."""
    await put(here, lamp(1, power=ON), lamp(2, power=OFF))
    await put(third, lamp(1, colour=prop("red")))
    for node in (there, third):
        await register(here, node.base, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a", q='power=="on"', notification={"format": "simplified"})
    await until_subscribed(there)
    await put(there, lamp(2, height=prop(1)), lamp(1, height=prop(4)))
    await receiver.until("/a", 1)
    assert told(receiver) == [{**lamp(1), "height": 4, "power": "on", "colour": "red"}]
    await still(receiver, here)
    assert len(told(receiver)) == 1


async def test_entity_that_is_deleted_here_is_told_by_what_it_was_here(
    here: Whole, there: Whole, receiver: Receiver
) -> None:
    await put(here, lamp(1, power=OFF), lamp(2, power=ON))
    await register(here, there.base, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a", q='power=="on"', notificationTrigger=["entityDeleted"])
    await until_subscribed(there)
    for number in (1, 2):
        await here.delete(f"{ENTITIES}/urn:ngsi-ld:Lamp:{number}?local=true")
    await receiver.until("/a", 1)
    assert [one["id"] for one in told(receiver)] == ["urn:ngsi-ld:Lamp:2"]


@pytest.mark.parametrize("split", [True, False])
async def test_value_that_comes_back_over_one_that_did_not_fit_is_told(
    here: Whole, there: Whole, receiver: Receiver, split: bool
) -> None:
    await put(there, lamp(heat=prop(20)))
    await register(here, there.base, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a", q="heat>30", splitEntities=split)
    await until_subscribed(there)
    for heat in (31, 25, 31, 20, 31):
        await change(there, heat=prop(heat))
        await settled(there, here)
    assert [one["heat"]["value"] for one in told(receiver)] == [31, 31, 31]


async def test_change_here_is_decided_when_the_entity_is_whole(
    here: Whole, there: Whole, receiver: Receiver
) -> None:
    await put(there, lamp(1, power=ON), lamp(2, power=OFF))
    await register(here, there.base, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a", q='power=="on"', notification={"format": "simplified"})
    await until_subscribed(there)
    await put(here, lamp(2, height=prop(4)), lamp(1, height=prop(4)))
    await receiver.until("/a", 1)
    await change(here, height=prop(5))
    await receiver.until("/a", 2)
    assert told(receiver) == [{**lamp(1), "height": height, "power": "on"} for height in (4, 5)]


async def test_what_is_gone_at_the_source_is_told(here: Whole, there: Whole, receiver: Receiver) -> None:
    await put(
        there, lamp(power=ON, height=prop(4), name={"type": "LanguageProperty", "languageMap": {"en": "x"}})
    )
    await register(here, there.base, operations=FEDERATION)
    await subscribe(
        here, receiver.url + "/a", notificationTrigger=["entityUpdated", "entityDeleted"],
        notification={"showChanges": True},
    )  # fmt: skip
    await until_subscribed(there)
    await change(there, power=OFF)
    await there.delete(f"{ENTITIES}/{LAMP}/attrs/height?local=true")
    await there.delete(f"{ENTITIES}/{LAMP}/attrs/name?local=true")
    await there.delete(f"{ENTITIES}/{LAMP}?local=true")
    await receiver.until("/a", 4)
    changed, height, name, gone = told(receiver)
    assert changed["power"] == {**OFF, "previousValue": "on"}
    assert height["height"] == {"type": "Property", "value": "urn:ngsi-ld:null", "previousValue": 4}
    assert name["name"] == {
        "type": "LanguageProperty",
        "languageMap": {"@none": "urn:ngsi-ld:null"},
        "previousLanguageMap": {"en": "x"},
    }
    assert "deletedAt" in gone


async def test_attribute_that_is_gone_there_and_here_still_is_told_as_it_is_here(
    here: Whole, there: Whole, receiver: Receiver
) -> None:
    await put(here, lamp(power=ON))
    await put(there, lamp(power=OFF, height=prop(1)))
    await register(here, there.base, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a", notificationTrigger=["attributeDeleted"])
    await until_subscribed(there)
    await there.delete(f"{ENTITIES}/{LAMP}/attrs/power?local=true")
    await receiver.until("/a", 1)
    assert told(receiver) == [lamp(power=ON, height=prop(1))]


async def test_what_the_source_did_not_register_is_passed_over(
    here: Whole, source: Source, receiver: Receiver
) -> None:
    source.status = 201
    information = [{"entities": [{"type": "Lamp", "id": LAMP}], "propertyNames": ["power"]}]
    await register(here, source.url, information=information, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a")
    [made] = await until_asked(source, "POST")
    link, remote = link_of(made.body), made.body["id"]
    answer = await notify(
        link, lamp(2, power=ON), lamp(1, power=ON, height=prop(4)), client=here, subscriptionId=remote
    )
    assert answer.json == {"received": 1}
    await receiver.until("/a", 1)
    assert [one.body["data"] for one in receiver.at("/a")] == [[lamp(1, power=ON)]]


async def test_notification_that_nobody_waits_for_is_refused(
    here: Whole, source: Source, receiver: Receiver
) -> None:
    source.status = 201
    await register(here, source.url, operations=FEDERATION)
    id = await subscribe(here, receiver.url + "/a")
    [made] = await until_asked(source, "POST")
    link, remote = link_of(made.body), made.body["id"]
    async with asyncio.timeout(WAIT):
        # Until the source's answer has been taken in.
        while (await notify(link, client=here, subscriptionId=id)).status != 404:
            await asyncio.sleep(0.01)
    guess = f"{here.base}/notifications/{'x' * 43}"
    assert (await notify(guess, lamp(power=ON), client=here, subscriptionId=remote)).status == 404
    wrong = [{"type": "Nonsense"}, {"data": None}, {"data": [7]}, {"data": [{"id": LAMP}]}]
    for members in wrong:
        answer = await notify(link, client=here, subscriptionId=remote, **members)
        assert (answer.status, members) == (400, members)
    assert receiver.at("/a") == []


async def test_of_who_does_not_know_the_path_nothing_is_read(here: Whole, source: Source) -> None:
    link = f'<{source.url}/context>; rel="http://www.w3.org/ns/json-ld#context"'
    headers = {"Link": link, "Content-Type": "application/json"}
    answer = await here.post(f"/notifications/{'x' * 43}", raw=b"no JSON", headers=headers)
    assert (answer.status, source.asked) == (404, [])


async def test_notification_that_comes_again_is_told_once(
    here: Whole, source: Source, receiver: Receiver
) -> None:
    source.status = 201
    await register(here, source.url, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a")
    [made] = await until_asked(source, "POST")
    link, remote = link_of(made.body), made.body["id"]
    for number in (1, 1, 2):
        body = {"subscriptionId": remote, "id": f"urn:ngsi-ld:Notification:{number}"}
        assert (await notify(link, lamp(power=prop(number)), client=here, **body)).status == 200
        await receiver.until("/a", number)
    assert [one["power"]["value"] for one in told(receiver)] == [1, 2]


async def test_secret_path_is_not_in_the_log(
    here: Whole, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    await notify(f"{here.base}/notifications/{'s' * 43}", client=here)
    said = capsys.readouterr()
    assert "/notifications/{secret}" in said.out + said.err
    assert "s" * 43 not in said.out + said.err


async def test_paused_subscriber_is_not_told_and_source_is_content(
    here: Whole, source: Source, receiver: Receiver
) -> None:
    source.status = 201
    await register(here, source.url, operations=["createSubscription"])
    id = await subscribe(here, receiver.url + "/a")
    [made] = await until_asked(source, "POST")
    link, remote = link_of(made.body), made.body["id"]
    await here.patch(f"{SUBSCRIPTIONS}/{id}", {"isActive": False})
    other = await subscribe(here, receiver.url + "/b")
    await until_asked(source, "POST", 2)
    answer = await notify(link, lamp(power=ON), client=here, subscriptionId=remote)
    assert (answer.status, other != id) == (200, True)
    await still(receiver, here, "/b")
    assert receiver.at("/a") == []


async def test_interval_is_kept_by_the_source(here: Whole, there: Whole, receiver: Receiver) -> None:
    await put(there, lamp(power=ON))
    await register(here, there.base, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a", timeInterval=0.1)
    await receiver.until("/a", 3)
    assert told(receiver)[:3] == [lamp(power=ON)] * 3


# -- tenants, loops, and what is told by two ways ----------------------------


async def test_tenants_here_and_there_are_kept_apart(here: Whole, there: Whole, receiver: Receiver) -> None:
    ours, theirs = {"NGSILD-Tenant": "city"}, {"NGSILD-Tenant": "port"}
    await there.post(ENTITIES, lamp(7), headers=theirs)
    body = {
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": "Lamp"}]}],
        "endpoint": there.base,
        "tenant": "port",
    }
    assert (await here.post(REGISTRATIONS, body, headers=ours)).status == 201
    await subscribe(here, receiver.url + "/a", headers=ours)
    await subscribe(here, receiver.url + "/b")
    await until_subscribed(there, 1, "port")
    assert await subscriptions(there) == []
    await put(there, lamp(8, power=ON))
    assert (await there.post(ENTITIES, lamp(1, power=ON), headers=theirs)).status == 201
    [one] = await receiver.until("/a", 1)
    assert (one.entity["id"], one.headers["NGSILD-Tenant"]) == (LAMP, "city")
    await still(receiver, here, "/b")
    assert receiver.at("/b") == []


async def test_nodes_that_registered_with_each_other_tell_once(
    here: Whole, there: Whole, receiver: Receiver
) -> None:
    await register(here, there.base, operations=FEDERATION)
    await register(there, here.base, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a")
    await until_subscribed(there)
    await put(there, lamp(1, power=ON))
    await receiver.until("/a", 1)
    await put(here, lamp(2, power=ON))
    await receiver.until("/a", 2)
    await still(receiver, here)
    assert [one["id"][-1] for one in told(receiver)] == ["1", "2"]
    assert len(await subscriptions(here)) == 1


async def test_subscription_that_comes_back_is_refused(here: Whole, receiver: Receiver) -> None:
    body = {"type": "Subscription", "entities": [{"type": "Lamp"}]}
    body |= {"notification": {"endpoint": {"uri": receiver.url + "/a"}}}
    alias = here.services.alias("")
    answer = await here.post(SUBSCRIPTIONS, body, headers={"Via": f"1.1 other, 1.1 {alias}"})
    assert (answer.status, answer.problem) == (508, "LoopDetected")


async def test_source_that_has_passed_the_subscription_on_is_not_asked(
    here: Whole, source: Source, receiver: Receiver
) -> None:
    source.status = 201
    await register(here, source.url, operations=FEDERATION, contextSourceAlias="harbour-1")
    uri = receiver.url + "/a"
    await subscribe(here, uri, watchedAttributes=["power"], headers={"Via": "1.1 harbour-1"})
    await subscribe(here, uri, watchedAttributes=["height"], headers={"Via": "1.1 harbour-2"})
    [asked] = await until_asked(source, "POST")
    assert asked.body["watchedAttributes"] == ["height"]
    assert asked.headers["Via"] == f"1.1 harbour-2, 1.1 {here.services.alias('')}"


async def test_change_that_comes_by_two_ways_is_told_once(
    here: Whole, there: Whole, third: Whole, receiver: Receiver, tmp_path: Path
) -> None:
    async with whole_node(tmp_path / "fourth") as fourth:
        for between in (there, third):
            await register(here, between.base, operations=FEDERATION)
            await register(between, fourth.base, operations=FEDERATION)
        await subscribe(here, receiver.url + "/a")
        await until_subscribed(fourth, 2)
        await put(fourth, lamp(1, power=prop(0)))
        await settled(fourth, there, third, here)
        for value in (1, 0, 1):
            await change(fourth, power=prop(value))
            await settled(fourth, there, third, here)
        assert [one["power"]["value"] for one in told(receiver)] == [0, 1, 0, 1]


async def test_write_that_is_done_here_and_at_a_source_is_told_once(
    here: Whole, there: Whole, receiver: Receiver
) -> None:
    await put(here, lamp(1, power=prop(0)))
    await put(there, lamp(1, power=prop(0)))
    await register(here, there.base, operations=["federationOps", "redirectionOps"])
    await subscribe(here, receiver.url + "/a")
    await until_subscribed(there)
    for value in (1, 2, 1):
        answer = await here.patch(f"{ENTITIES}/{LAMP}/attrs/power", {"value": value})
        assert answer.status == 204, answer.body
        await settled(here, there, here)
    assert [one["power"]["value"] for one in told(receiver)] == [1, 2, 1]


async def test_value_that_comes_back_at_another_place_is_told(
    here: Whole, there: Whole, receiver: Receiver
) -> None:
    await register(here, there.base, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a", q="heat>30")
    await until_subscribed(there)
    await put(here, lamp(heat=prop(31)))
    await settled(here)
    await put(there, lamp(heat=prop(20)))
    await settled(there, here)
    await change(there, heat=prop(31))
    await settled(there, here)
    assert [one["heat"]["value"] for one in told(receiver)] == [31, 31]


async def test_who_is_told_anew_is_told_what_another_was_told(
    here: Whole, there: Whole, receiver: Receiver
) -> None:
    await register(here, there.base, operations=FEDERATION)
    id = await subscribe(here, receiver.url + "/a")
    await until_subscribed(there)
    await put(here, lamp(power=ON))
    await receiver.until("/a", 1)
    await here.patch(f"{SUBSCRIPTIONS}/{id}", {"notification": {"endpoint": {"uri": receiver.url + "/b"}}})
    await settled(here)
    await put(there, lamp(power=ON))
    await receiver.until("/b", 1)
    assert told(receiver, "/b") == [lamp(power=ON)]


# -- trouble ----------------------------------------------------------------


async def test_source_that_is_away_gets_it_when_it_is_back(
    here: Whole, there: Whole, receiver: Receiver, tmp_path: Path
) -> None:
    port = free_port()
    await register(here, f"http://127.0.0.1:{port}", operations=FEDERATION)
    await register(here, there.base, operations=FEDERATION)
    id = await subscribe(here, receiver.url + "/a")
    # Who is away holds up nobody else.
    await until_subscribed(there)
    async with whole_node(tmp_path / "late", port=port) as late:
        await until_subscribed(late)
        await put(late, lamp(1, power=ON))
        await receiver.until("/a", 1)
    await here.delete(f"{SUBSCRIPTIONS}/{id}")
    await until_subscribed(there, 0)
    async with whole_node(tmp_path / "late", port=port) as late:
        await until_subscribed(late, 0)


async def test_restart_loses_nothing(there: Whole, receiver: Receiver, tmp_path: Path) -> None:
    port = free_port()
    async with whole_node(tmp_path / "city", port=port) as node:
        await register(node, there.base, operations=FEDERATION)
        kept = await subscribe(node, receiver.url + "/a")
        [copy] = await until_subscribed(there)
        assert [one["id"] for one in await subscriptions(node)] == [kept]
    await put(there, lamp(1, power=ON))
    async with whole_node(tmp_path / "city", port=port) as node:
        await receiver.until("/a", 1)
        assert await subscriptions(there) == [
            {**copy, "notification": (await subscriptions(there))[0]["notification"]}
        ]
        await node.delete(f"{SUBSCRIPTIONS}/{kept}")
        await until_subscribed(there, 0)


async def test_what_was_to_be_deleted_when_the_node_stopped_is_deleted(
    receiver: Receiver, tmp_path: Path
) -> None:
    port = free_port()
    async with whole_node(tmp_path / "city") as node:
        async with whole_node(tmp_path / "there", port=port) as there:
            await register(node, there.base, operations=FEDERATION)
            id = await subscribe(node, receiver.url + "/a")
            await until_subscribed(there)
        await node.delete(f"{SUBSCRIPTIONS}/{id}")
    async with whole_node(tmp_path / "city"), whole_node(tmp_path / "there", port=port) as there:
        await until_subscribed(there, 0)


async def test_subscriptions_from_before_there_were_links_are_shared(
    there: Whole, receiver: Receiver, tmp_path: Path
) -> None:
    """As an older version of the node left them."""
    async with whole_node(tmp_path / "city") as node:
        await register(node, "http://127.0.0.1:9", operations=FEDERATION)
        await subscribe(node, receiver.url + "/a")
        [one] = (await node.get(f"{REGISTRATIONS}?type=Lamp")).json

    def older(tx: Transaction) -> None:
        for link in tx.documents("", LINK):
            tx.delete_document("", LINK, link.id, Cause(kind="system", id="system:test"))
        body = {**tx.documents("", REGISTRATION)[0].body, "endpoint": there.base}
        tx.set_state("", REGISTRATION, one["id"], body)

    store = SqliteStore(CityFolder(tmp_path / "city").store_file, SystemClock())
    await asyncio.wrap_future(store.submit(older))
    store.close()
    async with whole_node(tmp_path / "city"):
        await until_subscribed(there)


async def test_node_that_moved_tells_its_sources_where_it_is(
    there: Whole, receiver: Receiver, tmp_path: Path
) -> None:
    async with whole_node(tmp_path / "city") as node:
        await register(node, there.base, operations=FEDERATION)
        await subscribe(node, receiver.url + "/a")
        [copy] = await until_subscribed(there)
    async with whole_node(tmp_path / "city") as node:
        async with asyncio.timeout(WAIT):
            while not link_of((await subscriptions(there))[0]).startswith(node.base):
                await asyncio.sleep(0.01)
        assert [one["id"] for one in await subscriptions(there)] == [copy["id"]]
        await put(there, lamp(1, power=ON))
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
    here: Whole, there: Whole, source: Source, receiver: Receiver
) -> None:
    source.status = 500
    await register(here, there.base, operations=FEDERATION)
    await register(here, source.url, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a")
    await until_subscribed(there)
    await put(there, lamp(power=ON))
    await receiver.until("/a", 1)
    assert told(receiver) == [lamp(power=ON)]

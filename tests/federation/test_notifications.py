"""Clause 5.8.6: what context sources tell reaches the subscriber, whole, and once."""

import asyncio
from pathlib import Path

import pytest

from tests.federation.helpers import ENTITIES, LAMP, REGISTRATIONS, lamp, prop, put, register
from tests.federation.source import Source
from tests.federation.whole import (
    FEDERATION,
    OFF,
    ON,
    SUBSCRIPTIONS,
    Whole,
    change,
    link_of,
    notify,
    settled,
    still,
    subscribe,
    subscriptions,
    told,
    until_asked,
    until_subscribed,
    whole_node,
)
from tests.subscriptions.helpers import WAIT, Receiver

# -- what a source tells ----------------------------------------------------


async def test_subscriber_hears_of_a_change_at_a_source(
    here: Whole, harbour: Whole, receiver: Receiver
) -> None:
    await register(here, harbour.base, operations=FEDERATION)
    id = await subscribe(here, receiver.url + "/a")
    await until_subscribed(harbour)
    await put(harbour, lamp(power=ON))
    [one] = await receiver.until("/a", 1)
    assert one.body["subscriptionId"] == id
    assert one.body["data"] == [lamp(power=ON)]
    assert (await here.get(f"{SUBSCRIPTIONS}/{id}")).json["notification"]["timesSent"] == 1


async def test_entity_is_put_together_before_conditions_are_looked_at(
    here: Whole, harbour: Whole, district: Whole, receiver: Receiver
) -> None:
    """Clause 5.8.6: the rest comes from here and from the other sources, and decides."""
    await put(here, lamp(1, power=ON), lamp(2, power=OFF))
    await put(district, lamp(1, colour=prop("red")))
    for node in (harbour, district):
        await register(here, node.base, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a", q='power=="on"', notification={"format": "simplified"})
    await until_subscribed(harbour)
    await put(harbour, lamp(2, height=prop(1)), lamp(1, height=prop(4)))
    await receiver.until("/a", 1)
    assert told(receiver) == [{**lamp(1), "height": 4, "power": "on", "colour": "red"}]
    await still(receiver, here)
    assert len(told(receiver)) == 1


async def test_entity_that_is_deleted_here_is_told_by_what_it_was_here(
    here: Whole, harbour: Whole, receiver: Receiver
) -> None:
    await put(here, lamp(1, power=OFF), lamp(2, power=ON))
    await register(here, harbour.base, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a", q='power=="on"', notificationTrigger=["entityDeleted"])
    await until_subscribed(harbour)
    for number in (1, 2):
        await here.delete(f"{ENTITIES}/urn:ngsi-ld:Lamp:{number}?local=true")
    await receiver.until("/a", 1)
    assert [one["id"] for one in told(receiver)] == ["urn:ngsi-ld:Lamp:2"]


@pytest.mark.parametrize("split", [True, False])
async def test_value_that_comes_back_over_one_that_did_not_fit_is_told(
    here: Whole, harbour: Whole, receiver: Receiver, split: bool
) -> None:
    await put(harbour, lamp(heat=prop(20)))
    await register(here, harbour.base, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a", q="heat>30", splitEntities=split)
    await until_subscribed(harbour)
    for heat in (31, 25, 31, 20, 31):
        await change(harbour, heat=prop(heat))
        await settled(harbour, here)
    assert [one["heat"]["value"] for one in told(receiver)] == [31, 31, 31]


async def test_change_here_is_decided_when_the_entity_is_whole(
    here: Whole, harbour: Whole, receiver: Receiver
) -> None:
    await put(harbour, lamp(1, power=ON), lamp(2, power=OFF))
    await register(here, harbour.base, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a", q='power=="on"', notification={"format": "simplified"})
    await until_subscribed(harbour)
    await put(here, lamp(2, height=prop(4)), lamp(1, height=prop(4)))
    await receiver.until("/a", 1)
    await change(here, height=prop(5))
    await receiver.until("/a", 2)
    assert told(receiver) == [{**lamp(1), "height": height, "power": "on"} for height in (4, 5)]


async def test_what_is_gone_at_the_source_is_told(here: Whole, harbour: Whole, receiver: Receiver) -> None:
    await put(
        harbour, lamp(power=ON, height=prop(4), name={"type": "LanguageProperty", "languageMap": {"en": "x"}})
    )
    await register(here, harbour.base, operations=FEDERATION)
    await subscribe(
        here, receiver.url + "/a", notificationTrigger=["entityUpdated", "entityDeleted"],
        notification={"showChanges": True},
    )  # fmt: skip
    await until_subscribed(harbour)
    await change(harbour, power=OFF)
    await harbour.delete(f"{ENTITIES}/{LAMP}/attrs/height?local=true")
    await harbour.delete(f"{ENTITIES}/{LAMP}/attrs/name?local=true")
    await harbour.delete(f"{ENTITIES}/{LAMP}?local=true")
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
    here: Whole, harbour: Whole, receiver: Receiver
) -> None:
    await put(here, lamp(power=ON))
    await put(harbour, lamp(power=OFF, height=prop(1)))
    await register(here, harbour.base, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a", notificationTrigger=["attributeDeleted"])
    await until_subscribed(harbour)
    await harbour.delete(f"{ENTITIES}/{LAMP}/attrs/power?local=true")
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


async def test_interval_is_kept_by_the_source(here: Whole, harbour: Whole, receiver: Receiver) -> None:
    await put(harbour, lamp(power=ON))
    await register(here, harbour.base, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a", timeInterval=0.1)
    await receiver.until("/a", 3)
    assert told(receiver)[:3] == [lamp(power=ON)] * 3


# -- tenants, loops, and what is told by two ways ----------------------------


async def test_tenants_here_and_there_are_kept_apart(here: Whole, harbour: Whole, receiver: Receiver) -> None:
    ours, theirs = {"NGSILD-Tenant": "city"}, {"NGSILD-Tenant": "port"}
    await harbour.post(ENTITIES, lamp(7), headers=theirs)
    body = {
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": "Lamp"}]}],
        "endpoint": harbour.base,
        "tenant": "port",
    }
    assert (await here.post(REGISTRATIONS, body, headers=ours)).status == 201
    await subscribe(here, receiver.url + "/a", headers=ours)
    await subscribe(here, receiver.url + "/b")
    await until_subscribed(harbour, 1, "port")
    assert await subscriptions(harbour) == []
    await put(harbour, lamp(8, power=ON))
    assert (await harbour.post(ENTITIES, lamp(1, power=ON), headers=theirs)).status == 201
    [one] = await receiver.until("/a", 1)
    assert (one.entity["id"], one.headers["NGSILD-Tenant"]) == (LAMP, "city")
    await still(receiver, here, "/b")
    assert receiver.at("/b") == []


async def test_nodes_that_registered_with_each_other_tell_once(
    here: Whole, harbour: Whole, receiver: Receiver
) -> None:
    await register(here, harbour.base, operations=FEDERATION)
    await register(harbour, here.base, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a")
    await until_subscribed(harbour)
    await put(harbour, lamp(1, power=ON))
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
    here: Whole, harbour: Whole, district: Whole, receiver: Receiver, tmp_path: Path
) -> None:
    async with whole_node(tmp_path / "fourth") as fourth:
        for between in (harbour, district):
            await register(here, between.base, operations=FEDERATION)
            await register(between, fourth.base, operations=FEDERATION)
        await subscribe(here, receiver.url + "/a")
        await until_subscribed(fourth, 2)
        await put(fourth, lamp(1, power=prop(0)))
        await settled(fourth, harbour, district, here)
        for value in (1, 0, 1):
            await change(fourth, power=prop(value))
            await settled(fourth, harbour, district, here)
        assert [one["power"]["value"] for one in told(receiver)] == [0, 1, 0, 1]


async def test_write_that_is_done_here_and_at_a_source_is_told_once(
    here: Whole, harbour: Whole, receiver: Receiver
) -> None:
    await put(here, lamp(1, power=prop(0)))
    await put(harbour, lamp(1, power=prop(0)))
    await register(here, harbour.base, operations=["federationOps", "redirectionOps"])
    await subscribe(here, receiver.url + "/a")
    await until_subscribed(harbour)
    for value in (1, 2, 1):
        answer = await here.patch(f"{ENTITIES}/{LAMP}/attrs/power", {"value": value})
        assert answer.status == 204, answer.body
        await settled(here, harbour, here)
    assert [one["power"]["value"] for one in told(receiver)] == [1, 2, 1]


async def test_value_that_comes_back_at_another_place_is_told(
    here: Whole, harbour: Whole, receiver: Receiver
) -> None:
    await register(here, harbour.base, operations=FEDERATION)
    await subscribe(here, receiver.url + "/a", q="heat>30")
    await until_subscribed(harbour)
    await put(here, lamp(heat=prop(31)))
    await settled(here)
    await put(harbour, lamp(heat=prop(20)))
    await settled(harbour, here)
    await change(harbour, heat=prop(31))
    await settled(harbour, here)
    assert [one["heat"]["value"] for one in told(receiver)] == [31, 31]


async def test_who_is_told_anew_is_told_what_another_was_told(
    here: Whole, harbour: Whole, receiver: Receiver
) -> None:
    await register(here, harbour.base, operations=FEDERATION)
    id = await subscribe(here, receiver.url + "/a")
    await until_subscribed(harbour)
    await put(here, lamp(power=ON))
    await receiver.until("/a", 1)
    await here.patch(f"{SUBSCRIPTIONS}/{id}", {"notification": {"endpoint": {"uri": receiver.url + "/b"}}})
    await settled(here)
    await put(harbour, lamp(power=ON))
    await receiver.until("/b", 1)
    assert told(receiver, "/b") == [lamp(power=ON)]

"""Clauses 5.3.1, 5.8.6, 6.3.8 and 7.2: what is told, when and in which words, over the binding."""

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest

from cityloom.ld.core_terms import CORE_URL
from tests.conformance.data import CORE_LINK_REL, ENTITIES, prop
from tests.conformance.receiver import (
    AT,
    SUBSCRIPTIONS,
    THING,
    WAIT,
    count,
    matched,
    settled,
    subscribe,
    telling,
    thing,
    until,
)
from tests.federation.source import Source, running_source
from tests.web.node import Client

NULL = "urn:ngsi-ld:null"
KINDS: dict[str, tuple[str, Any, Any, str, Any]] = {
    "Property": ("value", 1, 2, "previousValue", NULL),
    "GeoProperty": (
        "value",
        {"type": "Point", "coordinates": [1.0, 2.0]},
        {"type": "Point", "coordinates": [3.0, 4.0]},
        "previousValue",
        NULL,
    ),
    "Relationship": ("object", "urn:a:1", "urn:a:2", "previousObject", NULL),
    "LanguageProperty": ("languageMap", {"en": "x"}, {"en": "y"}, "previousLanguageMap", {"@none": NULL}),
    "VocabProperty": ("vocab", "bright", "dim", "previousVocab", NULL),
    "JsonProperty": ("json", {"a": 1}, {"a": 2}, "previousJson", NULL),
    "ListProperty": ("valueList", [1, 2], [3], "previousValueList", [NULL]),
    "ListRelationship": (
        "objectList",
        [{"object": "urn:a:1"}],
        [{"object": "urn:a:2"}],
        "previousObjectList",
        [NULL],
    ),
}
"""By kind: the member of the value, a value, another, the member of the one before, the null that is told."""


@pytest.fixture
async def town(node: Client) -> AsyncIterator[Client]:
    async with telling(node):
        yield node


@pytest.fixture
async def receiver() -> AsyncIterator[Source]:
    async with running_source() as running:
        yield running


async def change(node: Client, how: str, kind: str = "Property", null: Any = NULL) -> None:
    """Makes one change to attribute `x` of the thing."""
    member = KINDS[kind][0]
    fragment = {"x": {"type": kind, member: null}}
    answer = {
        "delete": lambda: node.delete(f"{AT}/attrs/x"),
        "update": lambda: node.patch(f"{AT}/attrs", fragment),
        "merge": lambda: node.patch(AT, fragment),
        "entity": lambda: node.delete(AT),
    }[how]
    assert (await answer()).status == 204


@pytest.mark.parametrize("how", ["delete", "update", "merge"])
@pytest.mark.parametrize("kind", KINDS)
async def test_deleted_attribute_is_told_whatever_deletes_it(
    town: Client, receiver: Source, kind: str, how: str
) -> None:
    member, value, _, _, null = KINDS[kind]
    await town.post(ENTITIES, thing(x={"type": kind, member: value}, y=prop(1)))
    await subscribe(town, receiver, notificationTrigger=["attributeDeleted"])
    await change(town, how, kind, NULL if isinstance(null, list) else null)
    [told] = await until(receiver)
    assert told.body["data"] == [thing(x={"type": kind, member: null}, y=prop(1))]


@pytest.mark.parametrize("form", ["simplified", "keyValues", "concise"])
@pytest.mark.parametrize("kind", KINDS)
async def test_deleted_attribute_is_only_its_name_and_null_in_short_forms(
    town: Client, receiver: Source, kind: str, form: str
) -> None:
    member, value, _, _, _ = KINDS[kind]
    await town.post(ENTITIES, thing(x={"type": kind, member: value}))
    await subscribe(town, receiver, notificationTrigger=["attributeDeleted"], notification={"format": form})
    await change(town, "delete")
    [told] = await until(receiver)
    assert told.body["data"] == [thing(x=NULL)]


@pytest.mark.parametrize("kind", KINDS)
async def test_changes_are_shown_of_what_was_there_before(town: Client, receiver: Source, kind: str) -> None:
    """5.2.14 showChanges: of an update, of a deleted attribute and of a deleted entity."""
    member, value, other, before, null = KINDS[kind]
    await town.post(ENTITIES, thing(x={"type": kind, member: value}))
    triggers = ["attributeUpdated", "attributeDeleted"]
    shown = {"showChanges": True}
    await subscribe(town, receiver, notificationTrigger=triggers, notification=shown)
    await subscribe(town, receiver, "/gone", notificationTrigger=["entityDeleted"], notification=shown)
    assert (await town.patch(f"{AT}/attrs", {"x": {"type": kind, member: other}})).status == 204
    [updated] = await until(receiver)
    assert updated.body["data"] == [thing(x={"type": kind, member: other, before: value})]
    await change(town, "delete")
    [_, deleted] = await until(receiver, times=2)
    assert deleted.body["data"] == [thing(x={"type": kind, member: null, before: other})]
    await town.patch(f"{AT}/attrs", {"x": {"type": kind, member: value}})
    await change(town, "entity")
    [gone] = await until(receiver, "/gone")
    assert gone.body["data"][0]["x"] == {"type": kind, member: null, before: value}


@pytest.mark.parametrize("trigger", ["entityCreated", "attributeCreated"])
async def test_what_is_new_has_nothing_before(town: Client, receiver: Source, trigger: str) -> None:
    if trigger == "attributeCreated":
        await town.post(ENTITIES, thing(y=prop(1)))
    await subscribe(town, receiver, notificationTrigger=[trigger], notification={"showChanges": True})
    if trigger == "attributeCreated":
        await town.patch(f"{AT}/attrs", {"x": prop(1)})
    else:
        await town.post(ENTITIES, thing(x=prop(1)))
    [told] = await until(receiver)
    assert told.body["data"][0]["x"] == prop(1)


CREATE, ADD, SET, TAKE, END = "create", "add", "set", "take", "end"
TRIGGERS = {
    None: [CREATE, ADD, SET],
    "entityCreated": [CREATE],
    "attributeCreated": [CREATE, ADD],
    "attributeUpdated": [SET],
    "attributeDeleted": [TAKE, END],
    "entityUpdated": [CREATE, ADD, SET, TAKE, END],  # the three of attributes together
    "entityDeleted": [END],
}


@pytest.mark.parametrize("trigger", TRIGGERS)
async def test_trigger_says_which_changes_are_told(
    town: Client, receiver: Source, trigger: str | None
) -> None:
    """5.2.12: a whole life, and what of it is told."""
    members = {} if trigger is None else {"notificationTrigger": [trigger]}
    await subscribe(town, receiver, **members)
    steps = {
        CREATE: lambda: town.post(ENTITIES, thing(x=prop(1))),
        ADD: lambda: town.post(f"{AT}/attrs", {"y": prop(1)}),
        SET: lambda: town.patch(f"{AT}/attrs/x", {"value": 2}),
        TAKE: lambda: town.delete(f"{AT}/attrs/y"),
        END: lambda: town.delete(AT),
    }
    told = []
    for name, step in steps.items():
        before = count(receiver)
        assert (await step()).status in (201, 204)
        await settled(town)
        told += [name] * (count(receiver) - before)
    assert told == TRIGGERS[trigger]


@pytest.mark.parametrize("sys_attrs", [False, True])
async def test_times_are_told_where_they_are_asked_for(
    town: Client, receiver: Source, sys_attrs: bool
) -> None:
    await town.post(ENTITIES, thing(x=prop(1), y=prop(1)))
    wanted = {"sysAttrs": sys_attrs}
    await subscribe(town, receiver, notificationTrigger=["attributeDeleted"], notification=wanted)
    await subscribe(town, receiver, "/gone", notificationTrigger=["entityDeleted"], notification=wanted)
    await change(town, "delete")
    [deleted] = await until(receiver)
    [entity] = deleted.body["data"]
    times = {"createdAt", "modifiedAt"} if sys_attrs else set()
    assert entity.keys() == {"id", "type", "x", "y"} | times
    assert entity["y"].keys() == {"type", "value"} | times
    assert entity["x"].keys() == {"type", "value"} | times | ({"deletedAt"} if sys_attrs else set())
    await change(town, "entity")
    [gone] = await until(receiver, "/gone")
    assert gone.body["data"][0].keys() == {"id", "type", "deletedAt"} | times


TWO = [prop(1), prop(2, datasetId="urn:d:b")]
GONE = prop(NULL, datasetId="urn:d:b")


@pytest.mark.parametrize(
    ("query", "form", "x"),
    [
        ("?datasetId=urn:d:b", "normalized", [prop(1), GONE]),
        ("?datasetId=urn:d:b", "keyValues", {"dataset": {"@none": 1, "urn:d:b": NULL}}),
        ("?deleteAll=true", "normalized", prop(NULL)),
        ("?deleteAll=true", "keyValues", NULL),
    ],
)
async def test_deleted_instances_are_told_by_their_dataset(
    town: Client, receiver: Source, query: str, form: str, x: Any
) -> None:
    await town.post(ENTITIES, thing(x=TWO))
    await subscribe(town, receiver, notificationTrigger=["attributeDeleted"], notification={"format": form})
    assert (await town.delete(f"{AT}/attrs/x{query}")).status == 204
    [told] = await until(receiver)
    assert told.body["data"] == [thing(x=x)]


@pytest.mark.parametrize(
    ("members", "x"),
    [({"datasetId": ["urn:d:b"]}, TWO[1]), ({"datasetId": ["@none"]}, TWO[0]), ({}, TWO)],
)
async def test_only_instances_of_the_datasets_are_told(
    town: Client, receiver: Source, members: dict[str, Any], x: Any
) -> None:
    await subscribe(town, receiver, **members)
    await town.post(ENTITIES, thing(x=TWO))
    [told] = await until(receiver)
    assert told.body["data"] == [thing(x=x)]


async def test_notification_has_the_members_of_the_clause(town: Client, receiver: Source) -> None:
    """5.3.1 and 6.3.8; the counters of 5.2.14.2 follow."""
    at = await subscribe(town, receiver)
    await town.post(ENTITIES, thing(x=prop(1)))
    [told] = await until(receiver)
    assert told.method == "POST"
    assert told.body.keys() == {"id", "type", "subscriptionId", "notifiedAt", "data"}
    assert (told.body["type"], told.body["subscriptionId"]) == ("Notification", at.rpartition("/")[2])
    assert told.headers["Content-Type"] == "application/json"
    assert told.headers["Link"].startswith(f"<{CORE_URL}>")
    assert CORE_LINK_REL in told.headers["Link"]
    await settled(town)
    counters = (await town.get(at)).json["notification"]
    assert (counters["status"], counters["timesSent"]) == ("ok", 1)
    assert counters["lastSuccess"] >= counters["lastNotification"]
    assert "lastFailure" not in counters


async def test_answer_other_than_200_is_a_failure_that_is_told(town: Client, receiver: Source) -> None:
    receiver.status = 404
    at = await subscribe(town, receiver)
    await town.post(ENTITIES, thing(x=prop(1)))
    await until(receiver)
    async with asyncio.timeout(WAIT):
        while "lastFailure" not in (counters := (await town.get(at)).json["notification"]):
            await asyncio.sleep(0.01)
    assert (counters["status"], "lastSuccess" in counters) == ("failed", False)


@pytest.mark.parametrize(
    ("accept", "more"),
    [("application/json", {}), ("application/ld+json", {}), ("application/geo+json", {})],
)
async def test_media_type_is_that_of_the_endpoint(
    town: Client, receiver: Source, accept: str, more: dict[str, str]
) -> None:
    place = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1.0, 2.0]}}
    await subscribe(town, receiver, endpoint={"accept": accept})
    await town.post(ENTITIES, thing(location=place))
    [told] = await until(receiver)
    assert told.headers["Content-Type"] == accept
    assert ("Link" in told.headers) == (accept == "application/json")
    data = told.body["data"]
    if accept == "application/geo+json":
        assert (data["type"], data["@context"]) == ("FeatureCollection", CORE_URL)
        assert data["features"][0]["geometry"] == place["value"]
    else:
        assert data[0].get("@context") == (CORE_URL if accept == "application/ld+json" else None)


@pytest.mark.parametrize(
    ("notification", "members"),
    [
        ({"attributes": ["x"]}, {"id", "type", "x"}),
        ({"pick": ["id", "x"]}, {"id", "x"}),
        ({"omit": ["x", "type"]}, {"id", "y"}),
        ({}, {"id", "type", "x", "y"}),
    ],
)
async def test_only_what_is_picked_is_told(
    town: Client, receiver: Source, notification: dict[str, Any], members: set[str]
) -> None:
    await subscribe(town, receiver, notification=notification)
    await town.post(ENTITIES, thing(x=prop(1), y=prop(2)))
    [told] = await until(receiver)
    assert told.body["data"][0].keys() == members


@pytest.mark.parametrize("sys_attrs", [False, True])
@pytest.mark.parametrize("form", ["normalized", "simplified"])
@pytest.mark.parametrize("join", ["flat", "inline"])
async def test_linked_entities_are_told_in_the_form_of_the_subscription(
    town: Client, receiver: Source, join: str, form: str, sys_attrs: bool
) -> None:
    """4.5.23 with 5.8.6."""
    other = {"id": "urn:ngsi-ld:Other:1", "type": "Other", "y": prop(7)}
    await town.post(ENTITIES, other)
    wanted = {"join": join, "format": form, "sysAttrs": sys_attrs}
    await subscribe(town, receiver, notification=wanted)
    await town.post(ENTITIES, thing(by={"type": "Relationship", "object": other["id"]}))
    [told] = await until(receiver)
    first, *more = told.body["data"]
    linked = more[0] if join == "flat" else first["by"] if form == "simplified" else first["by"]["entity"]
    assert len(more) == (join == "flat")
    y = linked["y"] if form == "simplified" else linked["y"]["value"]
    assert (linked["id"], y, "createdAt" in linked) == (other["id"], 7, sys_attrs)


async def test_context_of_the_subscription_speaks(town: Client, receiver: Source) -> None:
    """5.8.1.4: jsonldContext, and where there is none the @context that the subscription came with."""
    names = {"hoogte": "https://uri.etsi.org/ngsi-ld/default-context/x"}
    hosted = await town.post(
        "/ngsi-ld/v1/jsonldContexts", raw=msgspec.json.encode({"@context": names}), headers=JSON
    )
    url = town.base + hosted.headers["Location"]
    await subscribe(town, receiver, jsonldContext=url)
    await subscribe(town, receiver, "/own", **{"@context": names}, watchedAttributes=["hoogte"])
    await town.post(ENTITIES, thing(x=prop(1)))
    [told] = await until(receiver)
    [own] = await until(receiver, "/own")
    assert told.headers["Link"].startswith(f"<{url}>")
    assert told.body["data"][0]["hoogte"] == own.body["data"][0]["hoogte"] == prop(1)


JSON = {"Content-Type": "application/json"}


async def test_paused_subscription_is_told_nothing_until_it_goes_on(town: Client, receiver: Source) -> None:
    at = await subscribe(town, receiver, isActive=False)
    await town.post(ENTITIES, thing(x=prop(1)))
    await settled(town)
    await town.patch(at, {"isActive": True})
    await town.patch(f"{AT}/attrs", {"x": prop(2)})
    told = await until(receiver)
    assert [one.body["data"][0]["x"]["value"] for one in told] == [2]


async def test_what_waits_when_a_subscription_is_paused_is_not_sent(town: Client, receiver: Source) -> None:
    """5.8.6: only while it is active."""
    receiver.silent = True
    at = await subscribe(town, receiver)
    await town.post(ENTITIES, thing(x=prop(1)))
    await until(receiver)
    await town.patch(f"{AT}/attrs", {"x": prop(2)})
    await town.patch(at, {"isActive": False})
    await matched(town)
    receiver.silent = False
    receiver.ended.set()
    await settled(town)
    assert count(receiver) == 1


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[int]:
    """An MQTT broker that lets in who knows the password; its port."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    if not Path(program).exists() or shutil.which("mosquitto_passwd") is None:
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    words = tmp_path / "words"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(words), "city", "secret"], check=True)
    words.chmod(0o644)
    configuration = tmp_path / "mosquitto.conf"
    configuration.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {words}\nuser root\n"
    )
    process = subprocess.Popen([program, "-c", str(configuration)], stderr=subprocess.PIPE)
    assert process.stderr is not None
    while line := process.stderr.readline():
        if b"running" in line:
            break
    yield port
    process.terminate()
    process.wait()
    process.stderr.close()


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", ["mqtt3.1.1", "mqtt5.0"])
async def test_mqtt_message_holds_metadata_and_notification(
    town: Client, mosquitto: int, version: str, qos: int
) -> None:
    """7.2: user and password in the URI, the quality of service and the version as they are asked for."""
    async with aiomqtt.Client("127.0.0.1", mosquitto, username="city", password="secret") as listening:
        await listening.subscribe("things/told", qos=2)
        uri = f"mqtt://city:secret@127.0.0.1:{mosquitto}/things/told"
        info = [{"key": "MQTT-QoS", "value": str(qos)}, {"key": "MQTT-Version", "value": version}]
        more = [{"key": "purpose", "value": "test"}]
        endpoint = {"uri": uri, "notifierInfo": info, "receiverInfo": more}
        document = {
            "type": "Subscription",
            "entities": [{"type": "Thing"}],
            "notification": {"endpoint": endpoint},
        }
        assert (await town.post(SUBSCRIPTIONS, document)).status == 201
        await town.post(ENTITIES, thing(x=prop(1)))
        async with asyncio.timeout(WAIT):
            message = await anext(aiter(listening.messages))
    assert message.qos == qos
    assert isinstance(message.payload, bytes)
    said = msgspec.json.decode(message.payload)
    assert said["metadata"]["Content-Type"] == "application/json"
    assert said["metadata"]["purpose"] == "test"
    assert CORE_LINK_REL in said["metadata"]["Link"]
    assert said["body"].keys() == {"id", "type", "subscriptionId", "notifiedAt", "data"}
    assert said["body"]["data"] == [thing(x=prop(1))]
    assert THING in message.payload.decode()

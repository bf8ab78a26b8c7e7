"""Clauses 5.9, 5.10 and 5.12: context sources are registered and found (asking them has its own tests)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cityloom.federation.registrations.service import Registrations
from tests.conformance.data import ENTITIES, lamp
from tests.web.node import Client

PATH = "/ngsi-ld/v1/csourceRegistrations"
ID = "urn:ngsi-ld:ContextSourceRegistration:1"
CONTEXT = {"Lamp": "https://example.org/Lamp", "power": "https://example.org/power"}


def registration(number: int = 1, **members: Any) -> dict[str, Any]:
    """A registration, without the members that are given as None."""
    whole = {
        "id": f"urn:ngsi-ld:ContextSourceRegistration:{number}",
        "type": "ContextSourceRegistration",
        "information": [
            {"entities": [{"type": "Streetlight"}], "propertyNames": ["powerState"]},
            {"entities": [{"type": "Bus", "idPattern": ".*:Line1$"}], "relationshipNames": ["stopsAt"]},
        ],
        "endpoint": "http://127.0.0.1:9/source",
        **members,
    }
    return {name: value for name, value in whole.items() if value is not None}


def exclusive(number: int = 1, **members: Any) -> dict[str, Any]:
    return registration(
        number,
        mode="exclusive",
        information=[
            {
                "entities": [{"type": "Streetlight", "id": "urn:ngsi-ld:Streetlight:1"}],
                "propertyNames": ["powerState"],
            }
        ],
        **members,
    )


def ids(documents: list[dict[str, Any]]) -> list[str]:
    return [each["id"].rpartition(":")[2] for each in documents]


async def found(node: Client, query: str) -> list[str]:
    answer = await node.get(f"{PATH}?{query}")
    assert answer.status == 200, answer.body
    return ids(answer.json)


# -- 5.9.2 ---------------------------------------------------------------------------------------------
async def test_create_registration_is_read_back_whole(node: Client) -> None:
    whole = registration(
        registrationName="Lights",
        description="of the harbour",
        contextSourceInfo=[{"key": "X-Key", "value": "urn:ngsi-ld:request"}],
        contextSourceAlias="harbour",
        datasetId=["urn:ngsi-ld:Dataset:1", "@none"],
        expiresAt="2100-01-01T00:00:00Z",
        location={"type": "Point", "coordinates": [-71.06, 42.36]},
        observationSpace={"type": "Point", "coordinates": [-71.06, 42.36]},
        operationSpace={"type": "Point", "coordinates": [-71.06, 42.36]},
        management={"cacheDuration": "PT1M", "cooldown": 500, "localOnly": True, "timeout": 1000},
        managementInterval={"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-02-01T00:00:00Z"},
        observationInterval={"startAt": "2026-01-01T00:00:00Z"},
        mode="inclusive",
        operations=["federationOps", "createEntity"],
        refreshRate="PT5M",
        scope=["/harbour", "/lights"],
        tenant="port",
        owner="the port",
        sourceType={"type": "Property", "value": "sensor"},
    )
    answer = await node.post(PATH, whole)
    assert (answer.status, answer.headers["Location"]) == (201, f"{PATH}/{ID}")
    assert (await node.get(f"{PATH}/{ID}")).json == whole


async def test_create_registration_keeps_what_names_mean(node: Client) -> None:
    body = registration(
        information=[{"entities": [{"type": "Lamp"}], "propertyNames": ["power"]}], **{"@context": CONTEXT}
    )
    assert (await node.post(PATH, body)).status == 201
    [information] = (await node.get(f"{PATH}/{ID}")).json["information"]
    assert information == {
        "entities": [{"type": "https://example.org/Lamp"}],
        "propertyNames": ["https://example.org/power"],
    }


async def test_create_registration_makes_an_id_and_does_not_take_one_twice(node: Client) -> None:
    answer = await node.post(PATH, registration(id=None))
    assert answer.status == 201
    assert (await node.get(answer.headers["Location"])).status == 200
    await node.post(PATH, registration())
    again = await node.post(PATH, registration())
    assert (again.status, again.problem) == (409, "AlreadyExists")


async def test_create_registration_passes_over_what_the_node_alone_sets(node: Client) -> None:
    await node.post(PATH, registration(status="failed", timesSent=9, createdAt="2001-01-01T00:00:00Z"))
    plain = (await node.get(f"{PATH}/{ID}")).json
    assert plain.keys().isdisjoint({"status", "timesSent", "createdAt", "modifiedAt"})
    stamped = (await node.get(f"{PATH}/{ID}?options=sysAttrs")).json
    assert stamped["createdAt"] == stamped["modifiedAt"] > "2026"


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"id": "nouri"}, "id"),
        ({"type": None}, "type"),
        ({"type": "Source"}, "type"),
        ({"endpoint": None}, "endpoint"),
        ({"endpoint": "somewhere"}, "endpoint"),
        ({"information": None}, "information"),
        ({"information": []}, "information"),
        ({"information": [{}]}, "information[0]"),
        ({"information": [{"entities": []}]}, "information[0].entities"),
        ({"information": [{"entities": [{"id": "urn:a:b"}]}]}, "type"),
        ({"information": [{"entities": [{"type": "A", "id": "b"}]}]}, "information[0].entities[0].id"),
        ({"information": [{"entities": [{"type": "A", "idPattern": "("}]}]}, "idPattern"),
        ({"information": [{"entities": [{"type": []}]}]}, "information[0].entities[0].type"),
        ({"information": [{"propertyNames": []}]}, "information[0].propertyNames"),
        ({"information": [{"relationshipNames": "a"}]}, "relationshipNames"),
        ({"information": [{"names": ["a"]}]}, "names"),
        ({"mode": "sometimes"}, "mode"),
        ({"operations": []}, "operations"),
        ({"operations": ["everything"]}, "operations"),
        ({"mode": "auxiliary", "operations": ["redirectionOps"]}, "operations"),
        ({"mode": "exclusive"}, "information[0].entities"),
        ({"expiresAt": "2001-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "soon"}, "expiresAt"),
        ({"location": {"type": "Point", "coordinates": [900, 0]}}, "location"),
        ({"location": {"type": "Blob"}}, "location"),
        ({"observationInterval": {"endAt": "2026-01-01T00:00:00Z"}}, "startAt"),
        (
            {"managementInterval": {"startAt": "2026-02-01T00:00:00Z", "endAt": "2026-01-01T00:00:00Z"}},
            "managementInterval",
        ),
        ({"refreshRate": "often"}, "refreshRate"),
        ({"management": {"timeout": 0}}, "management.timeout"),
        ({"management": {"cooldown": -1}}, "management.cooldown"),
        ({"management": {"cacheDuration": "long"}}, "management.cacheDuration"),
        ({"management": {"speed": 1}}, "speed"),
        ({"contextSourceAlias": "two words"}, "contextSourceAlias"),
        ({"contextSourceInfo": [{"key": "two words", "value": "x"}]}, "contextSourceInfo"),
        ({"contextSourceInfo": [{"key": "X", "value": "a\r\nb"}]}, "contextSourceInfo"),
        ({"contextSourceInfo": [{"key": "accept", "value": "text/html"}]}, "accept"),
        ({"contextSourceInfo": [{"key": "contentType", "value": "text/html"}]}, "contentType"),
        ({"contextSourceInfo": [{"key": "jsonldContext", "value": "x"}]}, "jsonldContext"),
        ({"contextSourceInfo": [{"key": "ngsildConformance", "value": "new"}]}, "ngsildConformance"),
        ({"datasetId": ["x"]}, "datasetId"),
        ({"scope": "/a b"}, "scope"),
        ({"registrationName": ""}, "registrationName"),
        ({"tenant": ""}, "tenant"),
        ({"description": "urn:ngsi-ld:null"}, "description"),
    ],
)
async def test_create_registration_answers_400_and_names_the_member(
    node: Client, change: dict[str, Any], member: str
) -> None:
    answer = await node.post(PATH, registration(**change))
    assert (answer.status, answer.problem) == (400, "BadRequestData")
    assert member in answer.json["detail"]
    assert await found(node, "type=Streetlight") == []


async def test_create_registration_answers_400_when_a_member_is_null(node: Client) -> None:
    answer = await node.post(PATH, {**registration(), "endpoint": None})
    assert (answer.status, answer.problem) == (400, "BadRequestData")


async def test_exclusive_registration_conflicts_with_another_proxied_one(node: Client) -> None:
    await node.post(PATH, exclusive(1))
    whole = {"entities": [{"type": "Streetlight", "idPattern": ".*"}]}
    for second in (exclusive(2), registration(2, mode="redirect", information=[whole])):
        answer = await node.post(PATH, second)
        assert (answer.status, answer.problem) == (409, "Conflict")
    others = registration(
        2,
        mode="redirect",
        information=[{"entities": [{"type": "Streetlight"}], "propertyNames": ["colour"]}],
    )
    assert (await node.post(PATH, others)).status == 201
    assert (await node.post(PATH, registration(3))).status == 201


async def test_exclusive_registration_conflicts_with_what_is_held_here(node: Client) -> None:
    await node.post(ENTITIES, lamp(1))
    assert (await node.post(PATH, exclusive())).problem == "Conflict"
    await node.delete(f"{ENTITIES}/urn:ngsi-ld:Streetlight:1/attrs/powerState")
    assert (await node.post(PATH, exclusive())).status == 201


async def test_redirect_registration_conflicts_with_an_entity_that_it_covers(node: Client) -> None:
    await node.post(ENTITIES, lamp(1))
    answer = await node.post(PATH, registration(mode="redirect"))
    assert (answer.status, answer.problem) == (409, "Conflict")
    await node.delete(f"{ENTITIES}/urn:ngsi-ld:Streetlight:1")
    assert (await node.post(PATH, registration(mode="redirect"))).status == 201


async def test_auxiliary_registration_conflicts_with_nothing(node: Client) -> None:
    await node.post(ENTITIES, lamp(1))
    await node.post(PATH, exclusive(2))
    answer = await node.post(PATH, registration(mode="auxiliary", operations=["retrieveOps"]))
    assert answer.status == 201


async def test_expired_registration_is_gone(node: Client) -> None:
    registrations = node.services.registrations
    assert isinstance(registrations, Registrations)
    running = asyncio.create_task(registrations.run())
    try:
        moment = datetime.now(UTC) + timedelta(seconds=0.3)
        expires = moment.isoformat().replace("+00:00", "Z")
        await node.post(PATH, registration(expiresAt=expires))
        while (await node.get(f"{PATH}/{ID}")).status == 200:
            await asyncio.sleep(0.05)
        assert datetime.now(UTC) >= moment
        assert await found(node, "type=Streetlight") == []
        with node.services.store.snapshot() as snapshot:
            while snapshot.document("", "registration", ID) is not None:
                await asyncio.sleep(0.05)
        assert (await node.post(PATH, registration())).status == 201
    finally:
        running.cancel()


# -- 5.9.3, 5.9.4 --------------------------------------------------------------------------------------
async def test_update_registration_replaces_adds_and_takes_away_members(node: Client) -> None:
    await node.post(PATH, registration(expiresAt="2100-01-01T00:00:00Z", owner="the port", floor=1))
    change = {
        "endpoint": "http://127.0.0.1:10",
        "registrationName": "Lights",
        "expiresAt": None,
        "owner": "urn:ngsi-ld:null",
        "floor": 2,
    }
    assert (await node.patch(f"{PATH}/{ID}", change)).status == 204
    kept = (await node.get(f"{PATH}/{ID}")).json
    assert kept == registration(endpoint="http://127.0.0.1:10", registrationName="Lights", floor=2)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "Building"},
        {"type": None},
        {"id": "urn:other:id"},
        {"information": None},
        {"endpoint": "urn:ngsi-ld:null"},
        {"expiresAt": "2001-01-01T00:00:00Z"},
        {"mode": "exclusive"},
        {"contextSourceInfo": [{"key": "accept", "value": "text/html"}]},
    ],
)
async def test_update_registration_answers_400_and_changes_nothing(
    node: Client, change: dict[str, Any]
) -> None:
    await node.post(PATH, registration())
    answer = await node.patch(f"{PATH}/{ID}", change)
    assert (answer.status, answer.problem) == (400, "BadRequestData")
    assert (await node.get(f"{PATH}/{ID}")).json == registration()


async def test_update_registration_conflicts_as_its_making_does(node: Client) -> None:
    await node.post(ENTITIES, lamp(1))
    await node.post(PATH, registration())
    answer = await node.patch(f"{PATH}/{ID}", {"mode": "redirect"})
    assert (answer.status, answer.problem) == (409, "Conflict")
    await node.post(PATH, exclusive(2, endpoint="http://127.0.0.1:11"))
    assert (await node.get(f"{PATH}/{ID}")).json == registration()


async def test_delete_registration_ends_it(node: Client) -> None:
    await node.post(PATH, registration())
    assert (await node.delete(f"{PATH}/{ID}")).status == 204
    assert (await node.get(f"{PATH}/{ID}")).problem == "ResourceNotFound"
    assert await found(node, "type=Streetlight") == []


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_registration_that_is_not_there_answers_404_and_no_uri_400(node: Client, method: str) -> None:
    body = {"endpoint": "http://127.0.0.1:9"} if method == "PATCH" else None
    assert (await node.ask(method, f"{PATH}/{ID}", body)).problem == "ResourceNotFound"
    assert (await node.ask(method, f"{PATH}/nouri", body)).problem == "BadRequestData"


async def test_tenants_do_not_see_each_others_registrations(node: Client) -> None:
    port = {"NGSILD-Tenant": "port"}
    assert (await node.get(f"{PATH}?type=Streetlight", headers=port)).problem == "NonexistentTenant"
    await node.post(PATH, registration(), headers=port)
    assert await found(node, "type=Streetlight") == []
    assert ids((await node.get(f"{PATH}?type=Streetlight", headers=port)).json) == ["1"]
    assert (await node.get(f"{PATH}/{ID}")).status == 404


async def test_reader_may_not_register(node: Client) -> None:
    reader = {"x-api-key": "reader"}
    assert (await node.post(PATH, registration(), headers=reader)).status == 403
    await node.post(PATH, registration())
    assert (await node.delete(f"{PATH}/{ID}", headers=reader)).status == 403
    assert (await node.get(f"{PATH}/{ID}", headers=reader)).status == 200


# -- 5.10.2, 5.12 --------------------------------------------------------------------------------------
@pytest.mark.parametrize("query", ["", "id=urn:a:b", "idPattern=.*", "csf=endpoint", "scopeQ=/a"])
async def test_query_that_names_no_type_and_no_attribute_is_too_wide(node: Client, query: str) -> None:
    answer = await node.get(f"{PATH}?{query}")
    assert (answer.status, answer.problem) == (400, "BadRequestData")


@pytest.mark.parametrize(
    "query",
    [
        "type=A&id=nouri",
        "type=A&idPattern=(",
        "q=(a",
        "georel=within",
        "type=A&timerel=before",
        "type=A&csf===",
        "type=A&scopeQ=///",
        "type=A&lang=%20",
    ],
)
async def test_query_that_is_invalid_answers_400(node: Client, query: str) -> None:
    answer = await node.get(f"{PATH}?{query}")
    assert (answer.status, answer.problem) == (400, "BadRequestData")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("type=Streetlight", True),
        ("type=Bus", True),
        ("type=Bus,Streetlight", True),
        ("type=Tram", False),
        ("type=(Bus;Streetlight)", False),
        ("type=Bus&id=urn:bus:Line1", True),
        ("type=Bus&id=urn:bus:Line2", False),
        ("type=Bus&id=urn:bus:Line2,urn:bus:Line1", True),
        ("type=Bus&idPattern=.*Line7$", True),
        ("type=Streetlight&id=urn:any:1", True),
        ("attrs=powerState", True),
        ("attrs=stopsAt,colour", True),
        ("attrs=colour", False),
        ("pick=powerState", True),
        ("type=Bus&attrs=powerState", False),
        ("q=powerState==%22on%22", True),
        ("q=stopsAt|colour", True),
        ("q=colour", False),
    ],
)
async def test_query_finds_by_entities_and_attributes(node: Client, query: str, expected: bool) -> None:
    await node.post(PATH, registration())
    answer = (await node.get(f"{PATH}?{query}")).json
    assert answer == ([registration()] if expected else [])


@pytest.mark.parametrize(
    ("entity", "query", "expected"),
    [
        ({"type": "Bus", "id": "urn:bus:1"}, "id=urn:bus:1", True),
        ({"type": "Bus", "id": "urn:bus:1"}, "id=urn:bus:2", False),
        ({"type": "Bus", "id": "urn:bus:1"}, "idPattern=bus", True),
        ({"type": "Bus", "id": "urn:bus:1"}, "idPattern=tram", False),
        ({"type": "Bus", "id": "urn:bus:1", "idPattern": "tram"}, "id=urn:bus:1", True),
        ({"type": ["Bus", "Tram"]}, "", True),
        ({"type": "Tram"}, "", False),
    ],
)
async def test_query_finds_by_each_condition_on_an_entity(
    node: Client, entity: dict[str, Any], query: str, expected: bool
) -> None:
    await node.post(PATH, registration(information=[{"entities": [entity]}]))
    assert (await found(node, f"type=Bus&{query}".rstrip("&")) == ["1"]) is expected


async def test_query_finds_sources_that_name_no_entity_or_no_attribute(node: Client) -> None:
    await node.post(PATH, registration(1, information=[{"propertyNames": ["powerState"]}]))
    await node.post(PATH, registration(2, information=[{"entities": [{"type": "Bus"}]}]))
    assert await found(node, "type=Tram") == ["1"]
    assert await found(node, "attrs=colour") == ["2"]
    assert await found(node, "type=Bus&attrs=powerState") == ["1", "2"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("georel=near%3BmaxDistance==2000&geometry=Point&coordinates=[0.01,0.5]", True),
        ("georel=near%3BmaxDistance==2000&geometry=Point&coordinates=[3,3]", False),
        ("georel=near%3BminDistance==2000&geometry=Point&coordinates=[0.5,0.5]", True),
        ("georel=within&geometry=Polygon&coordinates=[[[-1,-1],[2,-1],[2,2],[-1,2],[-1,-1]]]", True),
        ("georel=within&geometry=Polygon&coordinates=[[[0.1,0.1],[0.2,0.1],[0.2,0.2],[0.1,0.1]]]", True),
        ("georel=within&geometry=Polygon&coordinates=[[[5,5],[6,5],[6,6],[5,5]]]", False),
        ("georel=equals&geometry=Point&coordinates=[0.5,0.5]", True),
        ("georel=contains&geometry=Point&coordinates=[5,5]", False),
        ("georel=disjoint&geometry=Point&coordinates=[0.5,0.5]", True),
        ("georel=disjoint&geometry=Polygon&coordinates=[[[-1,-1],[2,-1],[2,2],[-1,2],[-1,-1]]]", False),
        ("georel=intersects&geometry=Point&coordinates=[0.5,0.5]&geoproperty=operationSpace", False),
    ],
)
async def test_query_finds_sources_whose_area_may_hold_what_is_asked(
    node: Client, query: str, expected: bool
) -> None:
    square = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]}
    await node.post(PATH, registration(1, location=square, information=[{"entities": [{"type": "Bus"}]}]))
    await node.post(PATH, registration(2, information=[{"entities": [{"type": "Bus"}]}]))
    assert await found(node, f"type=Bus&{query}") == (["1"] if expected else [])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["1"]),
        ("&timerel=before&timeAt=2026-01-01T12:00:00Z", ["2"]),
        ("&timerel=before&timeAt=2025-01-01T12:00:00Z", []),
        ("&timerel=after&timeAt=2026-01-02T00:00:00Z", ["2"]),
        ("&timerel=after&timeAt=2026-01-03T00:00:00Z", []),
        ("&timerel=after&timeAt=2030-01-01T00:00:00Z&timeproperty=modifiedAt", ["3"]),
        ("&timerel=between&timeAt=2026-01-01T06:00:00Z&endTimeAt=2026-01-01T07:00:00Z", ["2"]),
        ("&timerel=between&timeAt=2025-01-01T06:00:00Z&endTimeAt=2025-01-01T07:00:00Z", []),
        ("&timeproperty=createdAt", ["1"]),
    ],
)
async def test_query_finds_temporal_sources_by_their_interval_and_others_without(
    node: Client, query: str, expected: list[str]
) -> None:
    observed = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-02T00:00:00Z"}
    await node.post(PATH, registration(1))
    await node.post(PATH, registration(2, observationInterval=observed))
    await node.post(PATH, registration(3, managementInterval={"startAt": "2026-01-01T00:00:00Z"}))
    assert await found(node, f"type=Streetlight{query}") == expected


async def test_query_filters_by_properties_of_the_source_and_by_scope(node: Client) -> None:
    await node.post(PATH, registration(1, owner="the port", scope="/harbour/north"))
    await node.post(PATH, registration(2, owner={"type": "Property", "value": "the city"}))
    assert await found(node, "type=Streetlight&csf=owner==%22the%20port%22") == ["1"]
    assert await found(node, "type=Streetlight&csf=owner!=%22the%20port%22") == ["2"]
    assert await found(node, "type=Streetlight&csf=endpoint~=.*source$") == ["1", "2"]
    assert await found(node, "type=Streetlight&scopeQ=/harbour/%23") == ["1"]
    assert await found(node, "type=Streetlight&lang=en&omit=powerState") == ["1", "2"]


async def test_query_pages_and_counts(node: Client) -> None:
    for number in (3, 1, 2):
        await node.post(PATH, registration(number))
    answer = await node.get(f"{PATH}?type=Streetlight&limit=1&offset=1&count=true&options=sysAttrs")
    assert ids(answer.json) == ["2"]
    assert "createdAt" in answer.json[0]
    assert answer.headers["NGSILD-Results-Count"] == "3"
    links = answer.headers.getall("Link")
    assert [link.rpartition("?")[2] for link in links if "rel=" in link and "offset" in link] == [
        'type=Streetlight&limit=1&offset=0&count=true&options=sysAttrs>;rel="prev";type="application/json"',
        'type=Streetlight&limit=1&offset=2&count=true&options=sysAttrs>;rel="next";type="application/json"',
    ]


async def test_links_to_other_pages_name_the_media_type_of_the_answer(node: Client) -> None:
    """6.3.4 and 6.3.10: who accepts anything is answered with JSON, and so are the other pages."""
    for number in (1, 2):
        await node.post(PATH, registration(number))
    query = f"{PATH}?type=Streetlight&limit=1"
    for accept, media_type in (("*/*", "application/json"), ("application/ld+json", "application/ld+json")):
        answer = await node.get(query, headers={"Accept": accept})
        following = [link for link in answer.headers.getall("Link") if 'rel="next"' in link]
        assert [f'type="{media_type}"' in link for link in following] == [True]


@pytest.mark.parametrize("types", ["Streetlight", ["Streetlight", "Lamp"]])
async def test_registration_tells_the_types_of_an_entity_as_they_were_given(node: Client, types: Any) -> None:
    """5.2.8: a string or a list of them."""
    await node.post(PATH, registration(information=[{"entities": [{"type": types}]}]))
    told = (await node.get(f"{PATH}/{ID}")).json
    assert told["information"][0]["entities"][0]["type"] == types

"""A few trees, as the tests of OGC API Features have them."""

from __future__ import annotations

from typing import Any

from tests.web.node import Client

ENTITIES = "/ngsi-ld/v1/entities"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
TREES = "/ogc/collections/Tree"
ITEMS = f"{TREES}/items"
SCRIPT = "<script>alert(1)</script>"


def tree(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"urn:ngsi-ld:Tree:{number}",
        "type": "Tree",
        "name": {"type": "LanguageProperty", "languageMap": {"en": f"Tree {number}", "zh": f"树{number}"}},
        "height": {
            "type": "Property",
            "value": number * 1.5,
            "unitCode": "MTR",
            "observedAt": f"2026-05-0{number + 1}T00:00:00Z",
        },
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [number / 10, 1]}},
        **more,
    }


async def plant(node: Client) -> None:
    """Five trees in a row, 0.1 degrees apart; one without a place or a time; and a rule."""
    for number in range(5):
        assert (await node.post(ENTITIES, tree(number))).status == 201
    lost = tree(9, genus={"type": "Property", "value": SCRIPT})
    del lost["location"], lost["height"]
    assert (await node.post(ENTITIES, lost)).status == 201
    await node.post(ENTITIES, {"id": "urn:ngsi-ld:Rule:1", "type": "Rule", "text": {"value": "no fire"}})


def ids(answer: Any) -> list[int]:
    """The numbers of the trees in an answer."""
    return [int(each["id"].rpartition(":")[2]) for each in answer.json["features"]]


def hrefs(document: dict[str, Any], rel: str) -> list[str]:
    """Where the links with this relation lead."""
    return [each["href"] for each in document["links"] if each["rel"] == rel]

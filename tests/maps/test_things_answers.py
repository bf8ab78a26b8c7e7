"""Shapes of answers: entities, links, what is expanded, paths, refusals, and what is read for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cityloom.broker.ports import Call
from cityloom.maps.sensorthings import answer as answers
from cityloom.maps.sensorthings import view
from cityloom.maps.sensorthings.model import KINDS
from cityloom.maps.sensorthings.root import service_root
from cityloom.maps.sensorthings.service import split_path
from cityloom.maps.sensorthings.units import UNITS, unit_of_measurement
from cityloom.model.entity import LOCATION, Attribute
from cityloom.model.errors import (
    BadRequestData,
    CityloomError,
    InvalidRequest,
    NotBuilt,
    ResourceNotFound,
    TooComplexQuery,
)
from cityloom.model.events import Cause
from cityloom.model.history import HistoryAppend
from cityloom.model.time import format_datetime
from tests.maps.things import (
    BENCH,
    GONE,
    MINUTE,
    NOON,
    RECORDS,
    ROOF,
    ROOT,
    A,
    B,
    C,
    Record,
    ThingsCity,
    entity,
    expand,
    key,
    plain,
    quoted,
    record_key,
)

NO2 = f"Datastreams({quoted(f'{A}|no2')})"
_OM = "http://www.opengis.net/def/observationType/OGC-OM/2.0/"


def in_series(datastream: str) -> list[Record]:
    return [record for record in RECORDS if record.datastream == datastream]


def test_root_names_every_set() -> None:
    root = service_root(ROOT)
    assert {each["name"]: each["url"] for each in root["value"]} == {name: f"{ROOT}/{name}" for name in KINDS}
    assert all(
        each.startswith("http://www.opengis.net/spec/iot_sensing/1.1/req/")
        for each in root["serverSettings"]["conformance"]
    )


def test_things_are_the_entities_with_an_observed_attribute(things: ThingsCity) -> None:
    ids = [row["@iot.id"] for row in things.ask("Things")["value"]]
    assert ids == [A, B, C]
    for id in (BENCH, GONE, "urn:x:none", "7"):
        with pytest.raises(ResourceNotFound):
            things.ask(f"Things({quoted(id)})")


def test_thing_has_what_the_standard_asks(things: ThingsCity) -> None:
    link = f"{ROOT}/Things('{A}')"
    assert things.ask(f"Things({quoted(A)})") == {
        "@iot.id": A,
        "@iot.selfLink": link,
        "name": "Station a",
        "description": f"AirStation {A}",
        "properties": {"type": "AirStation", "owner": "city"},
        "Locations@iot.navigationLink": f"{link}/Locations",
        "HistoricalLocations@iot.navigationLink": f"{link}/HistoricalLocations",
        "Datastreams@iot.navigationLink": f"{link}/Datastreams",
    }


def test_datastreams_are_attributes_by_dataset(things: ThingsCity) -> None:
    rows = {row["@iot.id"]: row for row in things.ask("Datastreams")["value"]}
    assert list(rows) == [f"{A}|no2", f"{A}|no2|{ROOF}", f"{B}|no2", f"{B}|open", f"{C}|status"]
    kinds = {id.rpartition("|")[2]: row["observationType"].removeprefix(_OM) for id, row in rows.items()}
    assert kinds == {
        "no2": "OM_Measurement",
        ROOF: "OM_Measurement",
        "open": "OM_TruthObservation",
        "status": "OM_CategoryObservation",
    }
    assert rows[f"{A}|no2"]["unitOfMeasurement"]["symbol"] == "µg/m³"
    assert rows[f"{B}|open"]["unitOfMeasurement"] == {"name": None, "symbol": None, "definition": None}
    for id, row in rows.items():
        times = sorted(record.moment for record in in_series(id))
        assert row["phenomenonTime"] == f"{times[0]}/{times[-1]}"


def test_units_of_codes() -> None:
    assert unit_of_measurement("XYZ") == {"name": "XYZ", "symbol": "XYZ", "definition": None}
    assert unit_of_measurement("CEL")["definition"] == "http://www.opengis.net/def/uom/UCUM/0/Cel"
    assert all(
        len(code) in (2, 3) and unit.name and unit.symbol and unit.ucum for code, unit in UNITS.items()
    )


def test_counts_are_those_of_what_was_put_in(things: ThingsCity) -> None:
    expected = {
        "Things": 3,
        "Locations": 2,
        "HistoricalLocations": 2,
        "Datastreams": 5,
        "Sensors": 3,
        "ObservedProperties": 3,
        "Observations": len(RECORDS),
        "FeaturesOfInterest": 3,
    }
    assert {name: things.ask(name, count="true", top=0)["@iot.count"] for name in KINDS} == expected
    assert things.ask("Things", count="true", top=0)["value"] == []
    for id in {record.datastream for record in RECORDS}:
        counted = things.ask(f"Datastreams({quoted(id)})/Observations", count="true", top=1)
        assert counted["@iot.count"] == len(in_series(id))


def test_every_self_link_and_navigation_link_leads_where_it_says(things: ThingsCity) -> None:
    for name, kind in KINDS.items():
        for row in things.ask(name, top=40)["value"]:
            assert things.follow(row["@iot.selfLink"]) == row
            for link, way in kind.links.items():
                found = things.follow(row[f"{link}@iot.navigationLink"])
                ends = found["value"] if way.many else [found]
                assert all(f"/{way.target}(" in end["@iot.selfLink"] for end in ends)
                # Back again: one of the ends' own ways leads to where it began.
                back = [each for each, step in KINDS[way.target].links.items() if step.target == name]
                for end in ends[:2]:
                    assert any(leads_to(things, end, each, row) for each in back), (row["@iot.id"], link)


def leads_to(things: ThingsCity, row: dict[str, Any], link: str, wanted: dict[str, Any]) -> bool:
    found = things.follow(row[f"{link}@iot.navigationLink"] + "?$top=1000" * link.endswith("s"))
    return any(each["@iot.id"] == wanted["@iot.id"] for each in found.get("value", [found]))


# -- $expand and $select ----------------------------------------------------
def test_expand_puts_rows_in_the_place_of_links(things: ThingsCity) -> None:
    found = things.ask(
        "Things",
        expand="Datastreams($select=name;$orderby=name desc;$count=true;"
        "$expand=Observations($top=2;$orderby=phenomenonTime desc;$select=result)),Locations",
    )
    a, b, _ = found["value"]
    assert "Datastreams@iot.navigationLink" not in a
    assert a["Datastreams@iot.count"] == 2
    first = b["Datastreams"][0]
    assert first.keys() == {"name", "Observations", "Observations@iot.nextLink"}
    assert first["name"] == "open of Station b"
    latest = sorted(in_series(f"{B}|open"), key=lambda each: each.time, reverse=True)[:2]
    assert first["Observations"] == [{"result": record.result} for record in latest]
    more = things.follow(first["Observations@iot.nextLink"])
    assert len(more["value"]) == 2
    assert a["Locations"][0]["location"] == {"type": "Point", "coordinates": [10.0, 50.0]}
    assert found["value"][2]["Locations"] == []


def test_expand_of_a_path_expands_each_step(things: ThingsCity) -> None:
    thing = things.ask(f"Things({quoted(A)})", expand="Datastreams/ObservedProperty,Datastreams/Sensor")
    for datastream in thing["Datastreams"]:
        assert datastream["ObservedProperty"]["definition"] == expand("no2")
        assert datastream["Sensor"]["@iot.id"] == "attribute:no2"


def test_expand_to_one_gives_an_object(things: ThingsCity) -> None:
    row = things.ask(
        "Observations", expand="Datastream($expand=Thing($select=name)),FeatureOfInterest", top=1
    )["value"][0]
    assert row["Datastream"]["Thing"] == {"name": "Station a"}
    assert row["FeatureOfInterest"]["feature"]["type"] == "Point"


def test_select_gives_those_properties_alone(things: ThingsCity) -> None:
    row = things.ask("Datastreams", select="id,name,Observations", top=1)["value"][0]
    assert row.keys() == {"@iot.id", "name", "Observations@iot.navigationLink"}
    assert things.ask("Observations", select="@iot.id", top=1)["value"][0].keys() == {"@iot.id"}


def test_nested_filter_and_paging_stay_within_their_row(things: ThingsCity) -> None:
    thing = things.ask(
        f"Things({quoted(B)})", expand="Datastreams($expand=Observations($filter=result gt 2;$top=1000))"
    )
    by_id = {each["@iot.id"]: each["Observations"] for each in thing["Datastreams"]}
    expected = sorted(record_key(each) for each in in_series(f"{B}|no2") if each.result > 2)
    assert sorted(map(key, by_id[f"{B}|no2"])) == expected
    assert by_id[f"{B}|open"] == []


def test_an_answer_too_large_ends_early_and_says_where_it_goes_on(
    things: ThingsCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MOST_ROWS", 20)
    whole = things.ask("Things", expand="Datastreams($expand=Observations($top=1000))")
    found: list[tuple[str, str, str]] = []
    for thing in rows_of(things, whole):
        for datastream in rows_of(things, thing, "Datastreams"):
            found += map(key, rows_of(things, datastream, "Observations"))
    assert "@iot.nextLink" in whole
    assert sorted(found) == sorted(map(record_key, RECORDS))


def rows_of(things: ThingsCity, holder: dict[str, Any], name: str = "") -> list[dict[str, Any]]:
    """The rows of a collection, or of one expanded in a row, and those of the pages that follow."""
    rows = list(holder[name or "value"])
    following = holder.get(f"{name}@iot.nextLink")
    return rows if following is None else rows + rows_of(things, things.follow(following))


def test_data_array_holds_what_the_rows_hold(things: ThingsCity) -> None:
    rows = things.ask("Observations", top=1000)["value"]
    arrays = things.ask("Observations", top=1000, resultFormat="dataArray", count="true")
    assert arrays["@iot.count"] == len(RECORDS)
    told = []
    for group in arrays["value"]:
        assert group["components"] == ["id", "phenomenonTime", "resultTime", "result", "parameters"]
        assert group["dataArray@iot.count"] == len(group["dataArray"])
        told += [(group["Datastream@iot.navigationLink"], *each[:2], each[3]) for each in group["dataArray"]]
    links = [
        things.follow(row["Datastream@iot.navigationLink"] + "?$select=@iot.selfLink")["@iot.selfLink"]
        for row in rows
    ]
    assert told == [
        (link, row["@iot.id"], row["phenomenonTime"], row["result"])
        for link, row in zip(links, rows, strict=True)
    ]


# -- paths ------------------------------------------------------------------
def test_paths_lead_through_sets(things: ThingsCity) -> None:
    datastream = things.ask(NO2)
    assert things.ask(f"Things({quoted(A)})/{NO2}") == datastream
    observation = things.ask(f"{NO2}/Observations", top=1)["value"][0]
    path = plain(observation["@iot.selfLink"]).replace("|", "%7C")
    assert things.ask(f"{path}/Datastream") == datastream
    assert things.ask(f"{NO2}/{path}") == observation
    assert things.ask(f"{path}/Datastream/Thing/Locations")["value"][0]["@iot.id"] == A
    with pytest.raises(ResourceNotFound):
        things.ask(f"Things({quoted(B)})/{NO2}")
    with pytest.raises(ResourceNotFound):
        things.ask(f"Datastreams({quoted(f'{B}|no2')})/{path}")


def test_properties_values_and_references(things: ThingsCity) -> None:
    thing = f"Things({quoted(A)})"
    assert things.ask(f"{thing}/name") == {"name": "Station a"}
    assert things.ask(f"{thing}/properties/owner") == {"owner": "city"}
    assert things.ask(f"{NO2}/unitOfMeasurement/symbol") == {"symbol": "µg/m³"}
    assert things.ask(f"{thing}/Datastreams/$ref", top=1)["value"] == [
        {"@iot.selfLink": f"{ROOT}/Datastreams('{A}%7Cno2')"}
    ]
    assert things.ask(f"{NO2}/Thing/$ref") == {"@iot.selfLink": f"{ROOT}/Things('{A}')"}
    with pytest.raises(ResourceNotFound):
        things.ask(f"{thing}/colour")
    with pytest.raises(ResourceNotFound):
        things.ask(f"{thing}/properties/nothing")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "Cars",
        "things",
        "Things/name",
        f"Things('{A}')/Datastreams/name",
        "Things('urn:x:1",
        f"Things('{A}')/$ref/name",
        f"Things('{A}')//name",
        f"{NO2}/Thing('{A}')",
        "Datastreams('x')",
        "Datastreams('x|y|z|u')",
        "Observations('x')",
        "Sensors('x')",
        "Sensors('source:x')",
        "ObservedProperties('colour')",
        "HistoricalLocations('x')",
        "Observations(1)",
        "Things()",
    ],
)
def test_paths_that_lead_nowhere_do_not_exist(things: ThingsCity, path: str) -> None:
    with pytest.raises(ResourceNotFound):
        things.ask(path)


def test_slashes_in_ids_separate_nothing() -> None:
    assert split_path("Things('a/b')/Datastreams") == ["Things('a/b')", "Datastreams"]
    assert split_path("Things(%27a/b%27)/name/$value") == ["Things(%27a/b%27)", "name", "$value"]
    assert split_path("Things('it''s/')/name") == ["Things('it''s/')", "name"]


# -- refusals ---------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "options", "refusal", "named"),
    [
        ("Things", {"filter": "colour eq 1"}, BadRequestData, "colour does not exist on Things"),
        ("Things", {"filter": "Datastreams eq 1"}, BadRequestData, "is no property"),
        ("Things", {"filter": "name eq 'x"}, BadRequestData, "character"),
        ("Things", {"filter": "name eq 'x' and"}, BadRequestData, "no expression"),
        ("Things", {"filter": "fly(name)"}, BadRequestData, "function fly does not exist"),
        ("Things", {"filter": "startswith(name)"}, BadRequestData, "takes 2"),
        ("Things", {"filter": " "}, InvalidRequest, "empty"),
        ("Things", {"filter": "Datastreams/any(d:d/name eq 'x')"}, NotBuilt, "any"),
        ("Things", {"filter": "cast(name,'Edm.String') eq 'x'"}, NotBuilt, "cast"),
        ("Observations", {"filter": "phenomenonTime gt 2026-02-31T00:00:00Z"}, BadRequestData, "2026-02-31"),
        ("Observations", {"filter": "phenomenonTime gt 2026-02-01T00:00:00"}, BadRequestData, "UTC"),
        ("Locations", {"filter": "st_within(location, geography'POLYGON((1')"}, BadRequestData, "$filter"),
        ("Locations", {"filter": "st_within(location, geography'POINT(900 1)')"}, BadRequestData, "180"),
        (
            "Things",
            {"filter": "(" * 60 + "1 eq 1" + ")" * 60 + " add 1" * 501 + " eq 2"},
            TooComplexQuery,
            "terms",
        ),
        ("Things", {"filter": "not (" * 60 + "1 eq 1" + ")" * 60}, TooComplexQuery, "nests"),
        ("Things", {"filter": "-" * 400 + "1 eq 1"}, TooComplexQuery, "nests"),
        ("Things", {"filter": "1 in (" + "-" * 400 + "1,2)"}, BadRequestData, "a value is required"),
        ("Things", {"filter": "a" + "/a" * 240 + " eq 1"}, BadRequestData, "does not exist"),
        ("Things", {"filter": "(" * 60_000}, TooComplexQuery, "terms"),
        ("Things", {"filter": "f(a=1,b=2,c=3) eq 1"}, BadRequestData, "$filter"),
        ("Things", {"orderby": "colour"}, BadRequestData, "$orderby"),
        ("Things", {"orderby": "name,,id"}, BadRequestData, "empty member"),
        ("Things", {"select": "colour"}, BadRequestData, "$select"),
        ("Things", {"expand": "Observations"}, BadRequestData, "Observations does not lead from Things"),
        ("Things", {"expand": "Datastreams($top=1"}, BadRequestData, "closed"),
        ("Things", {"expand": "Datastreams($filtre=1)"}, BadRequestData, "$filtre"),
        ("Things", {"expand": "Datastreams($top=1;$top=2)"}, BadRequestData, "twice"),
        (
            "Things",
            {"expand": "Datastreams/" + "Thing/Datastreams/" * 4 + "Thing"},
            TooComplexQuery,
            "deeper",
        ),
        ("Things", {"top": "many"}, BadRequestData, "$top"),
        ("Things", {"top": "-1"}, BadRequestData, "$top"),
        ("Things", {"skip": "1.5"}, BadRequestData, "$skip"),
        ("Things", {"count": "maybe"}, BadRequestData, "$count"),
        ("Things", {"skiptoken": "1,2,"}, BadRequestData, "$skiptoken"),
        ("Observations", {"skiptoken": "x,y"}, BadRequestData, "$skiptoken"),
        ("Things", {"resultFormat": "dataArray"}, BadRequestData, "$resultFormat"),
        ("Observations", {"resultFormat": "csv"}, BadRequestData, "$resultFormat"),
        (f"Things('{A}')", {"filter": "name eq 'x'"}, InvalidRequest, "$filter"),
        (f"Things('{A}')/name", {"select": "name"}, InvalidRequest, "$select"),
    ],
)
def test_what_is_wrong_is_refused_with_its_name(
    things: ThingsCity, path: str, options: dict[str, str], refusal: type[CityloomError], named: str
) -> None:
    with pytest.raises(refusal) as refused:
        things.ask(path, **options)
    assert named in refused.value.detail


# -- geometry ---------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("geo.distance(location, geography'POINT (10 50)') lt 1", [A]),
        ("geo.distance(location, geography'POINT (10 50)') gt 71600", [B]),
        ("geo.distance(location, geography'POINT (10 50)') gt 71800", []),
        ("st_within(location, geography'POLYGON ((9 49, 10.5 49, 10.5 51, 9 51, 9 49))')", [A]),
        ("geo.intersects(location, geography'LINESTRING (10 50, 11 50)')", [A, B]),
        ("st_equals(location, geography'SRID=4326;POINT (11 50)')", [B]),
        ("st_disjoint(location, geography'POINT (11 50)')", [A]),
        ("st_relate(location, geography'POINT (11 50)', 'T*F**FFF*')", [B]),
        ("location eq null", []),
    ],
)
def test_places_are_found(things: ThingsCity, text: str, ids: list[str]) -> None:
    """A degree of longitude at 50 degrees north is 71.7 km long."""
    assert [row["@iot.id"] for row in things.ask("Locations", filter=text)["value"]] == ids


# -- what is read -------------------------------------------------------------
async def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    city = ThingsCity(tmp_path)
    await city.fill([Record(A, "no2", "", minute, minute) for minute in range(5000)])
    series = f"Datastreams({quoted(f'{A}|no2')})/Observations"

    def read(path: str, **options: Any) -> tuple[int, int]:
        with city.counting() as snapshot:
            found = city.ask(path, snapshot, **options)
            return len(found["value"]), snapshot.read

    span = "phenomenonTime ge 2026-05-01T14:00:00Z and phenomenonTime lt 2026-05-01T15:00:00Z"
    assert read(series, top=10) == (10, 11)
    assert read(series, top=1, orderby="phenomenonTime desc") == (1, 2)
    for path in (series, "Observations"):
        rows, looked = read(path, filter=span)
        assert (rows, looked <= 61) == (60, True)
    of_others = f"Datastream/Thing/name eq 'Station a' and Datastream/id ne '{A}|no2'"
    assert read("Observations", filter=of_others) == (0, 0)
    assert read("Observations", filter=span, count="true", top=0) == (0, 0)
    # A result between bounds is found, and counted, where it is stored.
    for path in (series, "Observations"):
        assert read(path, filter="result ge 4000 and 4100 gt result", count="true", top=5) == (5, 6)
        assert read(path, filter="result ge 4000", count="true", top=0) == (0, 0)
        assert city.ask(path, filter="result ge 4000", count="true", top=0)["@iot.count"] == 1000
    # The page that follows is read from where it begins, be it the last.
    page = city.ask(series, top=1000)
    for _ in range(3):
        with city.counting() as snapshot:
            page = city.follow(page["@iot.nextLink"], reads=snapshot)
            assert (len(page["value"]), snapshot.read <= 1010) == (1000, True)
    one = page["value"][0]
    with city.counting() as snapshot:
        assert city.follow(one["@iot.selfLink"], reads=snapshot) == one
        assert snapshot.read == 1
    city.store.close()


async def test_a_filter_that_looks_at_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "MOST_LOOKED", 100)
    city = ThingsCity(tmp_path)
    await city.fill([Record(A, "no2", "", minute, minute) for minute in range(300)])
    with pytest.raises(TooComplexQuery) as refused:
        city.ask("Observations", filter="result add 1 lt 0")
    assert "phenomenonTime" in refused.value.detail
    city.store.close()


# -- places in time, tenants, languages ---------------------------------------
async def test_places_that_a_thing_was_at(tmp_path: Path) -> None:
    city = ThingsCity(tmp_path)
    await city.fill([Record(A, "speed", "", 0, 30)])
    for number in range(1, 15):
        place = Attribute(kind="GeoProperty", value={"type": "Point", "coordinates": [number, 50]})
        await city.broker.replace_attribute(city.call, A, LOCATION, place)
    rows = city.ask("HistoricalLocations", expand="Locations,Thing")["value"]
    points = [row["Locations"][0]["location"]["coordinates"][0] for row in rows]
    assert points == [10.0, *range(1, 15)]
    assert rows[-1]["Locations"][0]["@iot.id"] == A
    assert {row["Thing"]["@iot.id"] for row in rows} == {A}
    for row in rows:
        location = city.follow(
            row["Locations"][0]["@iot.selfLink"],
        )
        assert location == row["Locations"][0]
        back = city.follow(location["HistoricalLocations@iot.navigationLink"])["value"]
        assert [each["@iot.id"] for each in back] == [row["@iot.id"]]
    city.store.close()


async def test_what_was_deleted_is_no_observation(tmp_path: Path) -> None:
    city = ThingsCity(tmp_path)
    await city.fill([Record(A, "no2", "", 0, 1), Record(A, "o3", "", 0, 2)])
    await city.broker.delete_attribute(city.call, A, expand("o3"))
    assert [row["result"] for row in city.ask("Observations")["value"]] == [1]
    assert [row["@iot.id"] for row in city.ask("Datastreams")["value"]] == [f"{A}|no2"]
    city.store.close()


# -- requests that the standard shows -----------------------------------------
STATION = f"Things('{A}')"
SERIES = f"Datastreams('{A}%7Cno2')"
AREA = "geography'POLYGON ((30 10, 10 20, 20 40, 40 40, 30 10))'"


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("Things", {"expand": "Datastreams"}),
        ("Things", {"expand": "Datastreams/ObservedProperty"}),
        ("Things", {"expand": "Datastreams($expand=ObservedProperty)"}),
        (STATION, {"expand": "Datastreams/Observations/FeatureOfInterest,Locations"}),
        (SERIES, {"expand": "Observations($filter=result eq 1)"}),
        (SERIES, {"select": "id,Observations", "expand": "Observations($select=result)"}),
        (SERIES, {"expand": "Observations($select=result),ObservedProperty"}),
        ("Observations", {"select": "result,resultTime"}),
        ("Observations", {"orderby": "result"}),
        ("Observations", {"expand": "Datastream", "orderby": "Datastream/id desc, phenomenonTime"}),
        ("Things", {"top": 5}),
        ("Observations", {"top": 5, "orderby": "phenomenonTime desc"}),
        ("Things", {"skip": 5}),
        ("Observations", {"skip": 2, "top": 2, "orderby": "resultTime"}),
        ("Things", {"count": "true"}),
        (f"{STATION}/Datastreams", {"expand": "Observations($count=true;$top=0)"}),
        ("Observations", {"filter": "result lt 10.00"}),
        ("Observations", {"filter": "Datastream/id eq '1'"}),
        ("Things", {"filter": "geo.distance(Locations/location, geography'POINT(-122 43)') gt 1"}),
        (
            "Things",
            {
                "filter": "Datastreams/Observations/FeatureOfInterest/id eq 'FOI_1' and "
                "Datastreams/Observations/resultTime ge 2010-06-01T00:00:00Z and "
                "Datastreams/Observations/resultTime le 2010-07-01T00:00:00Z"
            },
        ),
        ("Datastreams", {"filter": "unitOfMeasurement/name eq 'degree Celsius'"}),
        (
            "Datastreams",
            {"filter": "concat(concat(unitOfMeasurement/symbol,', '),unitOfMeasurement/name) eq 'x'"},
        ),
        ("Observations", {"resultFormat": "dataArray", "top": 3}),
        *(
            ("Observations", {"filter": text})
            for text in (
                "result eq 10.00 and not (result ne 10)",
                "result gt 20 or result ge 20 or result le 100",
                "result add 5 gt 10",
                "result sub 5 gt 10",
                "result mul 2 gt 2000",
                "result div 2 gt 4",
                "result mod 2 eq 0",
                "(result sub 5) gt 10",
                "year(resultTime) eq 2015",
                "month(resultTime) eq 12",
                "day(resultTime) eq 8",
                "hour(resultTime) eq 1",
                "minute(resultTime) eq 0",
                "second(resultTime) eq 0",
                "fractionalseconds(resultTime) eq 0",
                "date(resultTime) ne date(validTime)",
                "time(resultTime) le time(validTime)",
                "totaloffsetminutes(resultTime) eq 60",
                "resultTime ge now()",
                "resultTime eq mindatetime() or resultTime eq maxdatetime()",
                "round(result) eq 32 or floor(result) eq 32 or ceiling(result) eq 33",
            )
        ),
        *(
            ("Sensors", {"filter": text})
            for text in (
                "substringof('Sensor Things',description)",
                "endswith(description,'Things')",
                "startswith(description,'Sensor')",
                "length(description) eq 13",
                "indexof(description,'Sensor') eq 1",
                "substring(description,1) eq 'ensor Things'",
                "tolower(description) eq 'sensor things'",
                "toupper(description) eq 'SENSOR THINGS'",
                "trim(description) eq 'Sensor Things'",
            )
        ),
        *(
            ("Locations", {"filter": f"{name}(location, {AREA})"})
            for name in (
                "geo.intersects",
                "st_equals",
                "st_disjoint",
                "st_touches",
                "st_within",
                "st_overlaps",
                "st_crosses",
                "st_intersects",
                "st_contains",
            )
        ),
        ("Locations", {"filter": f"st_relate(location, {AREA}, 'T********')"}),
        ("Locations", {"filter": "geo.length(location) lt 10"}),
    ],
)
def test_requests_that_the_standard_shows_are_understood(
    things: ThingsCity, path: str, options: dict[str, Any]
) -> None:
    assert isinstance(things.ask(path, **options), dict)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("indexof(name,'tion') eq 3", 3),
        ("substring(name,1,3) eq 'tat'", 3),
        ("trim(concat(' ', name)) eq name", 3),
        ("concat(tolower(name),'!') eq 'station a!'", 1),
        ("length(id) gt 100", 0),
        ("now() eq 2026-05-01T12:00:00Z", 3),
        ("now() sub duration'PT1H' lt 2026-05-01T11:30:00Z", 3),
        ("now() sub 2026-05-01T11:00:00Z eq duration'PT3600S'", 3),
        ("time(now()) gt 11:59:59 and date(now()) eq 2026-05-01", 3),
        ("round(2.5) eq 3 and round(-2.5) eq -3 and floor(-0.5) eq -1 and ceiling(0.2) eq 1", 3),
        ("5 mod 3 eq 2 and -5 mod 3 eq -2 and 1 div 2 eq 0.5", 3),
        ("1 div 0 eq null and 1 add 'x' eq null", 3),
        ("geo.length(geography'LINESTRING (0 0, 1 0)') gt 111319", 3),
        ("geo.length(geography'LINESTRING (0 0, 1 0)') gt 111320", 0),
        ("Locations/name eq 'Station a'", 1),
        ("not (Datastreams/unitOfMeasurement/symbol eq 'µg/m³')", 1),
        ("Datastreams/phenomenonTime lt 2026-05-01T12:00:00Z", 0),
        ("Datastreams/phenomenonTime lt 2026-05-01T12:10:00Z and id eq '" + A + "'", 1),
        ("Datastreams/phenomenonTime gt 2026-05-01T11:59:00Z", 3),
        ("name eq 'Station b' and properties/type eq 'AirStation'", 1),
        ("name eq 'Station b' and id eq '" + A + "'", 0),
        ("properties/type eq 'Bench'", 0),
    ],
)
def test_functions_and_operators_mean_what_they_say(things: ThingsCity, text: str, expected: int) -> None:
    found = things.ask("Things", filter=text, count="true")
    assert (len(found["value"]), found["@iot.count"]) == (expected, expected)


async def test_a_sensor_is_the_source_of_the_newest_value(tmp_path: Path) -> None:
    city = ThingsCity(tmp_path)
    await city.fill([Record(A, "no2", "", 0, 1), Record(B, "no2", "", 0, 1), Record(B, "o3", "", 0, 1)])
    feed = Call(cause=Cause(kind="run", id="urn:ngsi-ld:ImportRun:air:1", source="air/feed"))
    newer = HistoryAppend(
        entity_id=A, types=[expand("AirStation")], instances=[Record(A, "no2", "", 1, 2).instance()]
    )
    await city.broker.append_history(feed, [newer])
    rows = city.ask("Sensors", expand="Datastreams($select=id)")["value"]
    assert {row["@iot.id"]: [each["@iot.id"] for each in row["Datastreams"]] for row in rows} == {
        "source:air/feed": [f"{A}|no2"],
        "attribute:no2": [f"{B}|no2"],
        "attribute:o3": [f"{B}|o3"],
    }
    fed = next(row for row in rows if row["name"] == "air/feed")
    assert fed["metadata"] == "http://city.example/sources/air%2Ffeed"
    assert fed["encodingType"] == "application/json"
    assert city.follow(fed["@iot.selfLink"])["@iot.id"] == "source:air/feed"
    assert city.ask("Datastreams", filter="Sensor/name eq 'air/feed'", select="id")["value"] == [
        {"@iot.id": f"{A}|no2"}
    ]
    city.store.close()


async def test_what_has_expired_is_not_there(tmp_path: Path) -> None:
    city = ThingsCity(tmp_path)
    await city.fill([Record(A, "no2", "", 0, 1)])
    brief = replace(Record(B, "no2", "", 0, 1).current(), expires_at=format_datetime(NOON + 10 * MINUTE))
    await city.broker.create_entity(city.call, entity(B, {expand("no2"): [brief]}))
    assert city.ask("Datastreams", count="true")["@iot.count"] == 2
    city.clock.advance(11 * 60)
    for name in ("Things", "Datastreams", "Observations"):
        assert city.ask(name, count="true")["@iot.count"] == 1, name
    with pytest.raises(ResourceNotFound):
        city.ask(f"Things({quoted(B)})")
    city.store.close()

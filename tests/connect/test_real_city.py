"""The open data of Boston and Cambridge, through the profile `boston`: the figures a right import gives."""

from __future__ import annotations

import gzip
from collections import Counter
from typing import Any

import numpy as np
import pytest
import shapely

from cityloom.connect.profile import load_profile
from cityloom.connect.report import Report
from cityloom.model.entity import LOCATION, Entity
from cityloom.model.time import parse_datetime
from cityloom.query.areas import Areas, aggregate_in_areas
from cityloom.store.history_ports import Window
from tests.connect.conftest import TestCity, expand
from tests.real_city import BICYCLES, DATA, LIGHTS, NEEDED, REQUESTS, Imported

BROADWAY = "urn:ngsi-ld:TrafficFlowObserved:cambridge:broadway"

pytestmark = NEEDED


def value(entity: Entity, name: str) -> Any:
    attribute = entity.instance(expand(name))
    return None if attribute is None else attribute.value


def test_every_source_is_imported_without_a_rejected_row(imported: Imported) -> None:
    rejected = {source: report.rejected for source, report in imported.first.items() if report.rejected}
    assert rejected == {}
    assert {report.status for report in imported.first.values()} == {"ok"}


def test_every_file_of_the_city_has_a_mapping(imported: Imported) -> None:
    read = {file.name for report in imported.first.values() for file in report.files}
    there = {path.relative_to(DATA).as_posix() for path in DATA.rglob("*") if path.is_file()}
    assert {name for name in there - read if not name.endswith(".md")} == set()


@pytest.mark.parametrize(
    ("source", "rows"),
    [
        (REQUESTS, 58_251),
        (LIGHTS, 74_065),
        (BICYCLES, 263_558),
        ("boston-districts", 26),
        ("boston-bikelanes", 2_608),
        ("boston-buildings", 2_000),
        ("boston-public-schools", 132),
        ("boston-nonpublic-schools", 87),
        ("boston-colleges", 60),
        ("boston-rain", 170_928),
        ("cambridge-streetlights", 6_117),
        ("cambridge-hydrants", 1_960),
        ("cambridge-centerlines", 2_643),
        ("cambridge-solar", 1_209),
        ("mbta-stops", 9_709),
        ("mbta-routes", 241),
        ("mbta-vehicles", 449),
        ("mbta-2018-alerts", 51),
    ],
)
def test_import_reads_as_many_rows_as_there_are(imported: Imported, source: str, rows: int) -> None:
    assert imported.first[source].read == rows


def test_requests_on_the_default_point_have_no_location_and_are_counted(imported: Imported) -> None:
    report = imported.first[REQUESTS]
    assert (report.created, report.no_place) == (58_251, 4_775)
    located = sum(
        request.instance(LOCATION) is not None for request in imported.entities("Open311ServiceRequest")
    )
    assert located == 58_251 - 4_775


def test_late_recomputed_agrees_with_the_citys_flag(imported: Imported) -> None:
    counts: Counter[str] = Counter()
    for request in imported.entities("Open311ServiceRequest"):
        promised, closed = value(request, "expected_datetime"), value(request, "closed_datetime")
        flag = value(request, "onTimeFlag")
        if promised is None:
            counts["no promise"] += 1
            counts["no promise, flag says on time"] += flag == "ONTIME"
        elif closed is None:
            counts["open with promise"] += 1
            counts["open with promise, flag says overdue"] += flag == "OVERDUE"
        else:
            late = parse_datetime(closed) > parse_datetime(promised)
            counts["closed with promise"] += 1
            if flag is None:
                counts["without flag"] += 1
                counts["without flag, late"] += late
            else:
                counts["agree"] += late == (flag == "OVERDUE")
                counts["late"] += late
    assert counts["closed with promise"] == 43_821
    assert counts["agree"] == 43_664
    assert round(100 * counts["late"] / 43_664, 1) == 18.5
    assert (counts["without flag"], counts["without flag, late"]) == (157, 157)
    assert counts["no promise"] == counts["no promise, flag says on time"] == 10_981
    assert (counts["open with promise"], counts["open with promise, flag says overdue"]) == (3_449, 3_448)


def test_located_requests_fall_in_a_district(imported: Imported) -> None:
    located = within = boston = 0
    for request in imported.entities("Open311ServiceRequest"):
        if request.instance(LOCATION) is None:
            continue
        located += 1
        district = value(request, "refDistrict")
        within += district is not None
        boston += district is not None and district.startswith("urn:ngsi-ld:District:boston:")
    assert round(100 * within / located, 2) == 99.97
    assert round(100 * boston / located, 2) == 99.97


def test_requests_by_district_are_those_that_each_district_holds(imported: Imported) -> None:
    places = [
        request.instance(LOCATION).value["coordinates"]  # type: ignore[union-attr, index]
        for request in imported.entities("Open311ServiceRequest")
        if request.instance(LOCATION) is not None
    ]
    points = np.array(places, dtype=float)
    districts = {
        district.id: shapely.make_valid(shapely.geometry.shape(district.instance(LOCATION).value))  # type: ignore[union-attr]
        for district in imported.entities("District")
    }
    # District by district, without the index and without what is prepared.
    held = {id: shapely.intersects_xy(shape, points[:, 0], points[:, 1]) for id, shape in districts.items()}
    areas = Areas([(id, shapely.geometry.mapping(shape)) for id, shape in districts.items()])
    found, outside = aggregate_in_areas(areas, points, np.zeros(len(points)), "count")
    assert {one.id: one.count for one in found} == {id: int(mask.sum()) for id, mask in held.items()}
    assert sum(one.count for one in found) == sum(int(mask.sum()) for mask in held.values())
    assert outside == len(points) - int(np.logical_or.reduce(list(held.values())).sum()) == 15


def test_street_lights_have_their_typing_errors_cleaned(imported: Imported) -> None:
    report = imported.first[LIGHTS]
    assert report.created == 74_065
    kinds: Counter[str | None] = Counter()
    for light in imported.entities("Streetlight"):
        if ":boston:" in light.id:
            kinds[value(light, "lampType")] += 1
    assert set(kinds) == {"LIGHT", None}
    assert kinds["LIGHT"] > 74_000


def test_bicycle_counts_are_all_kept_with_the_repeats_flagged(imported: Imported) -> None:
    report = imported.first[BICYCLES]
    name = expand("bicycleCount")
    with imported.city.store.snapshot() as snapshot:
        found = snapshot.instances("", BROADWAY, Window(names=[name]))[name]
        single = snapshot.instances("", BROADWAY, Window(names=[name], with_repeats=False))[name]
    assert len(found) == 263_558
    repeats = sum(one.occurrence > 0 for one in found)
    # 407 rows have a stamp that was there before: 8 are the autumn hour's second time, another instant.
    assert repeats == report.repeated == 399
    assert repeats + report.notes["autumnHourSecondTime"] == 407
    assert len(single) == 263_558 - 399
    assert len({one.attribute.observed_at for one in single}) == len(single)
    assert report.values_new == 3 * 263_558


def test_the_autumn_hour_of_2020_is_there_twice(imported: Imported) -> None:
    start, end = parse_datetime("2020-11-01T04:45:00Z"), parse_datetime("2020-11-01T07:15:00Z")
    name = expand("bicycleCount")
    with imported.city.store.snapshot() as snapshot:
        found = snapshot.instances("", BROADWAY, Window(names=[name], start=start, end=end))[name]
    stamps = [parse_datetime(one.attribute.observed_at or "") for one in found]
    assert stamps == list(range(start, end, 900_000_000))
    assert all(one.occurrence == 0 for one in found)


def test_second_import_changes_nothing(imported: Imported) -> None:
    assert_nothing_new(imported.first[REQUESTS], imported.again)


def assert_nothing_new(first: Report, again: Report) -> None:
    """What a second import of the same rows tells."""
    assert (again.created, again.updated, again.values_new) == (0, 0, 0)
    assert again.unchanged == first.created
    assert again.values_known == first.values_new
    assert (again.read, again.repeated, again.no_place) == (first.read, first.repeated, first.no_place)


@pytest.mark.parametrize(
    ("since", "before", "rows", "repeats"),
    [
        # A day that is there twice, and the autumn hour.
        ("2020-09", "2020-11-02", 6_052, 96),
        pytest.param("", "3", 263_558, 399, marks=pytest.mark.soak),
    ],
)
async def test_second_import_of_a_series_changes_nothing(
    city: TestCity, since: str, before: str, rows: int, repeats: int
) -> None:
    mapping = load_profile("boston").mapping(BICYCLES)
    assert mapping is not None
    with gzip.open(DATA / mapping.path, "rt") as file:
        head, *lines = file
    part = "".join([head, *(line for line in lines if since <= line < before)])
    city.write(mapping.path, gzip.compress(part.encode()))
    first = await city.run(mapping)
    with city.store.snapshot() as snapshot:
        seq = snapshot.last_seq()
    assert (first.read, first.repeated, first.values_new) == (rows, repeats, 3 * rows)
    assert_nothing_new(first, await city.run(mapping))
    with city.store.snapshot() as snapshot:
        events = snapshot.events(seq, 1000)
    assert {tuple(event.types) for event in events} == {(expand("ImportRun"),)}


def test_second_import_leaves_no_event_but_its_reports(imported: Imported) -> None:
    with imported.city.store.snapshot() as snapshot:
        events = snapshot.events(imported.events["last"], 1000)
    assert {tuple(event.types) for event in events} == {(expand("ImportRun"),)}


def test_counts_come_from_their_rows_of_the_file(imported: Imported) -> None:
    request = "urn:ngsi-ld:Open311ServiceRequest:boston:101000295615"
    with imported.city.store.snapshot() as snapshot:
        (origin,) = snapshot.origins(
            "", request, Window(names=[expand("expected_datetime")], timeproperty="modifiedAt")
        )
    assert origin.instance.row == 3
    assert origin.cause.file == "boston_311_2011h2/cases.csv.gz"
    assert origin.cause.sha256 == imported.first[REQUESTS].files[0].sha256


def test_the_storm_of_august_2011_is_in_the_requests(imported: Imported) -> None:
    trees: Counter[str] = Counter()
    for request in imported.entities("Open311ServiceRequest"):
        if value(request, "service_name") == "Tree Emergencies":
            trees[value(request, "requested_datetime")[:10]] += 1
    assert trees.most_common(1)[0][0] == "2011-08-28"

"""Past requests become cases with their own promises: "late" is what the city of Boston said itself."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

import cityloom
from cases.town import Town, town
from cityloom.broker.ports import Item
from cityloom.cases.keep.city import load_rules
from cityloom.cases.keep.kept import CASE, is_late, kept_of
from cityloom.cases.keep.past import PastRequests
from cityloom.cases.loop.machine import Machine
from cityloom.connect.profile import load_profile
from cityloom.ld.context import LdContext
from cityloom.model.clock import SimulatedClock
from cityloom.model.entity import DEFAULT_VOCAB, LOCATION, Attribute, Entity
from cityloom.model.errors import BadRequestData
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.query.values import Query, TypeIs
from tests.real_city import DATA

FILE = DATA / "boston_311_2011h2" / "cases.csv.gz"
NEEDED = pytest.mark.skipif(
    not FILE.is_file(),
    reason=f"Boston's requests are not there: {FILE} does not exist (set CITYLOOM_CITY_DATA)",
)
BOSTON = load_rules(Path(cityloom.__file__).parent / "profiles" / "boston" / "cases.yaml")
NOW = parse_datetime("2026-11-30T12:00:00Z")
REQUEST = DEFAULT_VOCAB + "Open311ServiceRequest"


def entity(row: dict[str, str], micros: Callable[[str], int]) -> Entity:
    """A row of the city's file as the mapping makes an entity of it."""
    times = {
        "requested_datetime": "open_dt",
        "expected_datetime": "target_dt",
        "closed_datetime": "closed_dt",
    }
    values: dict[str, Any] = {
        name: format_datetime(micros(row[column])) for name, column in times.items() if row[column]
    }
    values |= {
        "service_request_id": row["case_enquiry_id"],
        "service_name": row["type"],
        "agency_responsible": row["department"],
        "closureCode": row["closure_code"],
        "onTimeFlag": row["ontime"],
    }
    attributes = {
        DEFAULT_VOCAB + name: [Attribute(kind="Property", value=value)]
        for name, value in values.items()
        if value
    }
    if (row["longitude"], row["latitude"]) != ("-71.0587", "42.3594"):
        point = {"type": "Point", "coordinates": [float(row["longitude"]), float(row["latitude"])]}
        attributes[LOCATION] = [Attribute(kind="GeoProperty", value=point)]
    id = f"urn:ngsi-ld:Open311ServiceRequest:boston:{row['case_enquiry_id']}"
    return Entity(id=id, types=[REQUEST], attributes=attributes)


def rows() -> Iterator[dict[str, str]]:
    with gzip.open(FILE, "rt") as file:
        yield from csv.DictReader(file)


def stamps() -> Callable[[str], int]:
    zone = ZoneInfo("America/New_York")
    return lambda text: int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * 1_000_000


@pytest.fixture
def boston(tmp_path: Path) -> Iterator[Town]:
    with town(tmp_path, BOSTON, SimulatedClock(NOW)) as found:
        yield found


def past(place: Town) -> PastRequests:
    return PastRequests(place.store, place.access, place.cases.book, LdContext.core.expand_term)


def counted(cases: Iterator[tuple[Any, str]]) -> Counter[str]:
    """What the imported cases say about promises, and whether the city's flag says the same."""
    counts: Counter[str] = Counter()
    for case, flag in cases:
        late = is_late(case, BOSTON.calendar, NOW)
        closed = case.state == "closed"
        if late is None:
            counts["no promise"] += 1
        elif not closed:
            counts["open with promise"] += 1
            counts["open with promise, late"] += late
        elif not flag:
            counts["without flag"] += 1
        else:
            counts["agree" if late == (flag == "OVERDUE") else "disagree"] += 1
            counts["late"] += late
    return counts


@NEEDED
def test_late_agrees_with_the_flag_of_every_request_of_boston(boston: Town) -> None:
    """The machine alone, over the whole file: what is kept is shown by `make soak` and the test below."""
    importer, micros = past(boston), stamps()
    machine = Machine(BOSTON.workflow, BOSTON.limits)

    def moved() -> Iterator[tuple[Any, str]]:
        for row in rows():
            request = importer.request_of(entity(row, micros))
            case = machine.begin(request.case_id)
            for act in importer.acts_of(request):
                case = machine.apply(case, act, BOSTON.calendar).case
            assert BOSTON.limits.told.types[case.matter.type].title["en"] == row["type"]
            yield case, row["ontime"]

    assert counted(moved()) == EXPECTED


EXPECTED = {
    "agree": 43_664,
    "late": 8_073,
    "without flag": 157,
    "no promise": 10_981,
    "open with promise": 3_449,
    "open with promise, late": 3_449,
}


async def imported(place: Town, entities: list[Entity]) -> None:
    items = [Item(id=one.id, entity=one) for one in entities]
    for start in range(0, len(items), 5000):
        result = await place.broker.batch(place.call(), "upsert-replace", items[start : start + 5000])
        assert result.errors == []


def kept(place: Town) -> Iterator[Any]:
    with place.store.snapshot() as snapshot:
        yield from (kept_of(one) for one in snapshot.scan("", Query(types=TypeIs(CASE))))


@NEEDED
async def test_requests_are_kept_as_cases_once_and_closed_when_they_are(boston: Town) -> None:
    await keep(boston, [entity(row, stamps()) for _, row in zip(range(150), rows(), strict=False)])


@NEEDED
@pytest.mark.soak
@pytest.mark.timeout(3000)
async def test_every_request_of_boston_is_kept_as_a_case(boston: Town) -> None:
    micros = stamps()
    await keep(boston, [entity(row, micros) for row in rows()])
    flags = {row["case_enquiry_id"]: row["ontime"] for row in rows()}
    assert counted((one.case, flags[one.subject.source]) for one in kept(boston)) == EXPECTED


async def keep(place: Town, entities: list[Entity]) -> None:
    await imported(place, entities)
    report = await past(place).run(place.call(), "Open311ServiceRequest")
    closed = sum(DEFAULT_VOCAB + "closed_datetime" in one.attributes for one in entities)
    promised = sum(DEFAULT_VOCAB + "expected_datetime" in one.attributes for one in entities)
    assert (report.read, report.made, report.closed, report.refused) == (
        len(entities),
        len(entities),
        closed,
        [],
    )
    assert report.without_promise == len(entities) - promised
    again = await past(place).run(place.call(), "Open311ServiceRequest")
    assert (again.made, again.closed, again.known) == (0, 0, len(entities))
    found = list(kept(place))
    assert len(found) == len(entities)
    assert sum(one.case.state == "closed" for one in found) == closed
    first = min(entities, key=lambda one: one.id)
    whole = await place.cases.show(place.call(), found[0].case.id)
    assert whole.case.about == first.id
    assert whole.case.reported_at == first.attributes[DEFAULT_VOCAB + "requested_datetime"][0].value
    assert whole.case.department == first.attributes[DEFAULT_VOCAB + "agency_responsible"][0].value


def made(**times: str) -> Entity:
    attributes = {
        DEFAULT_VOCAB + name: [Attribute(kind="Property", value=text)] for name, text in times.items()
    }
    return Entity(id="urn:ngsi-ld:Open311ServiceRequest:x:1", types=[REQUEST], attributes=attributes)


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ({}, "requested_datetime is required"),
        ({"requested_datetime": "yesterday"}, "requested_datetime is invalid"),
        (
            {"requested_datetime": "2011-07-02T00:00:00Z", "closed_datetime": "2011-07-01T00:00:00Z"},
            "closed_datetime is invalid: 2011-07-01T00:00:00Z is before 2011-07-02T00:00:00Z",
        ),
    ],
)
async def test_a_request_that_cannot_be_is_refused_and_the_others_are_kept(
    boston: Town, times: dict[str, str], told: str
) -> None:
    with pytest.raises(BadRequestData, match=told):
        past(boston).request_of(made(**times))
    good = msgspec.structs.replace(
        made(requested_datetime="2011-07-02T00:00:00Z", expected_datetime="2011-07-01T00:00:00Z"),
        id="urn:ngsi-ld:Open311ServiceRequest:x:2",
    )
    await imported(boston, [made(**times), good])
    report = await past(boston).run(boston.call(), "Open311ServiceRequest")
    assert (report.read, report.made, report.refused_count) == (2, 1, 1)
    assert told in report.refused[0][1]
    (one,) = kept(boston)
    # Promised for a day before it was reported, as three requests of Boston are: late from the beginning.
    assert is_late(one.case, BOSTON.calendar, one.case.at + 1) is True


async def test_an_open_request_that_is_closed_later_is_closed_once(boston: Town) -> None:
    opened = made(requested_datetime="2011-07-02T00:00:00Z")
    await imported(boston, [opened])
    await past(boston).run(boston.call(), "Open311ServiceRequest")
    await imported(
        boston, [made(requested_datetime="2011-07-02T00:00:00Z", closed_datetime="2011-07-05T00:00:00Z")]
    )
    report = await past(boston).run(boston.call(), "Open311ServiceRequest")
    assert (report.made, report.closed) == (0, 1)
    report = await past(boston).run(boston.call(), "Open311ServiceRequest")
    assert (report.made, report.closed, report.known) == (0, 0, 1)


def test_the_profile_names_the_file_of_its_cases() -> None:
    for name in ("sample", "boston"):
        file = load_profile(name).cases_file
        assert file is not None
        assert load_rules(file).departments

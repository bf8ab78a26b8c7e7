"""The requests of Boston from July to December 2011, hour by hour as if live: storms, and duplicates."""

import csv
import gzip
from collections import Counter, deque
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from zlib import crc32
from zoneinfo import ZoneInfo

import cityloom
from cityloom.cases.clocks.calendar import load_calendar
from cityloom.cases.insight.duplicates import DuplicateRules, Nearness, Told, duplicates
from cityloom.cases.insight.surge import Surge, SurgeDetector, SurgeRule, free_days, sentence
from tests.real_city import DATA, NEEDED

pytestmark = NEEDED
ZONE = ZoneInfo("America/New_York")
HOUR = 3_600_000_000
TREES = "Tree Emergencies"


@cache
def _rows() -> list[tuple[int, dict[str, str]]]:
    """All requests with the time at which they were opened, in that order."""
    with gzip.open(DATA / "boston_311_2011h2" / "cases.csv.gz", "rt", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: (row["open_dt"], row["case_enquiry_id"]))
    return [
        (int(datetime.fromisoformat(row["open_dt"]).replace(tzinfo=ZONE).timestamp()) * 1_000_000, row)
        for row in rows
    ]


def _requests() -> Iterator[tuple[str, str, int]]:
    """(type, neighbourhood, opened) of all requests, in the order in which they were opened."""
    for at, row in _rows():
        yield row["type"], row["neighborhood"], at


def _live() -> list[Surge]:
    """The alarms as they ended, time told at every full hour besides the arrivals."""
    calendar = load_calendar(Path(cityloom.__file__).parent / "profiles" / "boston" / "calendar.yaml")
    detector = SurgeDetector(SurgeRule(), ZONE, free_days(calendar))
    found: list[Surge] = []
    hour = None
    for kind, area, at in _requests():
        for full in range(at if hour is None else hour, at + 1, HOUR):
            found += detector.advance(full)
            hour = full // HOUR * HOUR + HOUR
        found += detector.arrived(kind, area, at)
    found += detector.advance(at + 48 * HOUR)
    assert detector.on() == []
    assert len(found) % 2 == 0
    return [surge for surge in found if surge.until is not None]


def _local(at: int) -> str:
    return datetime.fromtimestamp(at // 1_000_000, ZONE).strftime("%m-%d %H:%M")


def test_storms_raise_tree_emergencies_in_time_and_hardly_anything_else_does() -> None:
    alarms = _live()
    whole_city = [surge for surge in alarms if not surge.area]
    trees = [surge for surge in whole_city if surge.type == TREES]
    for surge in trees:
        print(_local(surge.since), "to", _local(surge.until or 0), "-", sentence(surge)["en"])
    begun = [_local(surge.since) for surge in trees]
    assert any("08-28 00:00" <= at <= "08-28 08:00" for at in begun)
    assert any("08-19 15:00" <= at <= "08-19 17:00" for at in begun)
    assert any("10-30 00:00" <= at <= "10-30 08:00" for at in begun)
    in_alarm = {
        hour for surge in trees for hour in range(surge.since // HOUR, -(-(surge.until or 0) // HOUR))
    }
    print(len(in_alarm), "clock hours in alarm")
    assert len(in_alarm) <= 50
    assert {at[:5] for at in begun} == {"08-19", "08-28", "10-30"}
    # No number of the rule was fitted to a type; halves of the types, by chance, are told beside each other.
    halves = Counter(crc32(surge.type.encode()) % 2 for surge in whole_city if surge.type != TREES)
    kinds = Counter(crc32(kind.encode()) % 2 for kind in {kind for kind, _, _ in _requests()})
    print(len(whole_city), "alarms of", len({surge.type for surge in whole_city}), "types in the whole city,")
    print(len(alarms) - len(whole_city), "in areas; by halves of the types:", dict(halves), dict(kinds))
    print(Counter(surge.type for surge in whole_city).most_common())
    assert len(whole_city) <= 100


def test_duplicates_are_proposed_for_some_and_found_more_often_where_the_city_said_so() -> None:
    rules = DuplicateRules(
        version="boston", default=Nearness(metres=50, hours=24), nowhere=((-71.0587, 42.3594),)
    )
    before: dict[str, deque[Told]] = {}
    placed = Counter[bool]()
    proposed = Counter[bool]()
    for at, row in _rows():
        place = (float(row["longitude"]), float(row["latitude"]))
        new = Told(case=row["case_enquiry_id"], type=row["type"], at=at, place=place)
        of_type = before.setdefault(new.type, deque())
        while of_type and of_type[0].at < at - 24 * HOUR:
            of_type.popleft()
        found = duplicates(new, of_type, rules)
        of_type.append(new)
        said = row["closure_code"] == "Duplicate"
        placed[said] += rules.placed(place)
        proposed[said] += bool(found)
        assert rules.placed(place) or not found
        assert all(0 <= -one.apart <= 24 * HOUR and one.metres <= 50.05 for one in found)
    print(proposed.total(), "of", placed.total(), "with a place have one that may be the same;")
    print(proposed[True], "of", placed[True], "that the City closed as duplicates")
    assert placed.total() == 58_251 - 4_775
    assert proposed.total() < 0.2 * placed.total()
    assert proposed[True] / placed[True] > 2 * proposed[False] / placed[False]

"""The requests of Boston from July to December 2011, hour by hour as if live: the storms are surges."""

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32
from zoneinfo import ZoneInfo

import cityloom
from cityloom.cases.calendar import load_calendar
from cityloom.cases.surge import Surge, SurgeDetector, SurgeRule, free_days, sentence
from tests.real_city import DATA, NEEDED

pytestmark = NEEDED
ZONE = ZoneInfo("America/New_York")
HOUR = 3_600_000_000
TREES = "Tree Emergencies"


def _requests() -> Iterator[tuple[str, str, int]]:
    """(type, neighbourhood, opened) of all requests, in the order in which they were opened."""
    with gzip.open(DATA / "boston_311_2011h2" / "cases.csv.gz", "rt", encoding="utf-8") as file:
        rows = [(row["open_dt"], row["type"], row["neighborhood"]) for row in csv.DictReader(file)]
    for opened, kind, area in sorted(rows):
        local = datetime.fromisoformat(opened).replace(tzinfo=ZONE)
        yield kind, area, int(local.astimezone(UTC).timestamp()) * 1_000_000


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
    assert len(in_alarm) <= 50
    assert {at[:5] for at in begun} == {"08-19", "08-28", "10-30"}
    # No number of the rule was fitted to a type; halves of the types, by chance, are told beside each other.
    halves = Counter(crc32(surge.type.encode()) % 2 for surge in whole_city if surge.type != TREES)
    kinds = Counter(crc32(kind.encode()) % 2 for kind in {kind for kind, _, _ in _requests()})
    print(len(whole_city), "alarms of", len({surge.type for surge in whole_city}), "types in the whole city,")
    print(len(alarms) - len(whole_city), "in areas; by halves of the types:", dict(halves), dict(kinds))
    print(Counter(surge.type for surge in whole_city).most_common())
    assert len(whole_city) <= 100

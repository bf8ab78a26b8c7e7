"""Where the buses are: an archive of positions, and GTFS-realtime snapshots of the last hour.

Source: GTFS Realtime reference 2.0 (FeedMessage, VehiclePosition, TripUpdate, Alert).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import shapely
from google.transit import gtfs_realtime_pb2 as feed

from cityloom.sample.draw import stream
from cityloom.sample.files import Folder
from cityloom.sample.names import Name
from cityloom.sample.period import DAY, HOUR, OFFSET, Floats, Ints, Period, iso, utc
from cityloom.sample.plan import to_lonlat
from cityloom.sample.transit import SPEED, Direction, Transit

ARCHIVE_STEP = 60
SNAPSHOT_STEP = 120


@dataclass(frozen=True, slots=True)
class Run:
    """A trip on one day: `leave` is when the bus really leaves, `late` seconds after the timetable."""

    trip: int
    day: int
    leave: int
    late: int


@dataclass(frozen=True, slots=True)
class Positions:
    """All buses on the road at one moment, as arrays of one length.

    Args:
        place: shape (n, 2), metres.
        bearing: degrees clockwise from north.
        speed: metres a second.
        done: metres along the direction's shape.
    """

    moment: int
    runs: list[Run]
    place: Floats
    bearing: Floats
    speed: Floats
    done: Floats


@dataclass(frozen=True, slots=True)
class Fleet:
    """The buses of the last hours, moving along their lines."""

    period: Period
    transit: Transit
    runs: list[Run]
    archive_hours: int

    @property
    def archived(self) -> Ints:
        """The moments of the archive: every minute up to an hour before the end."""
        cut = self.period.end - HOUR
        return np.arange(cut - self.archive_hours * HOUR, cut, ARCHIVE_STEP)

    @property
    def snapshots(self) -> Ints:
        """The moments of the GTFS-realtime files: every two minutes of the last hour."""
        return np.arange(self.period.end - HOUR, self.period.end + 1, SNAPSHOT_STEP)

    @property
    def vehicles(self) -> list[str]:
        """The buses that are seen at any of these moments."""
        moments = np.concatenate([self.archived, self.snapshots])
        seen = set()
        for run in self.runs:
            if ((moments >= run.leave) & (moments <= run.leave + self._length(run))).any():
                seen.add(self.transit.trips[run.trip].vehicle)
        return sorted(seen)

    @property
    def arrivals(self) -> int:
        """How many arrivals the trip updates announce at the end."""
        now = self.at(self.period.end)
        pairs = zip(now.runs, now.done.tolist(), strict=True)
        return sum(
            len(self.direction(run).stops) - _next_stop(self.direction(run), done) for run, done in pairs
        )

    @property
    def alerts(self) -> int:
        return len(_TEXTS)

    def _length(self, run: Run) -> float:
        along = self.direction(run).along
        return float(along[-1] - along[0]) / SPEED

    def direction(self, run: Run) -> Direction:
        return self.transit.directions[self.transit.trips[run.trip].direction]

    def at(self, moment: int) -> Positions:
        """Where every bus on a trip is at `moment`; a bus that waits at an end sends nothing."""
        runs: list[Run] = []
        done: list[float] = []
        for run in self.runs:
            if run.leave <= moment <= run.leave + self._length(run):
                runs.append(run)
                done.append((moment - run.leave) * SPEED + float(self.direction(run).along[0]))
        along = np.array(done)
        shapes = np.array([self.direction(run).shape for run in runs], dtype=object)
        here, before, after = (
            shapely.get_coordinates(shapely.line_interpolate_point(shapes, np.maximum(along + shift, 0)))
            for shift in (0.0, -8.0, 8.0)
        )
        course = after - before
        bearing = np.degrees(np.arctan2(course[:, 0], course[:, 1])) % 360
        # The same in every file; halves, because a feed keeps 32-bit floats.
        pulse = np.array([(run.leave * 31 + run.trip * 7 + moment) % 97 for run in runs]) / 97
        speed = np.round(2 * SPEED * (0.4 + 1.5 * pulse)) / 2
        return Positions(moment, runs, here, np.round(bearing), speed, along)


def make_fleet(seed: int, period: Period, transit: Transit, hours: int) -> Fleet:
    """Runs the timetable over the last `hours` hours, each trip up to four minutes late."""
    runs: list[Run] = []
    begin = period.end - hours * HOUR
    for day in range(period.last_day - 1, period.last_day + 1):
        service = "WE" if (day + 3) % 7 >= 5 else "WK"
        late = np.minimum(stream(seed, "late", day).gamma(1.3, 45.0, len(transit.trips)), 240).astype(
            np.int64
        )
        for number, trip in enumerate(transit.trips):
            leave = day * DAY - OFFSET + trip.depart + int(late[number])
            arrive = leave + int(transit.directions[trip.direction].times[-1])
            if trip.service == service and leave <= period.end and arrive >= begin:
                runs.append(Run(number, day, leave, int(late[number])))
    return Fleet(period, transit, runs, hours - 1)


def _archive(folder: Folder, fleet: Fleet) -> None:
    tables = []
    for moment in fleet.archived.tolist():
        now = fleet.at(moment)
        if not now.runs:
            continue
        degrees = np.round(to_lonlat(now.place), 6)
        trips = [fleet.transit.trips[run.trip] for run in now.runs]
        tables.append(
            pl.DataFrame(
                {
                    "vehicle": [trip.vehicle for trip in trips],
                    "time": pl.Series([moment * 1_000_000] * len(trips)).cast(pl.Datetime("us", "UTC")),
                    "route": [fleet.transit.lines[fleet.direction(run).line] for run in now.runs],
                    "trip": [trip.code for trip in trips],
                    "lon": degrees[:, 0],
                    "lat": degrees[:, 1],
                    "bearing": now.bearing,
                    "speed_ms": now.speed,
                }
            )
        )
    if tables:
        folder.parquet("transit/vehicle_archive.parquet", pl.concat(tables))


def _message(moment: int) -> feed.FeedMessage:
    message = feed.FeedMessage()
    message.header.gtfs_realtime_version = "2.0"
    message.header.incrementality = feed.FeedHeader.FULL_DATASET
    message.header.timestamp = moment
    return message


def _describe(fleet: Fleet, run: Run, trip: feed.TripDescriptor, vehicle: feed.VehicleDescriptor) -> None:
    timetabled = fleet.transit.trips[run.trip]
    direction = fleet.direction(run)
    trip.trip_id = timetabled.code
    trip.route_id = fleet.transit.lines[direction.line]
    trip.direction_id = direction.number
    trip.start_date = utc(run.day * DAY).strftime("%Y%m%d")
    trip.schedule_relationship = feed.TripDescriptor.SCHEDULED
    vehicle.id = timetabled.vehicle
    vehicle.label = timetabled.vehicle


def _next_stop(direction: Direction, done: float) -> int:
    return min(int(np.searchsorted(direction.along, done)), len(direction.stops) - 1)


def _snapshot(fleet: Fleet, now: Positions) -> feed.FeedMessage:
    message = _message(now.moment)
    degrees = np.round(to_lonlat(now.place), 6)
    for number, run in enumerate(now.runs):
        direction = fleet.direction(run)
        entity = message.entity.add()
        entity.id = fleet.transit.trips[run.trip].vehicle
        vehicle = entity.vehicle
        _describe(fleet, run, vehicle.trip, vehicle.vehicle)
        vehicle.position.longitude, vehicle.position.latitude = degrees[number].tolist()
        vehicle.position.bearing = float(now.bearing[number])
        vehicle.position.speed = float(now.speed[number])
        stop = _next_stop(direction, float(now.done[number]))
        vehicle.current_stop_sequence = stop + 1
        vehicle.stop_id = fleet.transit.stops.code[int(direction.stops[stop])]
        vehicle.current_status = feed.VehiclePosition.IN_TRANSIT_TO
        vehicle.timestamp = now.moment
    return message


def _trip_updates(fleet: Fleet, now: Positions) -> feed.FeedMessage:
    message = _message(now.moment)
    for number, run in enumerate(now.runs):
        direction = fleet.direction(run)
        entity = message.entity.add()
        entity.id = fleet.transit.trips[run.trip].code
        update = entity.trip_update
        _describe(fleet, run, update.trip, update.vehicle)
        update.timestamp = now.moment
        update.delay = run.late
        for stop in range(_next_stop(direction, float(now.done[number])), len(direction.stops)):
            item = update.stop_time_update.add()
            item.stop_sequence = stop + 1
            item.stop_id = fleet.transit.stops.code[int(direction.stops[stop])]
            item.arrival.time = run.leave + int(direction.times[stop])
            item.arrival.delay = run.late
    return message


_TEXTS = (
    (feed.Alert.CONSTRUCTION, feed.Alert.DETOUR, Name("Line {}: detour", "{}路：道路施工，临时绕行")),
    (
        feed.Alert.TECHNICAL_PROBLEM,
        feed.Alert.REDUCED_SERVICE,
        Name("Line {}: fewer buses today", "{}路：今日班次减少"),
    ),
    (
        feed.Alert.HOLIDAY,
        feed.Alert.MODIFIED_SERVICE,
        Name("Line {}: festival timetable", "{}路：节日时刻表"),
    ),
)


def _alerts(seed: int, period: Period, transit: Transit) -> feed.FeedMessage:
    rng = stream(seed, "alerts")
    message = _message(period.end)
    lines = rng.permutation(len(transit.lines))
    for number, (cause, effect, text) in enumerate(_TEXTS):
        entity = message.entity.add()
        entity.id = f"A{number + 1:03d}"
        alert = entity.alert
        span = alert.active_period.add()
        span.start = period.end - int(rng.integers(1, 48)) * HOUR
        span.end = period.end + int(rng.integers(6, 96)) * HOUR
        line = transit.lines[int(lines[number % len(lines)])]
        alert.informed_entity.add().route_id = line
        alert.cause = cause
        alert.effect = effect
        for language, words in (("en", text.en), ("zh", text.zh)):
            alert.header_text.translation.add(text=words.format(line), language=language)
    return message


def write_realtime(folder: Folder, seed: int, fleet: Fleet) -> None:
    """Writes the archive, the snapshots of the last hour, and the trip updates and alerts of the end."""
    _archive(folder, fleet)
    for moment in fleet.snapshots.tolist():
        stamp = iso(moment).replace("-", "").replace(":", "")
        message = _snapshot(fleet, fleet.at(moment))
        _write(folder, f"transit/realtime/vehicle_positions/{stamp}.pb", message)
    end = fleet.period.end
    _write(folder, "transit/realtime/trip_updates.pb", _trip_updates(fleet, fleet.at(end)))
    _write(folder, "transit/realtime/alerts.pb", _alerts(seed, fleet.period, fleet.transit))


def _write(folder: Folder, name: str, message: feed.FeedMessage) -> None:
    folder.binary(name, message.SerializeToString(deterministic=True), len(message.entity))

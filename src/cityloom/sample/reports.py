"""Citizens' reports: what people tell the city, when it was promised and done, and the planted mistakes.

A true pair of duplicates lies within `DUPLICATE_METRES` and `DUPLICATE_SECONDS` and has one kind;
all other reports of one kind are kept `APART_METRES` or `APART_SECONDS` apart, so that the
planted pairs are the only ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import shapely

from cityloom.sample.draw import stream
from cityloom.sample.period import DAY, HOUR, Bools, Floats, Ints, Period
from cityloom.sample.plan import Plan
from cityloom.sample.rhythm import REPORTS, busy
from cityloom.sample.sensors import Sites, beside, pulled_inside, within_city
from cityloom.sample.streets import Streets
from cityloom.sample.weather import Weather

DUPLICATE_METRES, DUPLICATE_SECONDS = 25.0, DAY
APART_METRES, APART_SECONDS = 85.0, 3 * DAY


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of report; `hours` is the promise, None where the city promises nothing.

    Half of them are closed within `usual` hours, of those that the storm caused within `storm`.
    """

    code: str
    name: str
    department: str
    hours: int | None
    weight: float
    usual: float
    storm: float = 0.0


KINDS = (
    Kind("SL-OUT", "Street light out", "Lighting", 96, 0.0, usual=30),
    Kind("PW-POT", "Pothole", "Public Works", 120, 16.0, usual=60),
    Kind("PW-PAV", "Broken pavement", "Public Works", None, 7.0, usual=70),
    Kind("TP-PARK", "Illegal parking", "Traffic Police", 8, 17.0, usual=2),
    Kind("WM-BIN", "Overflowing bin", "Waste Management", 24, 15.0, usual=6),
    Kind("WM-DUMP", "Dumped rubbish", "Waste Management", 36, 11.0, usual=9),
    Kind("EN-NOISE", "Noise complaint", "Environment", None, 10.0, usual=5),
    Kind("PW-GRAF", "Graffiti", "Public Works", 48, 8.0, usual=7),
    Kind("PK-TREE", "Tree emergency", "Parks", 24, 1.6, usual=8, storm=20),
    Kind("PK-LAWN", "Park maintenance", "Parks", 48, 6.0, usual=10),
    Kind("WA-LEAK", "Water leak", "Water", 6, 6.0, usual=1.4),
    Kind("WA-DRAIN", "Blocked drain", "Water", 24, 3.0, usual=2, storm=13),
)
LIGHT, BIN, TREE, DRAIN = (
    next(number for number, kind in enumerate(KINDS) if kind.code == code)
    for code in ("SL-OUT", "WM-BIN", "PK-TREE", "WA-DRAIN")
)


@dataclass(frozen=True, slots=True)
class LampOut:
    """Light number `lamp` gives no light from `since`; `repaired` is when its report was closed."""

    lamp: int
    since: int
    report: int | None = None
    repaired: int | None = None


@dataclass(frozen=True, slots=True)
class Mistakes:
    """What is wrong in the table of reports: numbers of rows.

    Args:
        duplicates: pairs of the first report and its repetition.
        swapped, zero, far: rows whose coordinates are exchanged, 0/0, or degrees away.
        nowhere: rows without a place, put on the middle of the city.
        early: rows closed before they were opened.
    """

    duplicates: list[tuple[int, int]]
    swapped: list[int]
    zero: list[int]
    far: list[int]
    nowhere: list[int]
    early: list[int]


@dataclass(frozen=True, slots=True)
class Reports:
    """All reports, as arrays of one length, by the moment they were opened.

    Args:
        kind: index into `KINDS`.
        place: where it really is, metres, shape (n, 2).
        promised: moment promised; 0 where nothing is.
        closed: moment closed; 0 while open.
        storm: whether the storm caused it.
    """

    kind: Ints
    opened: Ints
    promised: Ints
    closed: Ints
    place: Floats
    storm: Bools
    mistakes: Mistakes
    lamps: list[LampOut] = field(default_factory=list)

    def code(self, row: int) -> str:
        return f"R{row + 1:07d}"


@dataclass(frozen=True, slots=True)
class _Draft:
    """Reports before they are put in order: arrays of one length; `lamp` is -1 where none is meant."""

    kind: Ints
    opened: Ints
    place: Floats
    storm: Bools
    lamp: Ints

    def take(self, rows: Ints | Bools) -> _Draft:
        return _Draft(self.kind[rows], self.opened[rows], self.place[rows], self.storm[rows], self.lamp[rows])

    def joined(self, *others: _Draft) -> _Draft:
        every = (self, *others)
        return _Draft(
            np.concatenate([draft.kind for draft in every]),
            np.concatenate([draft.opened for draft in every]),
            np.concatenate([draft.place for draft in every]),
            np.concatenate([draft.storm for draft in every]),
            np.concatenate([draft.lamp for draft in every]),
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """Where and when reports arise."""

    seed: int
    period: Period
    plan: Plan
    streets: Streets
    weather: Weather
    lights: Sites
    containers: Sites


def _roadside(rng: np.random.Generator, scene: Scene, count: int) -> Floats:
    """Points beside streets, every metre of street as likely as any other."""
    streets = scene.streets
    dry = np.where(streets.bridge, 0.0, streets.length)
    segment = rng.choice(len(dry), count, p=dry / dry.sum())
    along = streets.length[segment] * rng.uniform(0.05, 0.95, count)
    away = rng.uniform(3, 16, count) * rng.choice([-1.0, 1.0], count)
    return pulled_inside(scene.plan, beside(streets, segment, along, away))


def _usual(scene: Scene, rng: np.random.Generator, count: int) -> _Draft:
    """The everyday reports, by the rhythm of the week."""
    minutes = scene.period.stamps(60)
    chance = busy(REPORTS, minutes)
    opened = rng.choice(minutes, count, p=chance / chance.sum()) - rng.integers(0, 60, count)
    weight = np.array([kind.weight for kind in KINDS])
    kind = rng.choice(len(KINDS), count, p=weight / weight.sum())
    place = _roadside(rng, scene, count)
    bins = np.flatnonzero(kind == BIN)
    place[bins] = scene.containers.place[rng.integers(0, len(scene.containers), len(bins))]
    opened = np.maximum(opened, scene.period.start + 1)
    nothing = np.full(count, -1, dtype=np.int64)
    return _Draft(kind, opened, place, np.zeros(count, dtype=np.bool_), nothing)


def _stormy(scene: Scene, rng: np.random.Generator, count: int) -> _Draft:
    """The surge: fallen trees and blocked drains, most of them within hours."""
    delay = 2000 + rng.gamma(1.6, 9000.0, count)
    opened = scene.weather.storm + np.minimum(delay, 30 * HOUR).astype(np.int64)
    kind = np.where(rng.random(count) < 0.72, TREE, DRAIN)
    place = _roadside(rng, scene, count)
    return _Draft(kind, opened, place, np.ones(count, dtype=np.bool_), np.full(count, -1, dtype=np.int64))


def _dark(scene: Scene, rng: np.random.Generator, count: int) -> tuple[_Draft, list[LampOut]]:
    """Lamps that fail; four of five are reported within some days."""
    period = scene.period
    count = min(count, len(scene.lights) // 4)
    lamps = rng.choice(len(scene.lights), count, replace=False)
    since = rng.integers(period.start + 2 * DAY, period.end - DAY, count)
    opened = since + rng.integers(3 * HOUR, 4 * DAY, count)
    told = np.flatnonzero((rng.random(count) < 0.8) & (opened <= period.end))
    lamp_place = scene.lights.place[lamps[told]]
    place = np.round(lamp_place + rng.normal(0, 3.0, lamp_place.shape), 2)
    place = np.where(within_city(scene.plan, place)[:, None], place, lamp_place)
    draft = _Draft(
        np.full(len(told), LIGHT, dtype=np.int64),
        opened[told],
        place,
        np.zeros(len(told), dtype=np.bool_),
        lamps[told],
    )
    return draft, [LampOut(int(lamp), int(moment)) for lamp, moment in zip(lamps, since, strict=True)]


def _apart(draft: _Draft) -> _Draft:
    """Leaves out the later one of any two of a kind that could pass for duplicates."""
    points = shapely.points(draft.place)
    one, two = shapely.STRtree(points).query(points, predicate="dwithin", distance=APART_METRES)
    order = (draft.opened[one] < draft.opened[two]) | ((draft.opened[one] == draft.opened[two]) & (one < two))
    near = order & (draft.kind[one] == draft.kind[two])
    near &= np.abs(draft.opened[one] - draft.opened[two]) <= APART_SECONDS
    return draft.take(~np.isin(np.arange(len(points)), two[near]))


def _repeated(rng: np.random.Generator, scene: Scene, draft: _Draft, count: int) -> tuple[_Draft, Ints]:
    """Second reports of the same thing by somebody else.

    Returns:
        the repetitions, and the rows that they repeat.
    """
    early = np.flatnonzero(draft.opened < scene.period.end - DAY)
    rows = np.sort(rng.choice(early, count, replace=False))
    again = draft.take(rows)
    angle, metres = rng.uniform(0, 2 * np.pi, count), rng.uniform(1, 20, count)
    place = np.round(again.place + np.column_stack([np.cos(angle), np.sin(angle)]) * metres[:, None], 2)
    place = np.where(within_city(scene.plan, place)[:, None], place, again.place)
    later = again.opened + rng.integers(300, 20 * HOUR, count)
    nothing = np.full(count, -1, dtype=np.int64)
    return _Draft(again.kind, later, place, again.storm, nothing), rows


def _closing(rng: np.random.Generator, period: Period, draft: _Draft) -> tuple[Ints, Ints]:
    """When each was promised and when it was closed (0: nothing promised, still open)."""
    hours = np.array([kind.hours or 0 for kind in KINDS])[draft.kind]
    promised = np.where(hours > 0, draft.opened + hours * HOUR, 0)
    half = np.array([[kind.usual, kind.storm] for kind in KINDS])[draft.kind, draft.storm.astype(np.int64)]
    # Many are closed soon, and some drag on for long; a lamp is dark for a night before anybody mends it.
    least = np.where(draft.kind == LIGHT, DAY, 600)
    taken = np.maximum(half * HOUR * np.exp(rng.normal(0, 1.0, len(hours))), least).astype(np.int64)
    closed = draft.opened + taken
    return promised, np.where(closed <= period.end, closed, 0)


def _mistakes(rng: np.random.Generator, pairs: list[tuple[int, int]], closed: Ints, lamp: Ints) -> Mistakes:
    """Chooses the rows that go wrong; no row goes wrong twice, and none that repeats or is repeated."""
    total = len(closed)
    taken = {row for pair in pairs for row in pair}
    free = [int(row) for row in rng.permutation(total) if int(row) not in taken and lamp[row] < 0]
    few = max(2, round(total / 250))
    swapped, zero, far = free[:few], free[few : 2 * few], free[2 * few : 3 * few]
    rest = free[3 * few :]
    nowhere = rest[: round(0.04 * total)]
    done = [row for row in rest[len(nowhere) :] if closed[row]]
    lists = (swapped, zero, far, nowhere, done[: max(3, round(total / 130))])
    return Mistakes(pairs, *(sorted(rows) for rows in lists))


def _place_order(draft: _Draft) -> Ints:
    return np.asarray(np.lexsort((draft.place[:, 1], draft.place[:, 0], draft.opened)))


def make_reports(scene: Scene, count: int) -> Reports:
    """Draws `count` reports of thirty days.

    Cost: about a second for 150,000.
    """
    rng = stream(scene.seed, "reports")
    repeats = max(5, round(0.03 * count))
    dark, lamps = _dark(scene, rng, max(4, round(0.08 * count)))
    stormy = _stormy(scene, rng, max(30, round(0.10 * count)))
    wanted = count - repeats
    special = _apart(dark.joined(stormy))
    draft = _apart(special.joined(_usual(scene, rng, round(1.6 * count))))
    everyday = np.flatnonzero(~draft.storm & (draft.lamp < 0))
    surplus = rng.choice(everyday, len(draft.kind) - wanted, replace=False)
    draft = draft.take(~np.isin(np.arange(len(draft.kind)), surplus))
    again, repeated = _repeated(rng, scene, draft, repeats)
    draft = draft.joined(again)
    order = _place_order(draft)
    rank = np.argsort(order)
    pairs = sorted((int(rank[row]), int(rank[wanted + n])) for n, row in enumerate(repeated))
    draft = draft.take(order)
    promised, closed = _closing(rng, scene.period, draft)
    mistakes = _mistakes(rng, pairs, closed, draft.lamp)
    for row in mistakes.early:
        closed[row] = draft.opened[row] - int(rng.integers(HOUR, 5 * DAY))
    return Reports(
        kind=draft.kind,
        opened=draft.opened,
        promised=promised,
        closed=closed,
        place=draft.place,
        storm=draft.storm,
        mistakes=mistakes,
        lamps=_told(lamps, draft.lamp, closed),
    )


def _told(lamps: list[LampOut], meant: Ints, closed: Ints) -> list[LampOut]:
    """Joins each dark lamp to the report about it; a closed report means that the lamp was repaired."""
    row_of = {int(lamp): row for row, lamp in enumerate(meant.tolist()) if lamp >= 0}
    result = []
    for out in lamps:
        row = row_of.get(out.lamp)
        repaired = int(closed[row]) or None if row is not None else None
        result.append(LampOut(out.lamp, out.since, row, repaired))
    return result

"""Surges: when more of one type arrives in an area than its own past makes likely, and until when.

Arrivals are counted by the hour of the city's wall clock. What is usual is taken from the same hours of
the days before: of days of the same kind (working days, free days), and most of all of the same weekday.
Nothing that comes later is used, and all that is kept is the counts, so a detector is rebuilt from
arrivals alone. How it decides is described in docs/cases-evaluation.md.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from cityloom.cases.clocks.calendar import Calendar
from cityloom.cases.insight.usual import Usual, chance, usual
from cityloom.model.errors import BadRequestData

_HOURS: Final = 24
_YEAR: Final = 8766
"""Hours of a year."""
_HOUR: Final = 3_600_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_NEARLY_NONE: Final = 0.1
EVERYWHERE: Final = ""
"""The area that stands for the whole city."""

Key = tuple[str, str]


class SurgeRule(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How much is a surge; the same for all types and areas.

    `per_year` is how often chance alone may raise an alarm for one type in one area: 0.005 is one
    a month for 100 types in 25 areas. `windows` are the lengths, in hours, in which it is looked for. Fewer
    than `least` arrivals are never a surge, nor is less than `times` what is usual, or than
    `times` what the day before had at these hours, nor what more than the share `rare` of the
    days before had at any hours: batches that are typed in now and then are no news. For so
    long as `learn` days nothing is raised; `weeks` is how far the past is remembered.

    An alarm ends when, for `calm` hours, the longest window has held no more than the `fall`th part of its
    peak, or nothing unlikely (`still` is the chance).
    """

    version: str = "1"
    per_year: float = 0.005
    windows: tuple[int, ...] = (1, 3)
    least: int = 5
    times: float = 3.0
    rare: float = 0.05
    learn: int = 7
    weeks: int = 8
    fall: float = 4.0
    still: float = 0.01
    calm: int = 2


class Surge(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """An alarm: `since` is the arrival that raised it, `until` the end of its last hour; None while it is on.

    `seen` arrivals fell within `window` hours of the wall clock, the last one `hour` of `day` (not yet over
    when it was raised); `expected` is what was usual there on `days`, `chance` how likely so many are then,
    `before` what the day before had at these hours. `peak` is the most that the longest window has held.
    """

    type: str
    area: str
    since: int
    until: int | None = None
    day: date
    hour: int
    window: int
    seen: int
    expected: float
    chance: float
    before: int
    days: tuple[date, ...]
    weekdays: int
    peak: int
    quiet: int = 0
    rule: str

    def counted_from(self, zone: ZoneInfo) -> int:
        """When the hours begin in which `seen` arrived, microseconds since 1970."""
        return _start_of(self.day.toordinal() * _HOURS + self.hour - self.window + 1, zone)


class SurgeState(Struct, frozen=True, kw_only=True, rename="camel"):
    """All that a detector knows: counts by type, area and slot (24 times the day's ordinal, and the hour).

    `since` is the first day that was watched whole, `slot` the hour that is not over; `fading` are alarms
    that ended while there was still more than usual: a new one must reach half their peak.
    """

    rule: SurgeRule
    since: int | None
    slot: int | None
    counts: tuple[tuple[str, str, dict[int, int]], ...]
    on: tuple[Surge, ...]
    fading: tuple[Surge, ...]


class SurgeDetector:
    """Finds surges in arrivals, as they come.

    Args:
        rule: what a surge is.
        zone: the zone whose wall clock tells the hours.
        free: whether a day is a free one (weekend, holiday): days are compared with their like.
        state: what another detector knew.

    Cost: an arrival some microseconds; where `least` have come, once an hour what is usual (some 0.1 ms).
    An hour's end looks at the alarms that are on. 8 weeks of one type in one area are at most 1,368 counts.
    """

    def __init__(
        self,
        rule: SurgeRule,
        zone: ZoneInfo,
        free: Callable[[date], bool],
        state: SurgeState | None = None,
    ) -> None:
        check_rule(rule)
        self._rule, self._zone, self._free = rule, zone, free
        self._alpha = rule.per_year / (_YEAR * len(rule.windows))
        self._counts: dict[Key, dict[int, int]] = {}
        self._on: dict[Key, Surge] = {}
        self._fading: dict[Key, Surge] = {}
        self._pasts: dict[tuple[Key, int], tuple[Usual, int]] = {}
        self._most: dict[tuple[Key, int], list[int]] = {}
        self._since: int | None = None
        self._slot: int | None = None
        self._slots: tuple[int, int] = (-1, -1)
        if state is not None:
            self._counts = {(kind, area): dict(counts) for kind, area, counts in state.counts}
            self._on = {(one.type, one.area): one for one in state.on}
            self._fading = {(one.type, one.area): one for one in state.fading}
            self._since, self._slot = state.since, state.slot

    def state(self, of: Collection[Key] | None = None) -> SurgeState:
        """What it knows, to be kept; the same detector is made of it.

        Args:
            of: the counts of these types and areas alone; None: all.
        """
        counts = self._counts if of is None else {key: self._counts.get(key, {}) for key in of}
        return SurgeState(
            rule=self._rule,
            since=self._since,
            slot=self._slot,
            counts=tuple((*key, dict(sorted(held.items()))) for key, held in sorted(counts.items())),
            on=tuple(one for _, one in sorted(self._on.items())),
            fading=tuple(one for _, one in sorted(self._fading.items())),
        )

    def arrived(self, kind: str, area: str, at: int) -> list[Surge]:
        """Counts an arrival, for its area and for the whole city.

        Time first goes on to its hour. One that is told late is counted in its own hour, and raises nothing
        unless that is among the last ones.

        Args:
            kind: the type of the case.
            at: microseconds since 1970 (UTC).

        Returns:
            alarms that ended before it, then those that it raises
        """
        changed = self.advance(at)
        slot = self._slot_of(at)
        assert self._slot is not None
        if slot < self._oldest(self._slot):
            return changed
        for where in (area, EVERYWHERE) if area != EVERYWHERE else (EVERYWHERE,):
            key = (kind, where)
            counts = self._counts.setdefault(key, {})
            counts[slot] = counts.get(slot, 0) + 1
            if slot < self._slot:
                self._forget(key)
            if key not in self._on and slot > self._slot - max(self._rule.windows):
                raised = self._raise(key, self._slot, at)
                if raised is not None:
                    self._on[key] = raised
                    changed.append(raised)
        return changed

    def advance(self, at: int) -> list[Surge]:
        """Time goes on to `at`: the hours that are over by then end the alarms that they end.

        Returns:
            the alarms that ended; a time that was reached already ends none
        """
        slot = self._slot_of(at)
        if self._slot is None or self._since is None:
            self._slot, self._since = slot, slot // _HOURS + 1
            return []
        ended: list[Surge] = []
        if slot - self._slot > self._rule.weeks * 7 * _HOURS:
            # Nothing is known of so long a silence: an import's past is no past of what is live.
            self._since = slot // _HOURS + 1
        while self._slot < slot and (self._on or self._fading):
            ended += self._end_hour(self._slot)
            self._go_to(self._slot + 1)
        if self._slot < slot:
            self._go_to(slot)
        return ended

    def busy(self) -> bool:
        """Whether an alarm is on or fades: time alone changes it then."""
        return bool(self._on or self._fading)

    def on(self) -> list[Surge]:
        """The alarms that are on, by type and area."""
        return [one for _, one in sorted(self._on.items())]

    def _go_to(self, slot: int) -> None:
        """The hour is over; with the day, what is older than is asked for is forgotten."""
        assert self._slot is not None
        self._pasts.clear()
        self._most.clear()
        if self._slot // _HOURS < slot // _HOURS:
            oldest = self._oldest(slot)
            for key, counts in list(self._counts.items()):
                kept = {one: count for one, count in counts.items() if one >= oldest}
                if kept:
                    self._counts[key] = kept
                else:
                    del self._counts[key]
        self._slot = slot

    def _oldest(self, slot: int) -> int:
        """The first slot that is asked for; windows reach into the day before their first one."""
        return (slot // _HOURS - self._rule.weeks * 7 - 1) * _HOURS

    def _slot_of(self, at: int) -> int:
        """The hour of the wall clock; remembers the last one."""
        hour, slot = self._slots
        if hour != at // (_HOUR // 4):
            hour = at // (_HOUR // 4)
            local = (_EPOCH + timedelta(microseconds=at)).astimezone(self._zone)
            slot = local.toordinal() * _HOURS + local.hour
            self._slots = (hour, slot)
        return slot

    def _raise(self, key: Key, slot: int, at: int) -> Surge | None:
        """The alarm that the arrivals until now make, if they do; the least likely window tells it."""
        rule, counts = self._rule, self._counts[key]
        if slot // _HOURS < (self._since or 0) + rule.learn:
            return None
        held = _sum(counts, slot, max(rule.windows))
        if key in self._fading and held * 2 <= self._fading[key].peak:
            return None
        found: list[tuple[float, int, int]] = []
        for window in rule.windows:
            seen = _sum(counts, slot, window)
            if seen < rule.least:
                continue
            past, before = self._past(key, slot, window)
            most = max(past.expected, before)
            if seen < rule.times * most:
                continue
            likely = chance(seen, most, past.size)
            if likely <= self._alpha and self._share(key, slot, window, seen) <= rule.rare:
                found.append((likely, window, seen))
        if not found:
            return None
        likely, window, seen = min(found)
        past, before = self._past(key, slot, window)
        return Surge(
            type=key[0],
            area=key[1],
            since=at,
            day=date.fromordinal(slot // _HOURS),
            hour=slot % _HOURS,
            window=window,
            seen=seen,
            expected=past.expected,
            chance=likely,
            before=before,
            days=past.days,
            weekdays=past.weekdays,
            peak=held,
            rule=rule.version,
        )

    def _end_hour(self, slot: int) -> list[Surge]:
        """What the end of an hour makes of the alarms that are on, and of those that fade."""
        ended, rule = [], self._rule
        window = max(rule.windows)
        for key, surge in sorted(self._on.items()):
            held = _sum(self._counts[key], slot, window)
            surge = replace(surge, peak=max(held, surge.peak))
            still = self._still(key, slot, held)
            calm = still or held * rule.fall <= surge.peak
            surge = replace(surge, quiet=surge.quiet + 1 if calm else 0)
            if surge.quiet < rule.calm:
                self._on[key] = surge
                continue
            del self._on[key]
            ended.append(replace(surge, until=self._end_of(slot)))
            if not still:
                self._fading[key] = ended[-1]
        for key in list(self._fading):
            if self._still(key, slot, _sum(self._counts.get(key, {}), slot, window)):
                del self._fading[key]
        return ended

    def _still(self, key: Key, slot: int, held: int) -> bool:
        """Whether so many in the longest window are nothing unlikely."""
        past, _ = self._past(key, slot, max(self._rule.windows))
        return chance(held, past.expected, past.size) > self._rule.still

    def _past(self, key: Key, slot: int, window: int) -> tuple[Usual, int]:
        """What is usual in these hours, and what the day before had; reckoned once an hour."""
        found = self._pasts.get((key, window))
        if found is None:
            today, counts = slot // _HOURS, self._counts.get(key, {})
            same = {
                date.fromordinal(day): _sum(counts, slot - (today - day) * _HOURS, window)
                for day in self._days(today)
            }
            found = self._pasts[key, window] = (
                usual(same, date.fromordinal(today), self._free),
                _sum(counts, slot - _HOURS, window),
            )
        return found

    def _share(self, key: Key, slot: int, window: int, seen: int) -> float:
        """The share of the days before that had so many or more within such a window, at any hours."""
        days = self._days(slot // _HOURS)
        most = self._most.get((key, window))
        if most is None:
            of_day: dict[int, int] = {}
            counts = self._counts[key]
            for one in counts:
                if one // _HOURS in days:
                    held = max(_sum(counts, last, window) for last in range(one, one + window))
                    of_day[one // _HOURS] = max(held, of_day.get(one // _HOURS, 0))
            most = self._most[key, window] = sorted(of_day.values())
        return (len(most) - bisect_left(most, seen)) / max(len(days), 1)

    def _days(self, today: int) -> range:
        return range(max(self._since or 0, today - self._rule.weeks * 7), today)

    def _forget(self, key: Key) -> None:
        """What was reckoned of a key's past holds no more: something of it was told late."""
        for window in self._rule.windows:
            self._pasts.pop((key, window), None)
            self._most.pop((key, window), None)

    def _end_of(self, slot: int) -> int:
        """The instant at which an hour of the wall clock is over."""
        return _start_of(slot + 1, self._zone)


def free_days(calendar: Calendar) -> Callable[[date], bool]:
    """Which days are free by a calendar of work; beyond its years, Saturday and Sunday."""

    def free(day: date) -> bool:
        return day not in calendar.hours if calendar.first <= day <= calendar.last else day.weekday() > 4

    return free


def _start_of(slot: int, zone: ZoneInfo) -> int:
    """The instant at which an hour of the wall clock begins."""
    begun = datetime.fromordinal(slot // _HOURS).replace(hour=slot % _HOURS, tzinfo=zone)
    return (begun.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


def _sum(counts: Mapping[int, int], slot: int, window: int) -> int:
    """The count of the slot and of those before it, `window` in all."""
    return sum(counts.get(one, 0) for one in range(slot - window + 1, slot + 1))


def check_rule(rule: SurgeRule) -> None:
    """Raises BadRequestData: a number of a rule is none that can be."""
    for name in ("per_year", "least", "times", "fall", "rare", "learn", "still", "calm", "weeks"):
        if getattr(rule, name) <= 0:
            raise BadRequestData(f"{name} is invalid: it is more than 0")
    if not rule.windows or not all(0 < window <= _HOURS for window in rule.windows):
        raise BadRequestData("windows is invalid: one or more, of 1 to 24 hours")


def sentence(surge: Surge) -> dict[str, str]:
    """Why it was raised, in words for a person, in English and Chinese; type and area as they stand in it."""
    first = (surge.hour - surge.window + 1) % _HOURS
    hours = f"{first:02d}:00–{surge.hour + 1:02d}:00"
    odds = f"{1 / max(surge.chance, 1e-9):,.0f}"
    days = f"{surge.days[0]}…{surge.days[-1]}" if surge.days else "–"
    where = f"{surge.type} in {surge.area}" if surge.area else surge.type
    usually = _usually(surge.expected)
    return {
        "en": (
            f"{where}: {surge.seen} arrived within {hours} of {surge.day}, usually {usually['en']}; "
            f"the day before had {surge.before}; so many come by chance once in {odds} times or less. "
            f"Compared with the same hours of {len(surge.days)} days of the same kind, {surge.weekdays} of "
            f"them of the same weekday ({days})."
        ),
        "zh": (
            f"{surge.area}{surge.type}：{surge.day} {hours} 到达 {surge.seen} 件，"
            f"通常{usually['zh']}，前一日同时段 {surge.before} 件；"
            f"偶然出现的机会不超过 {odds} 分之一。"
            f"对照 {len(surge.days)} 个同类日的同一时段，其中 {surge.weekdays} 个为同一星期几（{days}）。"
        ),
    }


def _usually(expected: float) -> dict[str, str]:
    """A mean in words where it is less than one: nobody has seen a twelfth of a report."""
    if expected < _NEARLY_NONE:
        return {"en": "none or nearly none", "zh": "几乎没有"}
    if expected < 1:
        return {"en": "fewer than one", "zh": "不到 1 件"}
    number = f"{expected:.0f}" if expected >= 10 else f"{expected:.1f}".removesuffix(".0")
    return {"en": number, "zh": f" {number} 件"}

"""The versions of a city's tables, and which of them is in force on which day. Pure.

A version is a draft, which can be edited, or adopted from a day on, which never changes.
Days are those of the city's calendar. An adopted version holds until its last day, or until
the day before the next one begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from cityloom.model.errors import BadRequestData, Conflict
from cityloom.rules.kinds import KINDS
from cityloom.rules.table import DecisionTable, Kind, TableFile, compile_table

FOREVER = "9999-12-31"


class Version(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One version of a table as it is kept; times in microseconds, days as `YYYY-MM-DD`.

    `adopted_until` "" is open. `written_by` and `adopted_by` are parties ("" on an open node).
    """

    table: TableFile
    state: Literal["draft", "adopted"] = "draft"
    written_by: str = ""
    written_at: int = 0
    adopted_from: str = ""
    adopted_until: str = ""
    adopted_by: str = ""
    adopted_at: int = 0

    @property
    def id(self) -> str:
        """What the version is kept by."""
        return version_id(self.table.decision_table, self.table.version)


def version_id(table: str, version: str) -> str:
    """The id of the document of a version."""
    return f"{table}@{version}"


class InForce(Struct, frozen=True, kw_only=True):
    """A table made ready, from which day until which it holds, and since when that is known."""

    table: DecisionTable
    since: str
    until: str
    known: int


class Rulebook:
    """Every adopted version, by day.

    Args:
        versions: all there are; drafts are passed over.
        base: the tables that the city's files bring, for days on which nothing else is in force.
    """

    def __init__(self, versions: Iterable[Version] = (), base: Sequence[DecisionTable] = ()) -> None:
        self._lines: dict[str, list[InForce]] = {}
        self._base = list(base)
        for version in versions:
            if version.state == "adopted":
                line = self._lines.setdefault(_line(version.table), [])
                line.append(
                    InForce(
                        table=compile_table(version.table),
                        since=version.adopted_from,
                        until=version.adopted_until or FOREVER,
                        known=version.adopted_at,
                    )
                )
        for line in self._lines.values():
            line.sort(key=lambda one: one.since)

    def adopted(self, kind: Kind, day: str) -> DecisionTable | None:
        """The adopted table of a kind of which there is one at a time; None where none is in force."""
        found = self._on(self._lines.get(kind, []), day)
        return None if found is None else found.table

    def in_force(self, kind: Kind, day: str) -> DecisionTable | None:
        """The table of a kind of which there is one at a time, adopted or else of the files; or None."""
        based = (table for table in self._base if table.kind == kind)
        return self.adopted(kind, day) or next(based, None)

    def openings(self, day: str, at: int | None = None) -> list[DecisionTable]:
        """The tables of opening conditions of a day, those alone that were adopted before `at` (µs)."""
        found = []
        for name, line in sorted(self._lines.items()):
            if name in KINDS:
                continue
            one = self._on([one for one in line if at is None or one.known < at], day)
            if one is not None and one.table.kind == "opening":
                found.append(one.table)
        ids = {table.id for table in found}
        return [*found, *(one for one in self._base if one.kind == "opening" and one.id not in ids)]

    def begun(self, table: DecisionTable, zone: tzinfo) -> int | None:
        """When a version came into force: at the start of its first day, or when adopted on that (µs).

        None: nobody adopted it; it is of the city's files.
        """
        for line in self._lines.values():
            for one in line:
                if one.table.digest == table.digest and one.since:
                    return max(midnight(date.fromisoformat(one.since), zone), one.known)
        return None

    def with_table(self, table: DecisionTable) -> Rulebook:
        """The same, but this table in force on every day: for a replay."""
        book = Rulebook(base=[*self._base])
        name = _line(table.told)
        book._lines = dict(self._lines)
        book._lines[name] = [InForce(table=table, since="", until=FOREVER, known=0)]
        return book

    def _on(self, line: Sequence[InForce], day: str) -> InForce | None:
        begun = [one for one in line if one.since <= day]
        return begun[-1] if begun and day <= begun[-1].until else None


def adopt(
    versions: Sequence[Version],
    draft: Version,
    *,
    since: str,
    until: str,
    today: str,
    by: str,
    at: int,
) -> Version:
    """The draft, adopted.

    Args:
        versions: all versions that there are, of all tables.
        since, until: its first and last day; `until` "" is open.
        today: the day in the city.

    Raises:
        BadRequestData: a day is none, or the last lies before the first.
        Conflict: it is adopted already; it would begin before others that decide now are at their end;
            its days overlap with those of another.
    """
    name = f"{draft.table.decision_table} {draft.table.version}"
    if draft.state == "adopted":
        raise Conflict(f"{name} is adopted already, from {draft.adopted_from}: it does not change any more")
    _check_day(since, "from")
    if until:
        _check_day(until, "until")
        if until < since:
            raise BadRequestData(f"until is invalid: {until} is before {since}")
    line = [one for one in versions if one.state == "adopted" and _line(one.table) == _line(draft.table)]
    begun = [one for one in line if one.adopted_from <= today]
    if since < today or (since == today and begun):
        raise Conflict(
            f"from is invalid: {since} is not after today, {today}: what a day has decided stays decided"
        )
    for other in line:
        told = f"{other.table.decision_table} {other.table.version}, which holds from {other.adopted_from}"
        if other.adopted_until:
            told += f" until {other.adopted_until}"
        before = other.adopted_from < since and other.adopted_until and other.adopted_until >= since
        after = other.adopted_from > since and until and until >= other.adopted_from
        if other.adopted_from == since or before or after:
            raise Conflict(f"from is invalid: {name} overlaps {told}")
    return replace(
        draft, state="adopted", adopted_from=since, adopted_until=until, adopted_by=by, adopted_at=at
    )


def holds_until(versions: Sequence[Version], one: Version) -> str:
    """The last day of an adopted version, its own or the one before the next begins; "" is open."""
    following = sorted(
        other.adopted_from
        for other in versions
        if other.state == "adopted"
        and _line(other.table) == _line(one.table)
        and other.adopted_from > one.adopted_from
    )
    ends = [one.adopted_until] if one.adopted_until else []
    if following:
        ends.append((date.fromisoformat(following[0]) - timedelta(days=1)).isoformat())
    return min(ends, default="")


def day_of(at: int, zone: tzinfo) -> str:
    """The city's day of an instant (microseconds since 1970)."""
    return datetime.fromtimestamp(at // 1_000_000, UTC).astimezone(zone).date().isoformat()


def midnight(day: date, zone: tzinfo) -> int:
    """When a day begins in the city, in microseconds since 1970."""
    return round(datetime.combine(day, time(), zone).timestamp() * 1_000_000)


def _line(told: TableFile) -> str:
    """What a version takes its turn with: all tables of a kind of which there is one, else its own table."""
    return told.kind if KINDS[told.kind].alone else f"{told.kind}:{told.decision_table}"


def _check_day(text: str, place: str) -> None:
    try:
        if date.fromisoformat(text).isoformat() == text:
            return
    except ValueError:
        pass
    raise BadRequestData(f"{place} is invalid: {text!r} is no day (2026-12-31)")

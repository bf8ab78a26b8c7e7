"""`up --play`: a recorded day lived once more; and the sample city's last weeks, lived when it is made."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from cityloom.app import Node
from cityloom.app.play import Played, Player, Staff
from cityloom.app.staff import SampleStaff, Span, truth_of, unwatched
from cityloom.cli.console import Bar, counted, err, progress_bars
from cityloom.cli.importing import import_all
from cityloom.cli.logs import configure_logs
from cityloom.cli.serving import run
from cityloom.connect.deliveries import Delivery
from cityloom.connect.profile import load_profile
from cityloom.folder import CityFolder
from cityloom.model.clock import SimulatedClock
from cityloom.model.errors import ConfigurationError
from cityloom.model.settings import Settings
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.rules.book import midnight
from cityloom.rules.opening import OpeningRule, opening_rules

_HOUR = 3_600_000_000
_NAMED = 5
"""Ids that are named of what was refused for one reason."""
_REQUESTS = "sample-service-requests"


def sources_known(node: Node) -> bool:
    """Whether the sample's requests were imported whole: its last weeks were lived before that."""
    mapping = next(mapping for mapping in node.mappings if mapping.source == _REQUESTS)
    return asyncio.run(node.importer.is_current(mapping, node.folder.sources))


def live_sample(place: CityFolder, settings: Settings) -> None:
    """Lives the sample city from the day of its storm until its end, as fast as it goes.

    What was reported before came from elsewhere, closed there or still open; from then on
    its sensors and citizens open cases, and its invented staff deals with them. Readings that change
    nothing for a rule are left to the import.
    """
    truth = _truth(place)
    storm = parse_datetime(truth["events"]["storm"]["from"])
    end = parse_datetime(truth["end"])
    zone = ZoneInfo(load_profile(place.profile).profile.time_zone)
    begin = midnight(datetime.fromtimestamp(storm / 1e6, UTC).astimezone(zone).date(), zone)
    node, player, clock = prepared(place, settings, begin, end)
    try:
        if sources_known(node) or clock.now() >= end:
            return
        with progress_bars() as bars:
            deliveries = bring_before(player, truth, bars)
            player.leave_out(
                unwatched(deliveries, _opening_rules(node).values(), node.ld_context.expand_term)
            )
            node.prepare()
            story = _Story(zone, (begin, end), bars("living its last two weeks"))
            asyncio.run(player.through(_HOUR, story.tell))
            story.over()
        for line in refusals(story.refused):
            err.print(line, markup=False)
    finally:
        node.close()


def play(place: CityFolder, settings: Settings, listening: socket.socket, day: str, speed: float) -> None:
    """Serves a city on a day of its past, played at a speed, until Ctrl-C.

    Raises:
        ConfigurationError: the day is none, the city has lived beyond it, or its profile plays nothing.
    """
    if settings.workers != 1:
        raise ConfigurationError("a day is played by one process: workers must be 1")
    if not speed > 0:
        raise ConfigurationError(f"--speed is invalid: {speed:g} is not above 0")
    zone = ZoneInfo(load_profile(place.profile).profile.time_zone)
    on = _day_of(day)
    begin, end = midnight(on, zone), midnight(on + timedelta(days=1), zone)
    if err.is_terminal:  # the line that says how far it is stands where each request would be told
        configure_logs(msgspec.structs.replace(settings, log_level="warning"))
    else:
        configure_logs(settings)
    node, player, clock = prepared(place, settings, begin, end)
    try:
        if clock.now() > end + _HOUR:
            raise ConfigurationError(
                f"the city in {place.path} has lived until {format_datetime(clock.now())}: "
                "a day of its past is played in a folder of its own; name a new one with --folder"
            )
        with progress_bars() as bars:
            bring_before(player, _truth(place), bars)
    except BaseException:
        listening.close()
        node.close()
        raise
    line = _Line(zone, speed, player)

    async def during() -> None:
        with line.listening():
            await player.run(speed, line.tell)
        line.over()

    run(node, listening, during=during)


def prepared(
    place: CityFolder, settings: Settings, begin: int, end: int
) -> tuple[Node, Player, SimulatedClock]:
    """A node on a clock of its own, at a time or where an earlier play stopped."""
    clock = SimulatedClock(begin)
    node = Node(place, settings, clock)
    with node.store.snapshot() as reads:
        last = reads.events(max(reads.last_seq() - 1, 0), 1)
    if last:
        clock.set(max(begin, last[-1].at))
    try:
        return node, Player(node, clock, begin, end), clock
    except BaseException:
        node.close()
        raise


def bring_before(player: Player, truth: dict[str, Any], bars: Callable[[str], Bar]) -> list[Delivery]:
    """What was there when the play begins; what is going to be delivered."""
    node = player.node
    asyncio.run(import_all(node, player.before, only_new=True))

    async def caught_up() -> list[Delivery]:
        deliveries = await player.read(bars("reading what is played"))
        await player.catch_up(bars("what was before"))
        if truth:
            player.staff = _staff(player, truth, deliveries)
        await player.take_up()
        return deliveries

    return asyncio.run(caught_up())


def _staff(player: Player, truth: dict[str, Any], deliveries: list[Delivery]) -> Staff:
    node = player.node
    assert node.case_parts.cases is not None
    planted, storm = truth["planted"]["duplicateReports"], truth["events"]["storm"]
    span = Span(player.begin, player.until, (parse_datetime(storm["from"]), parse_datetime(storm["to"])))
    return SampleStaff(
        node.store,
        node.own_call("play"),
        node.case_parts.cases.book,
        truth_of(deliveries, planted if isinstance(planted, list) else [], span, node.ld_context.expand_term),
        _opening_rules(node),
        node.ld_context.expand_term,
    )


def _opening_rules(node: Node) -> dict[tuple[str, str], OpeningRule]:
    """Those of the city's files, by table and row."""
    return {
        (table.id, rule.row): rule
        for table in node.case_parts.rules.base
        if table.kind == "opening"
        for rule in opening_rules(table)
    }


def _truth(place: CityFolder) -> dict[str, Any]:
    """What is known of a sample city besides its files; nothing of any other city."""
    file = place.sources / "truth.json"
    if place.configuration.profile != "sample" or not file.is_file():
        return {}
    found: dict[str, Any] = msgspec.json.decode(file.read_bytes())
    return found


def refusals(refused: Mapping[str, str]) -> list[str]:
    """What to say of reports that were refused: how many, and by reason some ids with the first's sentence.

    Args:
        refused: reasons by id.
    """
    if not refused:
        return []
    by_reason: dict[str, list[str]] = {}
    for id, reason in refused.items():
        by_reason.setdefault(reason.partition(":")[0], []).append(id)
    lines = [f"{counted(len(refused), 'report')} of the sources refused, so they are no cases:"]
    for reason, ids in sorted(by_reason.items(), key=lambda one: (-len(one[1]), one[0])):
        more = f" and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
        lines.append(f"  {len(ids):,} because {reason}: {', '.join(ids[:_NAMED])}{more}")
        lines.append(f"    the first: {refused[ids[0]]}")
    return lines


def _day_of(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"--play is invalid: {text!r} is no day (2011-08-28)") from None


def _alarms(played: Played) -> str:
    return ", ".join(title.get("en") or next(iter(title.values())) for title in played.alarms) or "none"


class _Story:
    """The bar of a past that is lived, and beside it what happens: the hour, cases opened, alarms."""

    def __init__(self, zone: ZoneInfo, span: tuple[int, int], bar: Bar) -> None:
        self._zone = zone
        self._begin, self._end = span
        self._bar = bar
        self._opened = 0
        self.refused: Mapping[str, str] = {}

    def tell(self, played: Played) -> None:
        at = datetime.fromtimestamp(played.now / 1e6, UTC).astimezone(self._zone)
        self._opened = played.opened
        self.refused = played.refused
        self._bar(
            (played.now - self._begin) / (self._end - self._begin),
            f"{at:%d %b %H:%M}, {counted(played.opened, 'case')} opened, alarms: {_alarms(played)}",
        )

    def over(self) -> None:
        """All of it was lived."""
        self._bar(1.0, f"{counted(self._opened, 'case')} opened")


class _Line:
    """The line in the terminal that says how far a play is; Enter lets time stand, or go on.

    Where standard error is no terminal, there is a line for each hour of the day.
    """

    def __init__(self, zone: ZoneInfo, speed: float, player: Player) -> None:
        self._zone = zone
        self._speed = speed
        self._player = player
        self._said = ""
        self._opened = 0
        self._refused: Mapping[str, str] = {}

    def tell(self, played: Played) -> None:
        at = datetime.fromtimestamp(played.now / 1e6, UTC).astimezone(self._zone)
        self._opened = played.opened
        self._refused = played.refused
        text = f"{at:%Y-%m-%d %H:%M}  cases opened: {played.opened:,}  alarms: {_alarms(played)}"
        if err.is_terminal:
            goes = "Enter: go on" if self._player.paused else f"x{self._speed:g}, Enter: pause"
            sys.stderr.write(f"\r\x1b[2K{text}  ({goes})")
            sys.stderr.flush()
        elif self._said != (hour := f"{at:%Y-%m-%d %H}"):
            self._said = hour
            err.print(text, markup=False)

    def over(self) -> None:
        """The day is over."""
        end = "" if not err.is_terminal else "\n"
        err.print(
            f"{end}the day is over, with {counted(self._opened, 'case')} opened: "
            "the clock stands, and what was lived is kept. Ctrl-C stops"
        )
        for line in refusals(self._refused):
            err.print(line, markup=False)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While the block runs, Enter is heard."""
        if not sys.stdin.isatty():
            yield
            return
        loop = asyncio.get_running_loop()

        def entered() -> None:
            if sys.stdin.readline():
                self._player.pause()
            else:  # Ctrl-D, or nobody is there: an end is no Enter, and may be told without end
                loop.remove_reader(sys.stdin.fileno())

        loop.add_reader(sys.stdin.fileno(), entered)
        try:
            yield
        finally:
            loop.remove_reader(sys.stdin.fileno())

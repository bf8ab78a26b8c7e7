"""Opening rules on the live picture: follows the log, keeps time, and opens one case for one fault.

Where each rule stands with each attribute is decided and kept on the writer's thread, in the
transaction that also moves the cursor or takes the timer away, and in which the case is opened:
a process that dies has opened it or has not. A case that is due is opened by its time, though the
timer or the log be late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from cityloom.broker.door import settled
from cityloom.consumers.follow import Follower, Outcome
from cityloom.consumers.timers import Timers
from cityloom.consumers.waiting import within
from cityloom.model.clock import Clock
from cityloom.model.entity import LOCATION, Attribute
from cityloom.model.events import Event
from cityloom.model.time import parse_datetime
from cityloom.query.values import Query, TypeIs
from cityloom.rules.book import Rulebook, day_of
from cityloom.rules.daytime import Active, active_during
from cityloom.rules.kept import RULE, Rules
from cityloom.rules.opening import Heard, Opening, OpeningRule, Watched, hear, open_case, opening_rules
from cityloom.rules.table import DecisionTable
from cityloom.rules.watched import (
    NO_RULE,
    WATCHED,
    Place,
    Signal,
    State,
    matters,
    point_of,
    silent_at,
    value_of,
    watched_at,
)
from cityloom.store.history_ports import Window
from cityloom.store.log_ports import Timer
from cityloom.store.ports import Snapshot, Store, Transaction

CONSUMER: Final = "rules"
_BEGUN: Final = "RuleBegun"
"""The document that says since when each table of the city's files is watched, by digest (µs)."""
_SWEEP_EVERY: Final = 60.0
_SWEPT_AT_ONCE: Final = 200
_LATER: Final = 200_000
"""Microseconds until a timer looks again whether the log was read up to its time."""
_DAY: Final = 86_400_000_000


class CaseOpener(Protocol):
    """Opens cases; handed in by `app`."""

    def open_case(self, tx: Transaction, opening: Opening) -> str:
        """Opens the case in this transaction and gives its id; a fault that has one keeps it."""
        ...

    def opened(self) -> None:
        """Told on the event loop, after a commit with which cases may have been opened."""
        ...


Indexed = dict[tuple[str, str], list[OpeningRule]]
Touched = dict[tuple[str, str], dict[str, Place]]
"""By entity, the places of values that were taken before in the same batch of events."""


class _Sweep(NamedTuple):
    """A tenant whose rules changed: the digests of its tables, its rules, when each table came into force."""

    tenant: str
    name: tuple[str, ...]
    indexed: Indexed
    begun: dict[str, int]


class OpeningWatch:
    """Watches the entities of a city by its opening rules.

    Args:
        expand: gives the IRI of a type or an attribute as tables name it.
        centre: lon, lat of the city, for entities that have no place of their own.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        rules: Rules,
        opener: CaseOpener,
        *,
        expand: Callable[[str], str],
        centre: tuple[float, float],
    ) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._opener = opener
        self._expand = expand
        self._centre = centre
        self._active: dict[tuple[str, str], dict[str, State]] = {}
        self._books: dict[str, Rulebook] = {}
        self._read: dict[str, list[OpeningRule]] = {}
        self._indexed: dict[tuple[str, ...], Indexed] = {}
        self._swept: dict[str, tuple[str, ...]] = {}
        self._begun: dict[str, int] = {}
        self._one_sweep = asyncio.Lock()
        self._being_swept: set[tuple[str, str]] = set()
        timer_set = asyncio.Event()
        self._timer_set = timer_set
        self._sweep_now = asyncio.Event()
        self._follower = Follower(store, CONSUMER, self._handle)
        self._timers = Timers(store, CONSUMER, clock, self._fire, timer_set)

    async def start(self) -> None:
        """Takes its place in the log and reads where the rules stand."""
        await self._follower.start()
        self._active.clear()
        self._swept.clear()

        def load(reads: Snapshot) -> list[State]:
            found = []
            for tenant in reads.tenants():
                after = ""
                while page := reads.documents(tenant, WATCHED, after):
                    found += [msgspec.convert(document.body, State) for document in page]
                    after = page[-1].id
            return found

        for state in await asyncio.wrap_future(self._store.read(load)):
            self._remember(state)
        self._begun = await asyncio.wrap_future(self._store.submit(self._begin))

    async def run(self) -> None:
        """Watches until it is cancelled; after `start`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follower.run())
            group.create_task(self._timers.run())
            group.create_task(self._sweeping())

    def look(self) -> None:
        """Looks at the timers now: for a clock that was moved by hand."""
        self._timer_set.set()

    @property
    def position(self) -> int:
        """Up to which event the log was read."""
        return self._follower.position

    async def reached(self, seq: int) -> None:
        """Waits until the log was read up to an event."""
        await self._follower.reached(seq)

    def _begin(self, tx: Transaction) -> dict[str, int]:
        """Tables of the city's files hold always; they are watched since a node first saw them."""
        kept = tx.document("", _BEGUN, _BEGUN)
        known: dict[str, int] = {} if kept is None else kept.body
        opening = [table.digest for table in self._rules.base if table.kind == "opening"]
        begun = {digest: known.get(digest, tx.now) for digest in opening}
        if begun != known:
            tx.set_state("", _BEGUN, _BEGUN, begun)
        return begun

    # -- events ------------------------------------------------------------

    async def _handle(self, events: Sequence[Event]) -> Outcome | None:
        changed = {event.tenant for event in events if event.document_kind == RULE}
        if changed:
            self._sweep_now.set()
            for tenant in changed:
                self._books.pop(tenant, None)
        plain = [event for event in events if event.kind.startswith("entity")]
        # Rules are events of the log that is read here, so a book is read again only after one.
        to_read = {event.tenant for event in plain} - self._books.keys()
        if to_read:

            def read(reads: Snapshot) -> dict[str, Rulebook]:
                return {tenant: self._rules.book(reads, tenant) for tenant in to_read}

            self._books |= await asyncio.wrap_future(self._store.read(read))
        zone, books = self._rules.zone, self._books
        touched: Touched = {}
        signals = [
            signal
            for event in plain
            for signal in self._signals(
                event, self._index(books[event.tenant], day_of(event.at, zone), event.at), touched
            )
        ]
        return self._outcome(signals) if signals else None

    def _signals(self, event: Event, indexed: Indexed, touched: Touched) -> Iterable[Signal]:
        """The values of an event that matter; those of `touched` do, whose state earlier ones change."""
        entity = (event.tenant, event.entity_id)
        known, before = self._active.get(entity, {}), touched.get(entity, {})
        if event.kind == "entityDeleted":
            for place in {**{key: state.place for key, state in known.items()}, **before}.values():
                yield Signal(place=place, rule=NO_RULE, heard=Heard(at=event.at, firing="", gone=True))
            return
        if not indexed:
            return
        swept = entity in self._being_swept
        for change in event.changes:
            for type in event.types:
                for rule in indexed.get((type, change.name), ()):
                    place = Place(
                        tenant=event.tenant,
                        table=rule.table,
                        row=rule.row,
                        entity=event.entity_id,
                        attribute=change.name,
                        dataset=change.dataset_id,
                    )
                    after = change.after
                    if after is None or after.deleted_at is not None:
                        heard = Heard(at=event.at, firing="", gone=True)
                    else:
                        # As history has it, so that a replay reads the same times.
                        told = event.at if after.modified_at is None else parse_datetime(after.modified_at)
                        heard = Heard(at=told, firing=str(told), value=value_of(after))
                    if swept or place.key in before or matters(rule, known.get(place.key), heard):
                        before = touched.setdefault(entity, {})
                        before[place.key] = place
                        yield Signal(
                            place=place,
                            rule=rule,
                            heard=heard,
                            modified=None if after is None else after.modified_at,
                        )

    def _outcome(self, signals: Sequence[Signal]) -> Outcome:
        changed: list[State] = []

        def work(tx: Transaction) -> None:
            changed.clear()
            for signal in signals:
                self._take(tx, signal, changed)

        return Outcome(work, partial(self._settle, changed))

    def _take(self, tx: Transaction, signal: Signal, changed: list[State]) -> None:
        """What one value makes of where a rule stands, on the writer's thread."""
        place, rule, heard = signal.place, signal.rule, signal.heard
        was = watched_at(tx, place)
        if was is not None and was.status == "waiting" and was.due is not None and was.due <= heard.at:
            if rule is NO_RULE:
                rule = self._rule_of(tx, place, heard.at) or rule
            if rule is not NO_RULE and not rule.silence:
                was = self._open(tx, place, rule, was, was.due, changed)
            elif rule.silence:
                due = self._silent_since(tx, place, rule, was, before=heard.at)
                if due.due is not None and due.due <= heard.at:
                    was = self._open(tx, place, rule, due, due.due, changed)
        now = hear(rule, was, heard, self._looking(tx, rule, place))
        if now is not None and now is not was and now.status == "waiting" and not rule.silence:
            instance = self._instance(tx, place, signal.modified)
            now = replace(now, evidence=(instance,) if instance else ())
        if now is not None and now.status == "waiting" and now.due is not None and now.due <= heard.at:
            now = self._open(tx, place, rule, now, now.due, changed)
        if now != was:
            self._keep(tx, place, now, changed)

    # -- timers ------------------------------------------------------------

    async def _fire(self, timer: Timer) -> Outcome | None:
        changed: list[State] = []
        position = self._follower.position

        def work(tx: Transaction) -> None:
            changed.clear()
            document = tx.document(timer.tenant, WATCHED, timer.key)
            state = None if document is None else msgspec.convert(document.body, State)
            if state is None or state.watched is None or state.watched.status != "waiting":
                return
            if any(event.at <= timer.due for event in tx.events(position, 1)):
                # What was told before this time may end the fault; it is read first.
                tx.set_timer(replace(timer, due=max(tx.now, timer.due) + _LATER))
                return
            place, was = state.place, state.watched
            rule = self._rule_of(tx, place, tx.now)
            if rule is None:
                self._keep(tx, place, None, changed)
                return
            if rule.silence:
                was = self._silent_since(tx, place, rule, was)
            if was.due is None or was.due > tx.now:
                self._keep(tx, place, was, changed)
                return
            self._keep(tx, place, self._open(tx, place, rule, was, was.due, changed), changed)

        return Outcome(work, partial(self._settle, changed))

    def _silent_since(
        self, tx: Transaction, place: Place, rule: OpeningRule, was: Watched, before: int | None = None
    ) -> Watched:
        """Where a rule of silence stands by what was told last of the attribute (before a time)."""
        window = Window(
            names=[place.attribute],
            timeproperty="modifiedAt",
            end=before,
            last_n=1,
            dataset_ids=[place.dataset],
        )
        found = tx.instances(place.tenant, place.entity, window).get(place.attribute, [])
        if not found or found[-1].attribute.modified_at is None:
            return was
        last = max(was.since, parse_datetime(found[-1].attribute.modified_at))
        due = silent_at(rule, last, self._looking(tx, rule, place))
        return replace(was, since=last, firing=str(last), due=due)

    # -- what was there before a rule ---------------------------------------

    async def _sweeping(self) -> None:
        while True:
            self._sweep_now.clear()
            await self.sweep()
            await within(_SWEEP_EVERY, self._sweep_now)

    async def sweep(self) -> None:
        """Where rules came into force, looks at the entities that are there: what is dark stays dark.

        Cost: where no rule changed, a small read for each tenant; else a walk through the entities.
        """
        async with self._one_sweep:
            for sweep in await asyncio.wrap_future(self._store.read(self._to_sweep)):
                for type in sorted({type for type, _ in sweep.indexed}):
                    await self._sweep_type(sweep, type)
                self._swept[sweep.tenant] = sweep.name

    def _to_sweep(self, reads: Snapshot) -> list[_Sweep]:
        """The tenants whose rules are others than those that were swept by last."""
        zone = self._rules.zone
        day = day_of(self._clock.now(), zone)
        found = []
        for tenant in reads.tenants():
            book = self._rules.book(reads, tenant)
            tables = book.openings(day)
            name = tuple(table.digest for table in tables)
            if name != self._swept.get(tenant, ()):
                begun = {one.id: book.begun(one, zone) or self._begun.get(one.digest, 0) for one in tables}
                found.append(_Sweep(tenant, name, self._index(book, day), begun))
        return found

    async def _sweep_type(self, sweep: _Sweep, type: str) -> None:
        def read(reads: Snapshot) -> list[str]:
            return [entity.id for entity in reads.scan(sweep.tenant, Query(types=TypeIs(type=type)))]

        ids = await asyncio.wrap_future(self._store.read(read))
        for first in range(0, len(ids), _SWEPT_AT_ONCE):
            some = ids[first : first + _SWEPT_AT_ONCE]
            outcome = self._sweep_work(sweep, type, some)
            # What is told of them meanwhile counts, though it is not known yet where a rule stands.
            self._being_swept = {(sweep.tenant, id) for id in some}
            try:
                await settled(self._store.submit(outcome.work))
                outcome.then()
            finally:
                self._being_swept = set()

    def _sweep_work(self, sweep: _Sweep, type: str, ids: Sequence[str]) -> Outcome:
        changed: list[State] = []

        def work(tx: Transaction) -> None:
            changed.clear()
            for entity in tx.get_many(sweep.tenant, ids).values():
                for (of, name), rules in sweep.indexed.items():
                    for instance in entity.attributes.get(name, ()) if of == type else ():
                        for rule in rules:
                            place = Place(
                                tenant=sweep.tenant,
                                table=rule.table,
                                row=rule.row,
                                entity=entity.id,
                                attribute=name,
                                dataset=instance.dataset_id,
                            )
                            self._take_up(tx, place, rule, instance, sweep.begun[rule.table], changed)

        return Outcome(work, partial(self._settle, changed))

    def _take_up(
        self,
        tx: Transaction,
        place: Place,
        rule: OpeningRule,
        instance: Attribute,
        begun: int,
        changed: list[State],
    ) -> None:
        if watched_at(tx, place) is not None:
            return
        modified = instance.modified_at or instance.created_at
        told = tx.now if modified is None else parse_datetime(modified)
        if told > begun:
            return  # its event is in the log, and comes or came in its turn
        # A fault counts from when the rule came into force, a silence from what was heard last.
        heard = Heard(at=told if rule.silence else begun, firing=str(told), value=value_of(instance))
        if rule.silence or rule.is_fault(heard.value):
            self._take(tx, Signal(place=place, rule=rule, heard=heard, modified=modified), changed)

    # -- within ------------------------------------------------------------

    def _index(self, book: Rulebook, day: str, at: int | None = None) -> Indexed:
        """The rules of a day, by the type and the attribute that they look at; see `Rulebook.openings`."""
        tables = book.openings(day, at)
        if not tables:
            return {}
        name = tuple(table.digest for table in tables)
        found = self._indexed.get(name)
        if found is None:
            found = {}
            for table in tables:
                for rule in self._rules_in(table):
                    for type in rule.entity_types:
                        for attribute in rule.attributes:
                            key = (self._expand(type), self._expand(attribute))
                            found.setdefault(key, []).append(rule)
            self._indexed[name] = found
        return found

    def _rules_in(self, table: DecisionTable) -> list[OpeningRule]:
        found = self._read.get(table.digest)
        if found is None:
            found = self._read[table.digest] = opening_rules(table)
        return found

    def _rule_of(self, tx: Transaction, place: Place, at: int) -> OpeningRule | None:
        """The rule of a place as it is in force at a time; None where there is none any more."""
        for table in self._rules.book(tx, place.tenant).openings(day_of(at, self._rules.zone), at):
            if table.id == place.table:
                return next((rule for rule in self._rules_in(table) if rule.row == place.row), None)
        return None

    def _looking(self, tx: Transaction, rule: OpeningRule, place: Place) -> Active | None:
        lon, lat = self._centre
        if rule.during == "night":
            entity = tx.get(place.tenant, place.entity)
            location = None if entity is None else entity.instance(LOCATION)
            lon, lat = point_of(location) or self._centre
        return active_during(rule.during, self._rules.zone, lon, lat)

    def _open(
        self, tx: Transaction, place: Place, rule: OpeningRule, was: Watched, at: int, changed: list[State]
    ) -> Watched:
        latest = self._instance(tx, place, None, before=at + 1)
        if latest and latest not in was.evidence:
            was = replace(was, evidence=(*was.evidence, latest))
        now, opening = open_case(
            rule, was, tenant=place.tenant, entity=place.entity, attribute=place.attribute, at=at
        )
        return replace(now, case=self._opener.open_case(tx, opening))

    def _instance(
        self, tx: Transaction, place: Place, modified: str | None, before: int | None = None
    ) -> str:
        """The id of the instance that was told at a time, or last before one; "" where history has none."""
        start = None if modified is None else parse_datetime(modified)
        window = Window(
            names=[place.attribute],
            timeproperty="modifiedAt",
            start=start,
            end=before if start is None else start + 1,
            last_n=1,
            dataset_ids=[place.dataset],
        )
        found = tx.instances(place.tenant, place.entity, window).get(place.attribute, [])
        return (found[-1].attribute.instance_id or "") if found else ""

    def _keep(self, tx: Transaction, place: Place, now: Watched | None, changed: list[State]) -> None:
        state = State(place=place, watched=now)
        tx.set_state(place.tenant, WATCHED, place.key, state)
        if now is not None and now.status == "waiting" and now.due is not None:
            tx.set_timer(Timer(consumer=CONSUMER, tenant=place.tenant, key=place.key, due=now.due))
        else:
            tx.cancel_timer(CONSUMER, place.tenant, place.key)
        changed.append(state)

    def _settle(self, changed: Sequence[State]) -> None:
        for state in changed:
            self._remember(state)
        if changed:
            self._timer_set.set()
            self._opener.opened()

    def _remember(self, state: State) -> None:
        name = (state.place.tenant, state.place.entity)
        if state.watched is not None:
            self._active.setdefault(name, {})[state.place.key] = state
            return
        known = self._active.get(name)
        if known is not None:
            known.pop(state.place.key, None)
            if not known:
                del self._active[name]

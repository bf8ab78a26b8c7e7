"""Whatever is written, moved, compacted, deleted: a store with cold tables tells what one without tells."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace

from cityloom.model.clock import SimulatedClock
from cityloom.model.entity import Entity
from cityloom.model.errors import ResourceNotFound
from cityloom.model.history import Instance
from cityloom.model.time import parse_datetime
from cityloom.query.values import TypeIs
from cityloom.store.history_ports import Numbers, Window
from cityloom.store.ports import Snapshot, Store, Transaction
from cityloom.store.postgres import PostgresStore
from cityloom.store.sqlite import SqliteStore
from cityloom.store.tables.tiering.mover import Mover
from tests.laws.conftest import START
from tests.laws.values import CAUSE, HOUR, LEVEL, RUN, SENSOR, STATE, do, prop, reading
from tests.postgres import server

T = TypeVar("T")
IDS = [f"urn:ngsi-ld:Sensor:{number}" for number in range(2)]
TENANTS = ["", "a/b 'c'"]
DAY = 24 * HOUR
BEGIN = START - 60 * DAY
"""Where the stamps of a series begin: two months before anything is written."""
NAMES = [LEVEL, STATE]

ids = st.sampled_from(IDS)
tenants = st.sampled_from(["", "", "", TENANTS[1]])
days = st.sampled_from([0, 1, 2, 3, 33, 34])
"""Few, so that the same instance comes again; in two months."""
times = days.map(lambda day: BEGIN + day * DAY)
datasets = st.sampled_from(["", "", "urn:d:1"])
values = st.sampled_from([1, 2, 2.5, -0.0, 2**53 + 1, 2**70, "on", "", True, None, {"a": [1]}, [3]])
readings = st.builds(
    lambda value, time, occurrence, dataset, foreign: reading(
        value,
        time,
        occurrence,
        dataset_id=dataset,
        instance_id=f"urn:mine:{foreign}" if foreign else None,
    ),
    values,
    times,
    st.sampled_from([0, 0, 0, 1]),
    datasets,
    st.sampled_from([0, 0, 0, 0, 1, 2]),
)


plain_readings = st.tuples(values.filter(lambda value: value is not None), times, datasets)


def past_rows(id: str, instances: list[Instance]) -> pl.DataFrame:
    """Rows as `bring` takes them."""
    told = []
    for one in instances:
        value = one.attribute.value
        number = type(value) in (int, float) and abs(value) < 2**63
        text = None if number and abs(value) <= 2**53 else json.dumps(value)
        told.append(
            {
                "entityId": id,
                "type": SENSOR,
                "attribute": one.name,
                "time": parse_datetime(one.attribute.observed_at or ""),
                "datasetId": one.attribute.dataset_id or None,
                "unitCode": None,
                "number": float(value) if number else None,
                "whole": type(value) is int and number,
                "json": text,
                "occurrence": one.occurrence,
                "row": one.row,
            }
        )
    texts = dict.fromkeys(("datasetId", "unitCode", "json"), pl.String)
    return pl.DataFrame(told, schema_overrides={**texts, "number": pl.Float64}, infer_schema_length=None)


class Killed(Exception):
    """What stops a change of the tables half way."""


class TierMachine(RuleBasedStateMachine):
    """Does the same to both, and moves things about in one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = SimulatedClock(START)
        self.hot = SqliteStore(self.folder / "hot.db", self.clock)
        self.mover = self.open()

    def open(self) -> Mover:
        """Opens the store with tables; what moves them, in small steps."""
        self.cold = self.new_store()
        assert isinstance(self.cold.cold, Mover)
        self.cold.cold._most = 5
        return self.cold.cold

    def new_store(self) -> Store:
        return SqliteStore(self.folder / "cold.db", self.clock)

    def teardown(self) -> None:
        self.hot.close()
        self.cold.close()
        shutil.rmtree(self.folder)

    # -- what is done to both ----------------------------------------------------

    @rule(tenant=tenants, id=ids, instances=st.lists(readings, min_size=1, max_size=8), named=st.booleans())
    def append(self, tenant: str, id: str, instances: list[Any], named: bool) -> None:
        """A chunk of a series, late as it may be; with a source, one that comes again is known."""
        from cityloom.model.history import HistoryAppend

        chunk = HistoryAppend(entity_id=id, types=[SENSOR], instances=instances)
        self._both(lambda tx: tx.append_history(tenant, chunk, RUN if named else CAUSE) is None)

    @rule(tenant=tenants, id=ids, value=values, day=days, observed=st.booleans(), dataset=datasets)
    def write(self, tenant: str, id: str, value: Any, day: int, observed: bool, dataset: str) -> None:
        """A change of state, of an entity that is made, or made again, where it is not there."""
        stamp = reading(value, BEGIN + day * DAY).attribute.observed_at if observed else None
        attribute = prop(value, observed_at=stamp, dataset_id=dataset)
        entity = Entity(id=id, types=[SENSOR], attributes={LEVEL: [attribute], STATE: [prop(day)]})
        self._both(lambda tx: tx.write_entity(tenant, tx.get(tenant, id), entity, CAUSE) is None)

    @rule(tenant=tenants, id=ids)
    def delete_entity(self, tenant: str, id: str) -> None:
        self._both(lambda tx: tx.write_entity(tenant, tx.get(tenant, id), None, CAUSE) is None)

    @rule(tenant=tenants, id=ids, place=st.integers(0, 30), value=values, day=st.none() | days)
    def replace(self, tenant: str, id: str, place: int, value: Any, day: int | None) -> None:
        """An instance is corrected, perhaps moved to another time."""
        chosen = self._instance(tenant, id, place)
        if chosen is None:
            return
        stamp = chosen.attribute.observed_at
        if day is not None:
            stamp = reading(0, BEGIN + day * DAY + 1).attribute.observed_at
        attribute = replace(chosen.attribute, value=value, observed_at=stamp, deleted_at=None)
        changed = replace(chosen, attribute=attribute)
        self._both(lambda tx: tx.replace_instance(tenant, id, changed, CAUSE).count)

    @rule(tenant=tenants, id=ids, place=st.integers(0, 30))
    def delete_instance(self, tenant: str, id: str, place: int) -> None:
        chosen = self._instance(tenant, id, place)
        if chosen is not None:
            identity = chosen.attribute.instance_id
            self._both(
                lambda tx: tx.delete_history(tenant, id, CAUSE, name=chosen.name, instance_id=identity).count
            )

    @rule(tenant=tenants, id=ids, name=st.sampled_from([*NAMES, None]), dataset=st.none() | datasets)
    def delete_history(self, tenant: str, id: str, name: str | None, dataset: str | None) -> None:
        self._both(
            lambda tx: (
                tx.delete_history(
                    tenant, id, CAUSE, name=name, dataset_id=None if name is None else dataset
                ).count
            )
        )

    @rule(tenant=tenants, before=times)
    def expire(self, tenant: str, before: int) -> None:
        """All that is too old goes, in calls of a bounded size."""
        gone = []
        for store in (self.hot, self.cold):
            count = 0
            while some := do(store, lambda tx: tx.expire_history(tenant, SENSOR, before, 4)):
                count += some
            gone.append(count)
        assert gone[0] == gone[1]

    @rule(tenant=tenants, id=ids, told=st.lists(plain_readings, min_size=1, max_size=8))
    def bring(self, tenant: str, id: str, told: list[tuple[Any, int, str]]) -> None:
        """Rows of a source straight into the tables: as if they had been appended."""
        from cityloom.model.history import HistoryAppend

        seen: Counter[tuple[int, str]] = Counter()
        instances = []
        for row, (value, time, dataset) in enumerate(told):
            instances.append(reading(value, time, seen[time, dataset], row, dataset_id=dataset))
            seen[time, dataset] += 1
        self.clock.advance(10)
        brought = self.mover.bring(tenant, past_rows(id, instances), RUN)
        if brought.new:
            with self.cold.snapshot() as snapshot:
                (event,) = snapshot.events(snapshot.last_seq() - 1)
            assert (event.kind, event.entity_id, event.count) == ("historyAppended", id, brought.new)
            self.clock.advance((event.at - self.clock.now()) / 1_000_000)
        chunk = HistoryAppend(entity_id=id, types=[SENSOR], instances=instances)
        event = do(self.hot, lambda tx: tx.append_history(tenant, chunk, RUN))
        assert (0 if event is None else event.count) == brought.new
        assert brought.known == len(told) - brought.new

    # -- what is done to the tables ------------------------------------------------

    @rule(before=times | st.just(START + DAY))
    def move(self, before: int) -> None:
        self.mover.move(before)

    @rule(few=st.integers(1, 3))
    def compact(self, few: int) -> None:
        self.mover.compact(few)

    @rule()
    def vacuum(self) -> None:
        self.mover.vacuum(0)

    @rule()
    def reopen(self) -> None:
        self.cold.close()
        self.mover = self.open()

    @rule(
        method=st.sampled_from(["append", "replace", "restore"]),
        before=times,
        late=st.booleans(),
        data=st.data(),
    )
    def stop_half_way(self, method: str, before: int, late: bool, data: st.DataObject) -> None:
        """A change of the tables ends before or after its commit to them, or others write meanwhile."""
        tables = self.mover._tables
        whole: Callable[..., int] = getattr(tables, method)
        dies = data.draw(st.booleans())

        def part(*arguments: Any) -> int:
            version = whole(*arguments) if late or not dies else -1
            if dies:
                raise Killed
            delattr(tables, method)
            self._meanwhile(data)
            return version

        setattr(tables, method, part)
        try:
            self.mover.move(before)
            self.mover.compact()
        except Killed:
            pass
        finally:
            tables.__dict__.pop(method, None)

    def _meanwhile(self, data: st.DataObject) -> None:
        for _ in range(data.draw(st.integers(1, 3))):
            tenant, id, place = data.draw(tenants), data.draw(ids), data.draw(st.integers(0, 30))
            match data.draw(st.integers(0, 5)):
                case 0:
                    self.append(tenant, id, data.draw(st.lists(readings, min_size=1, max_size=8)), True)
                case 1:
                    self.replace(tenant, id, place, 7, data.draw(st.none() | days))
                case 2:
                    self.delete_instance(tenant, id, place)
                case 3:
                    self.delete_history(tenant, id, data.draw(st.sampled_from([LEVEL, STATE, None])), None)
                case 4:
                    self.expire(tenant, data.draw(times))
                case 5:
                    self.delete_entity(tenant, id)

    # -- what must hold --------------------------------------------------------------

    @invariant()
    def both_tell_the_same(self) -> None:
        for look in (self._histories, self._layers):
            with self.hot.snapshot() as hot, self.cold.snapshot() as cold:
                for told, expected in zip(look(cold), look(hot), strict=True):
                    assert told == expected, (told, expected)

    def _histories(self, snapshot: Snapshot) -> Any:
        """All of one evolution, chosen by the clock, and the instances of the others."""
        chosen = self.clock.now() // 10_000_000 % (len(IDS) * len(TENANTS))
        windows = [
            Window(),
            Window(last_n=2),
            Window(first_n=3, start=BEGIN + 3 * DAY),
            Window(start=BEGIN + 5 * DAY, end=BEGIN + 20 * DAY, with_repeats=False),
            Window(names=[LEVEL], numbers=Numbers(low=2), dataset_ids=[""]),
            Window(timeproperty="modifiedAt", last_n=3),
            Window(timeproperty="deletedAt"),
        ]
        for tenant in TENANTS:
            yield snapshot.history_entities(tenant)
            yield [one.id for one in snapshot.history_entities(tenant, types=TypeIs(SENSOR), attrs=[LEVEL])]
            for id in IDS:
                full = chosen == TENANTS.index(tenant) * len(IDS) + IDS.index(id)
                for window in windows if full else windows[:1]:
                    yield snapshot.instances(tenant, id, window)
                    yield snapshot.count_observed(tenant, id, window)
                if not full:
                    continue
                yield snapshot.count_numbers(tenant, id, windows[4])
                yield snapshot.origins(tenant, id, Window(last_n=3))
                found = snapshot.instances(tenant, id, Window())
                known = [one.attribute.instance_id or "" for many in found.values() for one in many]
                yield snapshot.known_instances(tenant, id, [*known, "urn:mine:1", "urn:mine:2"])

    def _layers(self, snapshot: Snapshot) -> Any:
        for tenant in TENANTS:
            for day in (2, 70):
                yield snapshot.latest_before(tenant, SENSOR, NAMES, BEGIN + day * DAY)
            for limit in (3, 1000):
                yield snapshot.instances_between(tenant, SENSOR, NAMES, BEGIN - 1, BEGIN + 30 * DAY, limit)

    def _instance(self, tenant: str, id: str, place: int) -> Any:
        with self.hot.snapshot() as snapshot:
            found = [one for many in snapshot.instances(tenant, id, Window()).values() for one in many]
        return found[place % len(found)] if found else None

    def _both(self, work: Callable[[Transaction], Any]) -> None:
        # Works of a move take time, too: this work is at the same time in both.
        self.clock.advance(10)
        results = []
        for store in (self.hot, self.cold):
            try:
                results.append(do(store, work))
            except ResourceNotFound as error:
                results.append(str(error))
        assert results[0] == results[1]


class PostgresTierMachine(TierMachine):
    """The same with the tables of a database."""

    def new_store(self) -> Store:
        if not self.url:
            self.url = server().database()
        return PostgresStore(self.url, self.clock, cold=str(self.folder / "history"))

    url = ""


def run_machine(examples: int, steps: int, machine: type[RuleBasedStateMachine] = TierMachine) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=examples < 100
        ),
    )


def test_a_store_with_cold_tables_tells_what_one_without_tells() -> None:
    run_machine(8, 20)


def test_a_database_with_cold_tables_tells_what_a_file_without_tells() -> None:
    run_machine(4, 20, PostgresTierMachine)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_database_with_cold_tables_tells_what_a_file_without_tells_after_many_works() -> None:
    run_machine(100, 50, PostgresTierMachine)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_store_with_cold_tables_tells_what_one_without_tells_after_very_many_works() -> None:
    run_machine(300, 50)

"""Law: whatever happens, the store says what a plain Python model says, and the log tells the same story."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace

from cityloom.model.entity import LOCATION, NULL, Attribute, Entity
from cityloom.model.errors import Conflict
from cityloom.model.events import Event
from cityloom.model.history import HistoryAppend
from cityloom.query.values import GeoQuery, Query, TypeIs
from cityloom.store.history_ports import Window
from cityloom.store.ports import Store, Transaction
from tests.laws.conftest import HOMES, START, TIERED
from tests.laws.values import CAUSE, HOUR, LAMP, LEVEL, RUN, SENSOR, STATE, do, point, prop, reading, see

IDS = ["urn:ngsi-ld:X:1", "urn:ngsi-ld:X:2", "urn:ngsi-ld:X:3"]
TENANTS = ["", "t"]
SERIES = START + 500_000
"""Stamps of a series, which are never times of works."""

WORLD = [[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]
AROUND = GeoQuery(georel="intersects", geometry={"type": "Polygon", "coordinates": [WORLD]})

Key = tuple[str, str]
keys = st.tuples(st.sampled_from(TENANTS), st.sampled_from(IDS))
values = st.one_of(st.integers(-5, 5), st.sampled_from(["on", 1.5, True, {"a": [1]}]))
attributes = st.fixed_dictionaries(
    {},
    optional={
        STATE: st.lists(values, min_size=1, max_size=2).map(
            lambda found: [prop(value, dataset_id=f"urn:d:{n}" if n else "") for n, value in enumerate(found)]
        ),
        LEVEL: values.map(lambda value: [prop(value)]),
        LOCATION: st.tuples(st.integers(-9, 9), st.integers(-9, 9)).map(lambda at: [point(*at)]),
    },
)
entities = st.builds(
    lambda types, scopes, found: Entity(types=types, scopes=scopes, attributes=found),
    st.sampled_from([[LAMP], [SENSOR], [LAMP, SENSOR]]),
    st.sampled_from([[], ["/a"], ["/a", "/b"]]),
    attributes,
)
writes = st.tuples(keys, st.one_of(st.none(), entities))


class Stop(Exception):
    """What a failing work raises."""


class StoreMachine(RuleBasedStateMachine):
    """Runs works against a store and a model of it."""

    kind = ""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.home = TIERED[self.kind](self.folder)
        self.store: Store = self.home.open()
        self.state: dict[Key, Entity] = {}
        # by entity, then attribute: (time, order of writing, value), of the latest life
        self.past: dict[Key, dict[str, list[tuple[int, int, Any]]]] = {}
        self.ended: set[Key] = set()
        self.series: set[tuple[Key, int, int, int]] = set()
        self.lives: Counter[Key] = Counter()
        self.replica: dict[Key, Entity] = {}
        self.replayed = 0
        self.marks: dict[str, int] = {}
        self.written = 0

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    # -- works ---------------------------------------------------------------

    @rule(batch=st.lists(writes, min_size=1, max_size=4))
    def write(self, batch: list[tuple[Key, Entity | None]]) -> None:
        """One work with several entities."""
        for (key, _), event in zip(batch, do(self.store, self._writing(batch)), strict=True):
            self._note(key, event)

    @rule(batch=st.lists(writes, min_size=1, max_size=4), count=st.integers(1, 4))
    def write_failing(self, batch: list[tuple[Key, Entity | None]], count: int) -> None:
        """Works that do much and then fail."""
        work = self._writing(batch)

        def failing(tx: Transaction) -> None:
            work(tx)
            tx.write_entity("lost tenant", None, Entity(id="urn:lost", types=["urn:lost-type"]), CAUSE)
            tx.append_history(
                "", HistoryAppend(entity_id=IDS[0], types=[LAMP], instances=[reading(1, 1)]), RUN
            )
            tx.move_cursor("lost", 1)
            raise Stop

        futures = [self.store.submit(failing) for _ in range(count)]
        assert all(isinstance(future.exception(30), Stop) for future in futures)

    @rule(batches=st.lists(st.tuples(st.booleans(), writes), min_size=2, max_size=6))
    def write_together(self, batches: list[tuple[bool, tuple[Key, Entity | None]]]) -> None:
        """Many works at once, some of which fail."""
        futures = []
        for fails, write in batches:
            work = self._writing([write])

            def run(tx: Transaction, work: Any = work, fails: bool = fails) -> Event | None:
                (event,) = work(tx)
                if fails:
                    raise Stop
                return event

            futures.append(self.store.submit(run))
        for (fails, (key, _)), future in zip(batches, futures, strict=True):
            if fails:
                assert isinstance(future.exception(30), Stop)
            else:
                self._note(key, future.result(30))

    @rule(key=keys, times=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), values), max_size=5))
    def append(self, key: Key, times: list[tuple[int, int, Any]]) -> None:
        """A chunk of a series."""
        instances = [reading(value, SERIES + hour * HOUR, occurrence) for hour, occurrence, value in times]
        chunk = HistoryAppend(entity_id=key[1], types=[SENSOR], instances=instances)
        event = do(self.store, lambda tx: tx.append_history(key[0], chunk, RUN))
        began = key not in self.past
        if began:
            self.past[key] = {}
            self.lives[key] += 1
        new = 0
        for hour, occurrence, value in times:
            told = (key, self.lives[key], hour, occurrence)
            if told not in self.series:
                self.series.add(told)
                new += 1
                self.past[key].setdefault(LEVEL, []).append((SERIES + hour * HOUR, occurrence, value))
        assert (event is None) == (new == 0 and not began)
        if event is not None:
            assert event.count == new
            self._count(event)

    @rule(key=keys, entity=entities)
    def write_what_is_not_there(self, key: Key, entity: Entity) -> None:
        """A write that expects another state is refused."""
        wrong = replace(entity, id=key[1], created_at="never")
        future = self.store.submit(lambda tx: tx.write_entity(key[0], wrong, entity, CAUSE))
        assert isinstance(future.exception(30), Conflict)

    @rule(consumer=st.sampled_from(["a", "b"]), keep=st.integers(0, 3))
    def follow_and_trim(self, consumer: str, keep: int) -> None:
        """A consumer comes up to date, and the log is trimmed."""
        self._replay()
        self.marks[consumer] = self.replayed
        do(self.store, lambda tx: tx.move_cursor(consumer, self.replayed))
        do(self.store, lambda tx: tx.trim_log(keep))

    @rule(back=st.booleans())
    def move_clock(self, back: bool) -> None:
        self.home.clock.advance(-7.0 if back else 3.0)

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = self.home.open()

    # -- what must hold --------------------------------------------------------

    @invariant()
    def state_is_as_modelled(self) -> None:
        with self.store.snapshot() as snapshot:
            found = {
                (tenant, entity.id): entity for tenant in TENANTS for entity in snapshot.scan(tenant, Query())
            }
            assert found == self.state
            assert "lost tenant" not in snapshot.tenants()
            assert snapshot.last_seq() == self.written
            assert dict(snapshot.cursors()) == self.marks
        assert self.store.stats()["entities"] == len(self.state)

    @invariant()
    def counts_are_as_modelled(self) -> None:
        for tenant in TENANTS:
            mine = [entity for key, entity in self.state.items() if key[0] == tenant]
            types = Counter(type for entity in mine for type in entity.types)
            uses = Counter(
                (type, name) for entity in mine for type in entity.types for name in entity.attributes
            )
            with self.store.snapshot() as snapshot:
                assert {each.type: each.count for each in snapshot.type_counts(tenant)} == types
                assert {(use.type, use.name): use.count for use in snapshot.attribute_uses(tenant)} == uses
                for layer in snapshot.layers(tenant):
                    places = [
                        entity.attributes[LOCATION][0].value["coordinates"]  # type: ignore[index]
                        for entity in mine
                        if layer.type in entity.types and LOCATION in entity.attributes
                    ]
                    assert sum(layer.geometries.values()) == len(places)
                    lons, lats = [place[0] for place in places], [place[1] for place in places]
                    box = (min(lons), min(lats), max(lons), max(lats)) if places else None
                    assert layer.bbox == box
                    within = Query(types=TypeIs(layer.type), geo=AROUND)
                    assert snapshot.count(tenant, within) == len(places)

    @invariant()
    def history_is_as_modelled(self) -> None:
        with self.store.snapshot() as snapshot:
            for (tenant, entity_id), past in self.past.items():
                known = snapshot.history_entity(tenant, entity_id)
                assert known is not None
                assert (known.deleted_at is not None) == ((tenant, entity_id) in self.ended)
                found = snapshot.instances(tenant, entity_id, Window())
                ids = [each.attribute.instance_id or "" for many in found.values() for each in many]
                assert len(set(ids)) == len(ids)
                assert snapshot.known_instances(tenant, entity_id, ids) == set(ids)
                for name, instances in past.items():
                    expected = [value for _, _, value in sorted(instances, key=lambda item: item[:2])]
                    assert [each.attribute.value for each in found[name]] == expected

    @invariant()
    def the_log_tells_the_same_story(self) -> None:
        self._replay()
        assert self.replica == self.state

    # -- the model -----------------------------------------------------------

    def _writing(self, batch: list[tuple[Key, Entity | None]]) -> Any:
        def work(tx: Transaction) -> list[Event | None]:
            events = []
            for (tenant, entity_id), entity in batch:
                after = replace(entity, id=entity_id) if entity is not None else None
                events.append(tx.write_entity(tenant, tx.get(tenant, entity_id), after, CAUSE))
            return events

        return work

    def _note(self, key: Key, event: Event | None) -> None:
        """Takes a change into the model, from what the event says of it."""
        if event is None:
            return
        self._count(event)
        apply(self.state, event)
        if event.kind == "entityCreated" and (key not in self.past or key in self.ended):
            self.past[key] = {}
            self.ended.discard(key)
            self.lives[key] += 1
        if event.kind == "entityDeleted":
            assert event.before is not None
            self.ended.add(key)
            for name, instances in event.before.attributes.items():
                for _ in instances:
                    self.past[key].setdefault(name, []).append((event.at, event.seq, NULL))
            return
        for change in event.changes:
            value = change.after.value if change.after is not None else NULL
            self.past[key].setdefault(change.name, []).append((event.at, event.seq, value))

    def _count(self, event: Event) -> None:
        self.written += 1
        assert event.seq == self.written

    def _replay(self) -> None:
        for event in see(self.store, lambda snapshot: snapshot.events(self.replayed, 10_000)):
            assert event.seq == self.replayed + 1
            apply(self.replica, event)
            self.replayed = event.seq


def apply(state: dict[Key, Entity], event: Event) -> None:
    """Applies an event to a copy of the state, as any consumer could."""
    key = event.tenant, event.entity_id
    if event.kind == "entityDeleted":
        assert state.pop(key) == event.before
    if event.kind not in ("entityCreated", "entityUpdated"):
        return
    before = state.get(key)
    found: dict[str, list[Attribute]] = {
        name: list(instances) for name, instances in (before.attributes if before else {}).items()
    }
    for change in event.changes:
        instances = found.setdefault(change.name, [])
        kept = [each for each in instances if each.dataset_id != change.dataset_id]
        assert ([each for each in instances if each not in kept] or [None]) == [change.before]
        found[change.name] = sorted(
            [*kept, *([change.after] if change.after else [])], key=lambda each: each.dataset_id
        )
    state[key] = Entity(
        id=event.entity_id,
        types=event.types,
        scopes=event.scopes,
        attributes={name: instances for name, instances in found.items() if instances},
    )


def run_machine(kind: str, examples: int, steps: int) -> None:
    machine = type("Machine", (StoreMachine,), {"kind": kind})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=examples < 100
        ),
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", [*sorted(HOMES), pytest.param("tiered", marks=pytest.mark.soak)])
def test_store_and_model_agree_after_any_works(kind: str) -> None:
    run_machine(kind, 10, 20)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", sorted(HOMES))
def test_store_and_model_agree_after_very_many_works(kind: str) -> None:
    # Each step asks a server some twenty times.
    run_machine(kind, 200 if kind == "postgres" else 1000, 50)

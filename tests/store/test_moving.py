"""A city moved from its file into a database is the same city, and goes on."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import apsw
import pytest

from cityloom.model.clock import SimulatedClock
from cityloom.model.entity import LOCATION
from cityloom.model.errors import ConfigurationError, StoreFailed
from cityloom.query.values import Query, TypeIs
from cityloom.store import moving
from cityloom.store.history_ports import Numbers, Window
from cityloom.store.log_ports import Delivery, Timer
from cityloom.store.moving import move_to_postgres
from cityloom.store.ports import Snapshot, Store, Transaction
from cityloom.store.postgres import PostgresStore
from cityloom.store.sqlite import SqliteStore
from cityloom.store.tables.snapshot import TablesTransaction
from cityloom.store.tables.tiering.changes import begin
from cityloom.store.tables.tiering.status import cold_status, count_cold
from tests.laws.conftest import START
from tests.laws.tiered import LATER
from tests.laws.values import (
    CAUSE,
    HOUR,
    LAMP,
    LEVEL,
    RUN,
    SENSOR,
    STATE,
    append,
    do,
    lamp,
    placed_lamp,
    point,
    prop,
    put,
    reading,
    remove,
    see,
)
from tests.postgres import Server, server

NAME = "https://uri.etsi.org/ngsi-ld/default-context/name"
VALUES: list[Any] = [1, -2.5, 2**70, "text", "nul \0", True, None, [1, "x"], {"a": {"b": 1.5}}]
FAR = (0.1 + 0.2, -33.123456789)


@pytest.fixture
def place() -> Server:
    return server()


@pytest.fixture
def url(place: Server) -> str:
    return place.database()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A city in which something stands in every table."""
    path = tmp_path / "city.db"
    store = SqliteStore(path, SimulatedClock(START))
    fill(store)
    store.close()
    return path


def fill(store: Store) -> None:
    put(store, placed_lamp(1, *FAR, scopes=["/a/b"]), row=3, cause=RUN)
    put(
        store,
        lamp(2, types=[LAMP, SENSOR], attributes={LOCATION: [point(1, 2)], NAME: [prop({"en": "Two"})]}),
    )
    put(store, lamp(3, attributes={NAME: [prop("Three")], STATE: [prop("on", dataset_id="urn:d")]}), "t")
    put(store, lamp(4, 7))
    put(store, lamp(7, 2.5))
    append(store, lamp(4).id, *(reading(value, START + n * HOUR) for n, value in enumerate(VALUES)))
    append(store, "urn:past", reading(7, START, instance_id="urn:mine"), types=(SENSOR,))
    put(store, lamp(5))
    remove(store, lamp(5).id)

    def rest(tx: Transaction) -> None:
        tx.put_document("", "subscription", "urn:s", {"a": [1]}, CAUSE)
        tx.put_delivery(Delivery(id="d", tenant="t", subscription="urn:s", seq=1, body=[1], due=5))
        tx.set_timer(Timer(consumer="c", tenant="", key="k", due=9, body={"x": None}))
        tx.move_cursor("maps", 2)
        tx.put_personal("", lamp(1).id, {"name": "Ada"}, CAUSE)
        tx.read_personal("", lamp(1).id, "clerk", "call")
        tx.expire_history("", LAMP, START - 1, 10)

    do(store, rest)
    put(store, lamp(6))
    do(store, lambda tx: tx.delete_history("", lamp(6).id, CAUSE))


def whole(snapshot: Snapshot) -> Any:
    """All that a city tells."""
    return [
        [(tenant, list(snapshot.scan(tenant, Query()))) for tenant in snapshot.tenants()],
        snapshot.events(0),
        [snapshot.layers(tenant) for tenant in snapshot.tenants()],
        [snapshot.attribute_uses(tenant) for tenant in snapshot.tenants()],
        [
            (
                known,
                snapshot.instances(tenant, known.id, Window()),
                snapshot.origins(tenant, known.id, Window()),
            )
            for tenant in snapshot.tenants()
            for known in snapshot.history_entities(tenant)
        ],
        snapshot.count_numbers("", lamp(4).id, Window(names=[LEVEL], numbers=Numbers(low=0))),
        [snapshot.documents(tenant, "subscription") for tenant in snapshot.tenants()],
        snapshot.deliveries_due(99, 9),
        snapshot.timers_due("c", 99),
        snapshot.cursors(),
        snapshot.points("", LAMP, (-180, -90, 180, 90), [STATE]),
        snapshot.points("t", LAMP, (-180, -90, 180, 90)),
        [
            snapshot.search(tenant, text, 9)
            for tenant in snapshot.tenants()
            for text in ("two", "th", "lamp:00")
        ],
        [snapshot.changed("", type, None) for type in (LAMP, SENSOR)],
    ]


def test_a_moved_city_tells_the_same_and_goes_on(path: Path, url: str) -> None:
    shares: list[float] = []
    moved = {each.table: each for each in move_to_postgres(path, url, SimulatedClock(START), shares.append)}
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    old = SqliteStore(path, SimulatedClock(START))
    new = PostgresStore(url, SimulatedClock(START), cold=str(path.with_name("tables")))
    assert see(new, whole) == see(old, whole)
    assert moved["entity"].rows == 6
    assert moved["place"].rows == 3  # one of two types has two
    empty = [each.table for each in moved.values() if not each.rows]
    # What each store says of its own tables, and who does what in a node that has ended.
    assert [table for table in empty if not table.startswith("cold")] == ["lease"]
    readings = [do(store, lambda tx: tx.personal_readings("", lamp(1).id)) for store in (old, new)]
    assert readings[0] == readings[1] != []
    for store in (old, new):
        put(store, placed_lamp(9, 5, 5, types=["urn:new-type"]), "new tenant")
        do(store, lambda tx: tx.read_personal("", lamp(1).id, "clerk", "again"))
        put(store, lamp(4, "off"))
        remove(store, lamp(1).id)
    assert see(new, whole) == see(old, whole)
    assert see(new, lambda snapshot: snapshot.count("new tenant", Query(types=TypeIs("urn:new-type")))) == 1
    assert new.cold is not None
    assert new.cold.move(LATER) > 0
    assert see(new, whole) == see(old, whole)
    old.close()
    new.close()


def test_a_city_is_moved_into_an_empty_database_alone(path: Path, url: str) -> None:
    store = PostgresStore(url, SimulatedClock(START))
    put(store, lamp(1))
    store.close()
    with pytest.raises(ConfigurationError, match="holds a city already"):
        move_to_postgres(path, url, SimulatedClock(START))


def test_a_city_that_a_node_has_open_is_not_moved(path: Path, place: Server) -> None:
    store = SqliteStore(path, SimulatedClock(START))
    with pytest.raises(ConfigurationError, match="already in use"):
        move_to_postgres(path, place.database(), SimulatedClock(START))
    store.close()
    other = PostgresStore(place.url("city"), SimulatedClock(START))
    with pytest.raises(ConfigurationError, match="another node has it open"):
        move_to_postgres(path, place.url("city"), SimulatedClock(START))
    other.close()


def test_what_is_read_back_otherwise_is_told_and_nothing_is_moved(
    path: Path, place: Server, url: str
) -> None:
    PostgresStore(url, SimulatedClock(START)).close()
    place.execute(
        "city",
        "CREATE FUNCTION cityloom.meddle() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.west := NEW.west + 1e-9; RETURN NEW; END $$;"
        "CREATE TRIGGER meddle BEFORE INSERT ON cityloom.place"
        " FOR EACH ROW EXECUTE FUNCTION cityloom.meddle()",
    )
    with pytest.raises(StoreFailed, match="the table place was not moved: 3 rows"):
        move_to_postgres(path, url, SimulatedClock(START))
    assert place.fetch("city", "SELECT count(*) FROM cityloom.event") == [(0,)]


def test_what_only_the_file_has_is_told(path: Path, url: str) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE later (x); CREATE TABLE empty (x); INSERT INTO later VALUES (1)")
    connection.execute("ALTER TABLE timer ADD COLUMN zone")
    connection.close()
    with pytest.raises(ConfigurationError, match=r"be moved: later, timer\.zone stand on one side alone"):
        move_to_postgres(path, url, SimulatedClock(START))


def cool(path: Path) -> None:
    """Moves the history of a city to the tables, but for what is written then; some of it went since."""
    with closing(SqliteStore(path, SimulatedClock(START))) as store:
        put(store, lamp(8, 1), "t")
        put(store, lamp(8, 2), "t")
        put(store, lamp(8, 1), "gone")
        assert store.cold.move(LATER) > 10
        append(store, lamp(4).id, reading("corrected", START + HOUR), reading("new", START + 99 * HOUR))
        do(store, lambda tx: tx.delete_history("t", lamp(8).id, CAUSE, name=STATE))
        while do(store, lambda tx: tx.forget_tenant("gone")):
            pass
        do(store, lambda tx: begin(cast(TablesTransaction, tx), None, see(store, cold_status).version))


def test_a_city_with_history_in_the_cold_tables_is_moved_with_them(path: Path, url: str) -> None:
    cool(path)
    tables = str(path.with_name("history"))
    with closing(SqliteStore(path, SimulatedClock(START))) as old:
        before, status = see(old, whole), see(old, cold_status)
    assert status.instances > 10
    assert status.hidden > 1
    moved = move_to_postgres(path, url, SimulatedClock(START))
    assert moved[-1].table == moving.COLD_TABLES
    assert moved[-1].rows == status.instances
    old, new = (
        SqliteStore(path, SimulatedClock(START)),
        PostgresStore(url, SimulatedClock(START), cold=tables),
    )
    assert see(new, whole) == see(old, whole) == before
    assert see(new, cold_status) == status
    for store in (old, new):
        put(store, lamp(4, "later"))
        append(store, lamp(4).id, reading("again", START + 2 * HOUR))
    assert see(new, whole) == see(old, whole)
    # The tables have one owner: the file reads on and changes nothing.
    with pytest.raises(ConfigurationError, match="another city's"):
        old.cold.move(LATER)
    assert new.cold is not None
    assert new.cold.move(LATER) > 0
    assert new.cold.compact() > 0
    assert see(new, whole) == see(old, whole)
    assert see(new, count_cold) == see(new, cold_status).instances
    old.close()
    new.close()


@pytest.mark.parametrize("damage", ["spoiled", "missing"])
def test_tables_that_do_not_hold_what_they_should_are_not_moved(
    damage: str, path: Path, place: Server, url: str
) -> None:
    cool(path)
    file = next(path.parent.glob("history/instances/*/*/*.parquet"))
    if damage == "missing":
        file.unlink()
    else:
        spoiled = bytearray(file.read_bytes())
        spoiled[len(spoiled) // 2] ^= 1
        file.write_bytes(spoiled)
    said = "is missing" if damage == "missing" else "holds other bytes than were written"
    with pytest.raises(StoreFailed, match=f"{file.name} in .* {said}"):
        move_to_postgres(path, url, SimulatedClock(START))
    assert place.fetch("city", "SELECT to_regclass('cityloom.event')") == [(None,)]


_KILLED = """
import os, sys
from pathlib import Path
from cityloom.model.clock import SimulatedClock
from cityloom.store.moving import move_to_postgres
path, url, start, share = sys.argv[1:]
clock = SimulatedClock(int(start))
move_to_postgres(Path(path), url, clock, lambda done: done >= float(share) and os._exit(9))
"""


@pytest.mark.parametrize("share", [0.6, 1.0])
def test_a_move_that_was_killed_can_be_made_again(share: float, path: Path, place: Server, url: str) -> None:
    cool(path)
    with closing(SqliteStore(path, SimulatedClock(START))) as old:
        before = see(old, whole)
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, path, url, str(START), str(share)], check=False, capture_output=True
    )
    assert killed.returncode == 9, killed.stderr
    with closing(SqliteStore(path, SimulatedClock(START))) as old:
        assert see(old, whole) == before
    (events,) = place.fetch("city", "SELECT count(*) FROM cityloom.event")[0]
    assert (events > 0) == (share == 1.0)  # whole, or not there
    move_to_postgres(path, url, SimulatedClock(START))
    with closing(PostgresStore(url, SimulatedClock(START), cold=str(path.with_name("history")))) as new:
        assert see(new, whole) == before
        put(new, lamp(1, 3))
    with pytest.raises(ConfigurationError, match=r"event (\d+) in .* destroys for good") as told:
        move_to_postgres(path, url, SimulatedClock(START))
    there, here = re.findall(r"(?:event|to) (\d+) in", told.value.detail)
    assert int(there) == int(here) + 1


def test_checksums_tell_every_difference_but_that_of_order() -> None:
    def told(*rows: Any) -> str:
        checksum = moving._Sum()
        checksum.add(rows)
        return checksum.text

    assert told((1, "a"), (2, b"b")) == told((2, b"b"), (1, "a"))
    others = [
        told(),
        told((1, "a")),
        told((1, "a"), (1, "a")),
        told((1.0, "a")),
        told(("1", "a")),
        told((1, b"a")),
    ]
    assert len({*others, told((1, None))}) == 7

"""The server store: what it asks of a server, what it says when that is not there, and what survives."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cityloom.model.clock import SimulatedClock
from cityloom.model.errors import BadRequestData, ConfigurationError, StoreUnreachable
from cityloom.model.events import Cause
from cityloom.model.history import HistoryAppend
from cityloom.query.values import GeoQuery, Query, TypeIs
from cityloom.store.history_ports import Window
from cityloom.store.migrations import migrations
from cityloom.store.ports import Transaction
from cityloom.store.postgres import PostgresStore, examine_postgres, read_postgres
from cityloom.store.postgres.dialect import POSTGRES
from cityloom.store.postgres.session import PostgresSession
from cityloom.store.postgres.statement import statement
from cityloom.store.sql import select_entities
from tests.laws.conftest import START
from tests.laws.tiered import LATER
from tests.laws.values import CAUSE, HOUR, LAMP, do, lamp, placed_lamp, put, reading, see
from tests.postgres import Server, server
from tests.store.test_trouble import until

NEAR_THE_TOP = GeoQuery(
    georel="intersects",
    geometry={"type": "Polygon", "coordinates": [[[9, 9], [9.5, 9], [9.5, 9.5], [9, 9.5], [9, 9]]]},
)


@pytest.fixture
def place() -> Server:
    return server()


@pytest.fixture
def url(place: Server) -> str:
    return place.database()


def open_store(url: str) -> PostgresStore:
    return PostgresStore(url, SimulatedClock(START))


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    store = open_store(url)
    yield store
    store.close()


@pytest.mark.parametrize(
    ("setting", "value"), [("synchronous_commit", "off"), ("fsync", "off"), ("full_page_writes", "off")]
)
def test_a_server_that_would_lose_what_was_answered_is_refused(
    place: Server, url: str, setting: str, value: str
) -> None:
    place.set(setting, value)
    try:
        with pytest.raises(ConfigurationError, match=f"{setting} is off, so that a power cut could"):
            open_store(url)
        with pytest.raises(ConfigurationError, match=setting):
            examine_postgres(url)
    finally:
        place.set(setting, "on")
    open_store(url).close()


def test_the_schema_is_not_changed_under_another_node(store: PostgresStore, place: Server, url: str) -> None:
    place.execute("city", "UPDATE cityloom.meta SET value = '1' WHERE key = 'version'")
    with pytest.raises(ConfigurationError, match="another node has it open"):
        open_store(url)
    put(store, lamp(1))


def test_what_is_wrong_with_an_address_is_told_without_its_password(place: Server) -> None:
    with pytest.raises(ConfigurationError, match="is no postgresql://host/database") as told:
        open_store("mysql://root:secret@db/city")
    assert "secret" not in str(told.value)
    for url, reason in (
        (place.url("nowhere"), "the database does not exist"),
        ("postgresql://root:secret@127.0.0.1:1/city", "it cannot be reached"),
    ):
        with pytest.raises(ConfigurationError, match=reason) as told:
            open_store(url)
        assert "secret" not in str(told.value)


def test_a_database_of_a_newer_version_is_refused_and_left_alone(place: Server, url: str) -> None:
    open_store(url).close()
    newer = len(migrations("postgres")) + 1
    place.execute("city", f"UPDATE cityloom.meta SET value = '{newer}' WHERE key = 'version'")
    with pytest.raises(ConfigurationError, match="newer version of Cityloom"):
        open_store(url)
    with pytest.raises(ConfigurationError, match=f"has schema {newer}"), read_postgres(url):
        pass
    assert place.fetch("city", "SELECT value FROM cityloom.meta WHERE key = 'version'") == [(str(newer),)]


def test_a_lost_connection_fails_what_it_carried_and_is_made_anew(
    store: PostgresStore, place: Server
) -> None:
    put(store, lamp(1))
    assert see(store, lambda snapshot: snapshot.get("", lamp(1).id)) == lamp(1)
    with pytest.raises(StoreUnreachable, match="connection"):
        do(store, lambda tx: (place.break_connections(), tx.get("", lamp(1).id)))
    put(store, lamp(2))
    assert see(store, lambda snapshot: [each.id for each in snapshot.query("", Query())]) == [
        lamp(1).id,
        lamp(2).id,
    ]


async def test_numbers_follow_the_order_of_commits_whoever_commits(store: PostgresStore, url: str) -> None:
    put(store, lamp(1))
    other = await asyncpg.connect(url)
    try:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("SELECT 1 FROM cityloom.pulse FOR UPDATE")
        future = store.submit(lambda tx: tx.write_entity("", None, lamp(2), CAUSE))
        waiting = "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)"
        while not await other.fetchval(waiting):
            await asyncio.sleep(0)
        assert not future.done()
        await other.execute("UPDATE cityloom.pulse SET seq = seq + 5")
        await transaction.commit()
        event = await asyncio.wrap_future(future)
    finally:
        await other.close()
    assert event is not None
    assert event.seq == 7


def test_what_was_answered_survives_a_crash_of_the_server(place: Server, url: str) -> None:
    store = open_store(url)
    with ThreadPoolExecutor(4) as crew:
        list(crew.map(lambda number: put(store, lamp(number)), range(50)))
    place.stop("immediate")
    with pytest.raises(StoreUnreachable):
        put(store, lamp(99))
    place.start()
    until(lambda: not store.trouble)
    put(store, lamp(50))
    assert see(store, lambda snapshot: snapshot.count("", Query())) == 51
    assert [event.seq for event in see(store, lambda snapshot: snapshot.events(0))] == list(range(1, 52))
    store.close()


async def test_erased_and_replaced_personal_data_stand_in_no_page_of_their_table(
    store: PostgresStore, place: Server, url: str
) -> None:
    other = await asyncpg.connect(url)  # whose old snapshot a vacuum would have respected
    try:
        transaction = other.transaction(isolation="repeatable_read")
        await transaction.start()
        await other.fetchval("SELECT count(*) FROM cityloom.entity")
        do(store, lambda tx: tx.put_personal("", "urn:r", {"name": "Ada Byron"}, CAUSE))
        do(store, lambda tx: tx.put_personal("", "urn:s", {"name": "Jane Doe"}, CAUSE))
        assert holds(place, "Ada Byron")
        do(store, lambda tx: tx.put_personal("", "urn:r", {"name": "Ada Lovelace"}, CAUSE))
        do(store, lambda _: None)  # the writer tidies before it takes the next work
        assert [holds(place, name) for name in ("Ada Byron", "Ada Lovelace")] == [False, True]
        assert do(store, lambda tx: tx.erase_personal("", "urn:r", "officer"))
        do(store, lambda _: None)
        assert [holds(place, name) for name in ("Ada Lovelace", "Jane Doe")] == [False, True]
        assert do(store, lambda tx: tx.read_personal("", "urn:s", "clerk", "call")) == {"name": "Jane Doe"}
        await transaction.rollback()
    finally:
        await other.close()


def test_what_a_dead_node_had_erased_is_gone_when_the_next_one_starts(place: Server, url: str) -> None:
    store = open_store(url)
    do(store, lambda tx: tx.put_personal("", "urn:r", {"name": "Ada Byron"}, CAUSE))
    store.close()
    place.execute("city", "DELETE FROM cityloom.personal")
    assert holds(place, "Ada Byron")
    open_store(url).close()
    assert not holds(place, "Ada Byron")


def holds(place: Server, text: str) -> bool:
    """Whether the file of the table holds a text, once the server has written its pages."""
    place.execute("city", "CHECKPOINT")
    ((found,),) = place.fetch(
        "city",
        "SELECT position($1::bytea in pg_read_binary_file(pg_relation_filepath('cityloom.personal'))) > 0",
        text.encode(),
    )
    return bool(found)


def test_a_text_that_the_server_cannot_keep_fails_its_own_work_alone(store: PostgresStore) -> None:
    works = [
        store.submit(lambda tx: tx.write_entity("", None, lamp(1), CAUSE)),
        store.submit(lambda tx: tx.write_entity("", None, lamp(2, scopes=["/a\0b"]), CAUSE)),
        store.submit(lambda tx: tx.write_entity("", None, lamp(3, state="nul \0 in a value"), CAUSE)),
    ]
    assert isinstance(works[1].exception(30), BadRequestData)
    assert [work.exception(30) for work in (works[0], works[2])] == [None, None]
    assert see(store, lambda snapshot: snapshot.get("", lamp(3).id)) == lamp(3, state="nul \0 in a value")


def test_a_place_is_found_in_the_index_that_holds_the_type_too(store: PostgresStore, place: Server) -> None:
    do(
        store,
        lambda tx: [
            tx.write_entity("", None, placed_lamp(n, n % 50 / 5, n // 50 / 5), CAUSE) for n in range(2500)
        ],
    )
    place.execute("city", "ANALYZE")
    query = Query(types=TypeIs(LAMP), geo=NEAR_THE_TOP, limit=1000)
    assert len(see(store, lambda snapshot: snapshot.query("", query))) == 9
    select = select_entities(query, 1, POSTGRES)
    told = statement(select.rows())
    plan = place.explain("city", told.sql, *told.values(select.parameters))
    assert "place_area" in plan
    assert "Index Cond: ((tenant = 1) AND (type = " in plan.replace("p.tenant", "tenant").replace(
        "p.type", "type"
    )


def test_a_database_is_copied_by_its_own_means(store: PostgresStore) -> None:
    with pytest.raises(ConfigurationError, match="pg_dump"):
        store.backup("city.dump")


def test_a_dump_restored_is_the_same_city(store: PostgresStore, place: Server, tmp_path: Path) -> None:
    put(store, placed_lamp(1, 1.5, 2.5, scopes=["/a"]))
    put(store, lamp(2), "t")
    dump = tmp_path / "city.dump"
    dump.write_bytes(place.program("pg_dump", "--format=custom", "--schema=cityloom", place.url("city")))
    put(store, lamp(3))
    again = place.database("again")
    place.program("pg_restore", f"--dbname={again}", str(dump))
    restored = open_store(again)
    assert see(restored, lambda snapshot: list(snapshot.scan("", Query()))) == [
        placed_lamp(1, 1.5, 2.5, scopes=["/a"])
    ]
    event = put(restored, lamp(4))
    assert event is not None
    assert event.seq == 3
    restored.close()


def test_a_user_who_may_not_add_extensions_is_told_which(place: Server) -> None:
    place.execute("postgres", "CREATE ROLE clerk LOGIN")
    place.execute("postgres", "CREATE DATABASE theirs OWNER clerk")
    url = place.url("theirs", "clerk")
    with pytest.raises(ConfigurationError, match="CREATE EXTENSION postgis"):
        open_store(url)
    place.execute("theirs", "CREATE EXTENSION postgis")
    store = open_store(url)
    put(store, placed_lamp(1, 1, 1))
    assert do(store, lambda tx: tx.erase_personal("", lamp(1).id, "officer")) is False
    store.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One for each question that goes to the server."""
    told: list[int] = []
    run = PostgresSession._run

    async def counted(self: PostgresSession, *given: Any) -> Any:
        told.append(1)
        return await run(self, *given)

    monkeypatch.setattr(PostgresSession, "_run", counted)
    return told


def test_the_log_is_read_with_a_few_questions_however_many_causes_there_are(
    url: str, asked: list[int]
) -> None:
    with closing(PostgresStore(url, SimulatedClock(START))) as store:
        for number in range(60):
            put(store, lamp(number % 3, str(number)), cause=Cause(kind="request", id=f"r{number}"))
    with closing(PostgresStore(url, SimulatedClock(START))) as store:
        asked.clear()
        events = see(store, lambda snapshot: snapshot.events(0))
        later = see(store, lambda snapshot: snapshot.events_of(30, "", [lamp(1).id]))
        assert len(asked) < 10
    assert [event.cause.id for event in events] == [f"r{number}" for number in range(60)]
    assert later == [event for event in events[30:] if event.entity_id == lamp(1).id] != []


def test_history_moves_with_a_few_questions_however_many_series_there_are(
    url: str, tmp_path: Path, asked: list[int]
) -> None:
    def fill(tx: Transaction) -> None:
        for number in range(250):
            # Two months, each reading by an event of its own.
            for time in (START, START + 40 * 24 * HOUR):
                chunk = HistoryAppend(entity_id=lamp(number).id, types=[LAMP], instances=[reading(1, time)])
                tx.append_history("", chunk, CAUSE)

    with closing(PostgresStore(url, SimulatedClock(START), cold=str(tmp_path))) as store:
        do(store, fill)
        put(store, lamp(250))
        asked.clear()
        assert store.cold is not None
        assert store.cold.move(LATER) == 501  # and the state of the lamp that is there
        assert len(asked) < 250
        told = see(
            store, lambda snapshot: [len(snapshot.instances("", lamp(n).id, Window())) for n in (0, 250)]
        )
        assert told == [1, 1]


def test_a_database_is_read_while_a_node_writes_it(store: PostgresStore, url: str) -> None:
    put(store, lamp(1))
    with read_postgres(url) as snapshot:
        assert snapshot.count("", Query()) == 1
        put(store, lamp(2))
        assert snapshot.count("", Query()) == 1


def test_a_database_without_a_city_is_not_made_by_looking(place: Server, url: str) -> None:
    with pytest.raises(ConfigurationError, match="holds no city"), read_postgres(url):
        pass
    assert examine_postgres(url).version == 0
    assert place.fetch("city", "SELECT to_regclass('cityloom.entity')") == [(None,)]

"""The tables as others find them: open, sorted, told of in the documents, and nobody else's."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import deltalake
import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from cityloom.broker.ageing import FILES, Ageing
from cityloom.model.clock import SimulatedClock
from cityloom.model.errors import ConfigurationError, HistoryUnreachable, StoreFailed
from cityloom.model.history import Instance
from cityloom.model.time import format_datetime
from cityloom.store.cold.schema import COLUMNS, ORDER, ROW_GROUP
from cityloom.store.cold.tables import ColdTables
from cityloom.store.history_ports import Window
from cityloom.store.sqlite import SqliteStore, read_database
from cityloom.store.tables.tiering.one_history import one_history
from cityloom.store.tables.tiering.status import cold_files, cold_status
from tests.laws.conftest import START
from tests.laws.tiered import LATER
from tests.laws.values import (
    CAUSE,
    HOUR,
    LAMP,
    LEVEL,
    SENSOR,
    STATE,
    append,
    do,
    history,
    lamp,
    levels,
    prop,
    put,
    reading,
    remove,
    see,
)

ROOT = Path(__file__).parents[2]
ID = "urn:ngsi-ld:Sensor:1"
DAY = 24 * HOUR
NULL = "urn:ngsi-ld:null"


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "city.db", SimulatedClock(START))


def table(store: SqliteStore) -> pl.DataFrame:
    return pl.read_delta(store.cold._tables.url)


def tmp_of(store: SqliteStore) -> Path:
    return Path(store.cold._tables.place).parent / "city.db"


def files(store: SqliteStore) -> list[Path]:
    return sorted(Path(store.cold._tables.url).glob("**/*.parquet"))


def test_the_document_tells_the_columns_as_they_are() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (\w+) \| (.+) \|$", (ROOT / "docs/history.md").read_text(), re.MULTILINE
    )
    assert rows == [(column.name, column.type, column.meaning) for column in COLUMNS]


def test_polars_and_duckdb_read_what_the_store_tells(store: SqliteStore) -> None:
    values = [1, 2.5, "on", True, {"a": [1]}, 2**53 + 1]
    append(store, ID, *(reading(value, START + n * DAY, row=n) for n, value in enumerate(values)))
    put(store, lamp(1, "on"), tenant="t/1 'x'")
    store.cold.move(LATER)
    found = table(store)
    assert sorted(found.columns) == sorted(column.name for column in COLUMNS)
    mine = found.filter(pl.col("tenant").is_null()).sort("time")
    assert mine["number"].to_list() == [1.0, 2.5, None, None, None, float(2**53 + 1)]
    assert mine["json"].to_list() == [None, None, '"on"', "true", '{"a":[1]}', str(2**53 + 1)]
    assert mine["time"].cast(pl.Int64).to_list() == [START + n * DAY for n in range(6)]
    assert set(mine["month"]) == {"2026-05", "2026-06"}
    assert found.filter(tenant="t/1 'x'").select("entityId", "attribute", "json").row(0) == (
        lamp(1).id,
        STATE,
        '"on"',
    )
    # The log says which files count: those of before lie there, too, until `vacuum`.
    append(store, ID, reading(7, START + 7))
    store.cold.move(LATER)
    assert store.cold.compact() > 0
    told = deltalake.DeltaTable(store.cold._tables.url).file_uris()
    assert len(told) < len(files(store))
    counted = duckdb.sql(
        f"SELECT month, count(*), sum(number) FROM read_parquet({told}, hive_partitioning = true)"
        f" WHERE entityId = '{ID}' GROUP BY month ORDER BY month"
    ).fetchall()
    mine = table(store).filter(pl.col("tenant").is_null())
    assert mine.height == 7
    assert [row[1] for row in counted] == [mine.filter(month=row[0]).height for row in counted]
    assert sum(row[2] or 0 for row in counted) == sum(mine["number"].drop_nulls())


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_an_id_that_somebody_gave_is_free_again_when_its_instance_has_expired(
    store: SqliteStore, limit: int
) -> None:
    given = [reading(n, START + n // 2 * HOUR, instance_id=f"urn:mine:{n}") for n in range(4)]
    later = format_datetime(START + 50 * HOUR)
    append(store, ID, *given, Instance(name=STATE, attribute=prop("on", observed_at=later)))
    store.cold.move(LATER)
    while do(store, lambda tx: tx.expire_history("", SENSOR, START + 10 * HOUR, limit)):
        pass
    ids = [f"urn:mine:{n}" for n in range(4)]
    assert see(store, lambda snapshot: snapshot.known_instances("", ID, ids)) == set()
    append(store, ID, *given)
    assert sorted(levels(store, ID)) == [0, 1, 2, 3]


@pytest.mark.parametrize("spoil", ["flip", "remove"])
def test_what_a_spoiled_file_holds_is_neither_told_nor_written_anew(store: SqliteStore, spoil: str) -> None:
    append(store, ID, *(reading(n, START + n * 1000) for n in range(300)))
    store.cold.move(LATER)
    append(store, ID, *(reading(n, START + n * 1000) for n in range(300, 600)))
    store.cold.move(LATER)
    assert len(levels(store, ID)) == 600
    first, _ = files(store)
    whole = first.read_bytes()
    if spoil == "flip":
        first.write_bytes(whole[:900] + bytes([whole[900] ^ 4]) + whole[901:])
    else:
        first.unlink()
    said = "holds other bytes than were written" if spoil == "flip" else "is missing"
    told = f"{first.parent.name}/{first.name} {said}; bring it back from a backup"
    # A process compares what it reads for the first time, and always what it writes anew.
    with pytest.raises(StoreFailed, match=re.escape(told)):
        store.cold.compact()
    path = tmp_of(store)
    store.close()
    again = SqliteStore(path, SimulatedClock(LATER))
    with pytest.raises(StoreFailed, match=re.escape(told)):
        levels(again, ID)
    first.write_bytes(whole)
    assert again.cold.compact() == 1
    assert len(levels(again, ID)) == 600
    again.close()


def test_a_compacted_month_is_one_sorted_file(store: SqliteStore) -> None:
    for part in range(4):
        for number in (3, 1, 2):
            some = (reading(n, START + (n * 4 + part) * 1000) for n in range(50))
            append(store, f"urn:ngsi-ld:Sensor:{number}", *some)
        put(store, lamp(part))
        store.cold.move(LATER)
    before = {number: levels(store, f"urn:ngsi-ld:Sensor:{number}") for number in (1, 2, 3)}
    assert len({part.uri for part in store.cold._tables.files(4)}) == 4
    assert store.cold.compact() == 1
    (part,) = store.cold._tables.files(5)
    found = pl.read_parquet(part.uri, hive_partitioning=False)
    assert found.equals(found.sort(ORDER))
    assert found.height == 604
    told = pq.ParquetFile(part.uri).metadata
    assert told.row_group(0).column(0).compression == "ZSTD"
    assert told.row_group(0).num_rows <= ROW_GROUP
    assert {number: levels(store, f"urn:ngsi-ld:Sensor:{number}") for number in (1, 2, 3)} == before
    assert store.cold.compact() == 0


def test_a_month_larger_than_the_memory_should_bear_is_compacted_in_shares(store: SqliteStore) -> None:
    store.cold._most = 3
    for number in range(7):
        append(store, f"urn:ngsi-ld:Sensor:{number}", *(reading(n, START + n) for n in range(30)))
    store.cold.move(LATER)
    assert store.cold.compact() == 1
    assert store.cold.compact() == 0
    version = store.cold._tables.latest()
    assert version is not None
    parts = [pl.read_parquet(part.uri, hive_partitioning=False) for part in store.cold._tables.files(version)]
    assert len(parts) == 4
    found = pl.concat(sorted(parts, key=lambda part: part["entityId"][0]))
    assert found.equals(found.sort(ORDER))
    assert [levels(store, f"urn:ngsi-ld:Sensor:{number}") for number in range(7)] == [list(range(30))] * 7


def test_what_was_deleted_leaves_the_files_with_compaction_and_vacuum(store: SqliteStore) -> None:
    append(store, ID, *(reading(f"secret {n}", START + n * HOUR) for n in range(3)))
    store.cold.move(LATER)
    one = history(store, ID)[LEVEL][1].attribute.instance_id
    do(store, lambda tx: tx.delete_history("", ID, CAUSE, name=LEVEL, instance_id=one))
    assert see(store, cold_status).hidden == 1
    store.cold.compact()
    assert see(store, cold_status).hidden == 0
    assert table(store)["json"].to_list() == ['"secret 0"', '"secret 2"']
    assert store.cold.vacuum(0) == 1
    # Nothing is left to be undone.
    assert store.cold._tables.latest() == see(store, cold_status).version
    assert all("secret 1" not in str(pl.read_parquet(file)["json"].to_list()) for file in files(store))
    assert levels(store, ID) == ["secret 0", "secret 2"]
    do(store, lambda tx: tx.delete_history("", ID, CAUSE))
    assert store.cold.compact() == 1
    assert table(store).is_empty()


def test_forget_tenant_takes_its_files_and_no_others(store: SqliteStore) -> None:
    for tenant in ("", "gone", "other"):
        put(store, lamp(1, f"of {tenant}"), tenant=tenant)
    store.cold.move(LATER)
    while do(store, lambda tx: tx.forget_tenant("gone")):
        pass
    put(store, lamp(1, "of another"), tenant="gone")
    assert [one.attribute.value for one in of_tenant(store, "gone")] == ["of another"]
    assert store.cold.move(LATER) == 1
    assert sorted(table(store)["json"]) == ['"of "', '"of another"', '"of other"']
    store.cold.compact()
    store.cold.vacuum(0)
    assert len(files(store)) == 3
    assert [one.attribute.value for one in of_tenant(store, "gone")] == ["of another"]
    assert see(store, cold_status).hidden == 0


def of_tenant(store: SqliteStore, tenant: str) -> list[Instance]:
    with store.snapshot() as snapshot:
        return snapshot.instances(tenant, lamp(1).id, Window())[STATE]


def test_another_citys_place_is_refused(tmp_path: Path) -> None:
    place = str(tmp_path / "shared")
    for number, name in enumerate(("one", "two")):
        store = SqliteStore(tmp_path / f"{name}.db", SimulatedClock(START), cold=place)
        append(store, ID, reading(number, START))
        if number:
            with pytest.raises(ConfigurationError, match="another city's"):
                store.cold.move(LATER)
            assert levels(store, ID) == [1]
        else:
            store.cold.move(LATER)
        store.close()


def test_tables_that_are_lost_are_told_in_one_sentence(store: SqliteStore) -> None:
    append(store, ID, reading(1, START))
    store.cold.move(LATER)
    for file in files(store):
        file.unlink()
    assert store.cold.trouble == ""
    with pytest.raises(HistoryUnreachable, match=r"the cold history .* cannot be read"):
        levels(store, ID)
    assert "cannot be read" in store.cold.trouble


def test_tables_that_are_somewhere_else_are_missed_before_anything_changes(
    store: SqliteStore, tmp_path: Path
) -> None:
    append(store, ID, reading(1, START))
    assert store.cold.move(LATER) == 1
    older = tmp_path / "older"
    shutil.copytree(tmp_path / "history", older)
    append(store, ID, reading(2, START + 1))
    assert store.cold.move(LATER) == 1
    store.close()
    for place in (tmp_path / "nowhere", older):
        elsewhere = SqliteStore(tmp_path / "city.db", SimulatedClock(START), cold=str(place))
        before = see(elsewhere, lambda snapshot: snapshot.tiers.cold.state())
        for change in (lambda: elsewhere.cold.move(LATER), elsewhere.cold.compact):  # noqa: B023
            with pytest.raises(HistoryUnreachable, match="coldUrl must say where it is; nothing was changed"):
                change()
        assert "coldUrl must say" in elsewhere.cold.trouble
        assert see(elsewhere, lambda snapshot: snapshot.tiers.cold.state()) == before
        elsewhere.close()
    assert not (tmp_path / "nowhere").exists()
    again = SqliteStore(tmp_path / "city.db", SimulatedClock(START))
    assert levels(again, ID) == [1, 2]
    assert again.cold.move(LATER) == 0
    assert again.cold.trouble == ""
    again.close()


def test_a_store_that_closes_ends_a_move_and_a_later_one_finishes_it(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "city.db", SimulatedClock(START))
    append(store, ID, *(reading(n, START + n * 20 * DAY) for n in range(5)))
    with pytest.raises(StoreFailed, match="closing"):
        store.cold.move(LATER, lambda _: store.cold._closing.set())
    store.close()
    store = SqliteStore(tmp_path / "city.db", SimulatedClock(START))
    assert levels(store, ID) == list(range(5))
    assert store.cold.move(LATER) < 5
    assert levels(store, ID) == list(range(5))
    store.close()


def test_one_history_is_that_of_both_tiers(store: SqliteStore) -> None:
    for number in range(3):
        put(store, lamp(number, types=[SENSOR, LAMP], attributes={LEVEL: [prop(1)]}))
        append(store, lamp(number).id, *(reading(n, START - n * DAY) for n in range(10)))
    put(store, lamp(9, types=["urn:other"], attributes={LEVEL: [prop(1)]}))
    # What only history knows: a deleted entity, one that lived twice, one that was never made current.
    for number in (10, 11):
        put(store, lamp(number, types=[LAMP], attributes={LEVEL: [prop(number)]}))
        remove(store, lamp(number).id)
    put(store, lamp(11, types=[LAMP], attributes={LEVEL: [prop(12)]}))
    remove(store, lamp(11).id)
    append(store, lamp(12).id, reading(13, START), types=(LAMP,))
    start, end = START - 8 * DAY, START + DAY
    for before in (START - 5 * DAY, LATER):
        store.cold.move(before)
        with store.snapshot() as snapshot:
            rows = one_history(snapshot, "", LAMP, [LEVEL], start, end).collect()
            window = Window(names=[LEVEL])
            expected = [
                (entity.id, None if one.attribute.value == NULL else one.attribute.value)
                for entity in snapshot.history_entities("")
                if LAMP in entity.types
                for one in snapshot.instances("", entity.id, window)[LEVEL]
                if (one.attribute.observed_at or one.attribute.modified_at or "") >= format_datetime(start)
            ]
        assert {lamp(number).id for number in (10, 11, 12)} <= {id for id, _ in expected}
        told = rows.select("entityId", pl.when("deleted").then(None).otherwise("number")).iter_rows()
        assert Counter(told) == Counter(expected)


def test_a_backup_holds_the_files_of_its_own_version(store: SqliteStore, tmp_path: Path) -> None:
    append(store, ID, reading(1, START))
    store.cold.move(LATER)
    store.backup(str(tmp_path / "copy.db"))
    append(store, ID, reading(2, START + HOUR))
    store.cold.move(LATER)
    store.cold.compact()
    place = str(tmp_path / "history")
    with read_database(tmp_path / "copy.db", SimulatedClock(START), place) as snapshot:
        copied = cold_files(snapshot)
        assert [one.attribute.value for one in snapshot.instances("", ID, Window())[LEVEL]] == [1]
    for file, name in copied:
        target = tmp_path / "again" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    again = SqliteStore(tmp_path / "copy.db", SimulatedClock(START), cold=str(tmp_path / "again"))
    assert levels(again, ID) == [1]
    append(again, ID, reading(3, START + 2 * HOUR))
    again.cold.move(LATER)
    assert levels(again, ID) == [1, 3]
    again.close()


def test_ageing_moves_whole_days_and_tidies_once_a_day(tmp_path: Path) -> None:
    clock = SimulatedClock(START)
    store = SqliteStore(tmp_path / "city.db", clock)
    ageing = Ageing(store.cold, clock, "P1D", 0)
    moved = 0
    for day in range(FILES + 2):
        append(store, ID, reading(day, clock.now() - DAY // 2))
        moved += ageing.run_once().moved
        clock.advance(86_400)
    append(store, ID, reading("new", clock.now()))
    moved += ageing.run_once().moved
    assert FILES < moved < FILES + 2
    assert ageing.run_once().moved == 0
    assert levels(store, ID) == [*range(FILES + 2), "new"]
    months = see(store, cold_status).months
    assert sum(month.files for month in months) <= FILES * len(months)
    assert sum(month.rows for month in months) == moved
    assert Ageing(store.cold, clock, "", 0).run_once().moved == 0
    with pytest.raises(ConfigurationError, match="coldAfter is invalid"):
        Ageing(store.cold, clock, "a year", 0)
    store.close()


def test_an_older_store_beside_newer_tables_goes_on_from_what_it_knew(
    store: SqliteStore, tmp_path: Path
) -> None:
    append(store, ID, reading(1, START))
    store.cold.move(LATER)
    append(store, ID, reading(2, START + HOUR))
    store.backup(str(tmp_path / "old.db"))
    append(store, ID, reading(3, START + 2 * HOUR))
    store.cold.move(LATER)
    store.cold.compact()
    store.close()
    old = SqliteStore(tmp_path / "old.db", SimulatedClock(START), cold=str(tmp_path / "history"))
    assert levels(old, ID) == [1, 2]
    old.cold.move(LATER)
    assert levels(old, ID) == [1, 2]
    assert sorted(table(old)["number"]) == [1, 2]
    old.close()


@pytest.mark.parametrize(("place", "named"), [("s3://a/x", "AWS_ACCESS_KEY_ID"), ("gs://a/x", "credentials")])
def test_object_storage_that_is_not_open_says_what_it_takes(
    place: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(url: str) -> bool:
        raise OSError("Operation not supported\n  loading credentials")

    monkeypatch.setattr(deltalake.DeltaTable, "is_deltatable", closed)
    with pytest.raises(StoreFailed, match=f"not supported; the environment must hold .*{named}"):
        ColdTables(place, "cityloom:1").latest()


def test_a_file_that_goes_after_it_was_compared_is_named(store: SqliteStore) -> None:
    append(store, ID, reading(1, START))
    store.cold.move(LATER)
    assert levels(store, ID)
    (file,) = files(store)
    file.unlink()
    with pytest.raises(StoreFailed, match=f"{file.name} is missing; bring it back from a backup"):
        levels(store, ID)

"""Law: the event log, its numbers, its cursors and its trimming."""

from __future__ import annotations

from itertools import product

from msgspec.structs import replace

from cityloom.store.ports import Store, Transaction
from tests.laws.conftest import Home
from tests.laws.values import CAUSE, RUN, append, do, lamp, put, reading, remove, see


def test_events_are_read_as_they_were_written(store: Store) -> None:
    written = [
        put(store, lamp(1), row=3, cause=RUN),
        put(store, lamp(1, "off", scopes=["/a"]), "t"),
        append(store, "urn:s", reading(1, 5)),
        remove(store, lamp(1).id),
    ]
    written.append(do(store, lambda tx: tx.put_document("", "subscription", "urn:sub", {"a": 1}, CAUSE)))
    assert see(store, lambda snapshot: snapshot.events(0)) == written
    assert see(store, lambda snapshot: snapshot.events(2, limit=2)) == written[2:4]
    assert see(store, lambda snapshot: snapshot.events(0, tenant="t")) == [written[1]]


def test_a_transaction_reads_events_as_a_snapshot_does(store: Store) -> None:
    put(store, lamp(1, 1))
    told = see(store, lambda snapshot: snapshot.events(0, tenant=""))
    assert do(store, lambda tx: tx.events(0, tenant="")) == told != []


def test_events_are_the_same_to_who_follows_and_after_a_restart(home: Home) -> None:
    def failing(tx: Transaction) -> None:
        tx.write_entity("", None, lamp(9), CAUSE)
        raise KeyError("x")

    store = home.open()
    put(store, lamp(1), row=3, cause=RUN)
    put(store, lamp(1, "off", scopes=["/a"]))
    assert isinstance(store.submit(failing).exception(30), KeyError)
    append(store, "urn:s", reading(1, 5))
    do(store, lambda tx: tx.put_document("", "subscription", "urn:sub", {"a": 1}, CAUSE))
    remove(store, lamp(1).id)
    told = see(store, lambda snapshot: snapshot.events(0))
    assert [event.seq for event in told] == [1, 2, 3, 4, 5]
    store.close()
    store = home.open()
    assert see(store, lambda snapshot: snapshot.events(0)) == told
    last = put(store, lamp(2))
    assert see(store, lambda snapshot: snapshot.events(0)) == [*told, last]
    assert see(store, lambda snapshot: snapshot.events(3, limit=2)) == told[3:5]
    assert see(store, lambda snapshot: snapshot.events(5)) == [last]
    store.close()


def test_events_of_some_entities_are_those_of_the_log_that_are_about_them(home: Home) -> None:
    ids = ["urn:ngsi-ld:L:1", 'urn:"2"', "urn:Ä:3"]
    store = home.open()
    for number in range(12):
        id, tenant = ids[number % 3], "t" if number % 4 == 3 else ""
        put(store, replace(lamp(1, str(number)), id=id), tenant, cause=RUN if number % 2 else CAUSE)
    append(store, ids[0], reading(1, 5))
    remove(store, ids[1])

    def check() -> None:
        told = see(store, lambda snapshot: snapshot.events(0))
        for wanted in ([], ids[:1], ids[1:], ["urn:none"]):
            for after, tenant in product((0, 1, 7, 13, 14, 99), ("", "t", "nobody")):
                found = see(store, lambda snapshot, a=after, t=tenant, w=wanted: snapshot.events_of(a, t, w))
                assert found == [
                    event
                    for event in told
                    if event.seq > after and event.tenant == tenant and event.entity_id in wanted
                ]

    check()
    store.close()
    store = home.open()
    check()
    store.close()


def test_events_that_were_trimmed_are_told_no_more(store: Store) -> None:
    def failing(tx: Transaction) -> None:
        tx.trim_log(0)
        tx.write_entity("", None, lamp(9), CAUSE)
        raise KeyError("x")

    def numbers() -> list[int]:
        return [event.seq for event in see(store, lambda snapshot: snapshot.events(0))]

    for number in range(3):
        put(store, lamp(number))
    do(store, lambda tx: tx.trim_log(1))
    assert numbers() == [3]
    assert isinstance(store.submit(failing).exception(30), KeyError)
    assert numbers() == [3]
    put(store, lamp(4))
    assert numbers() == [3, 4]


def test_events_of_a_work_follow_each_other_and_share_its_time(store: Store) -> None:
    def work(tx: Transaction) -> int:
        for number in range(3):
            tx.write_entity("", None, lamp(number), CAUSE)
        return tx.now

    at = do(store, work)
    events = see(store, lambda snapshot: snapshot.events(0))
    assert [event.seq for event in events] == [1, 2, 3]
    assert {event.at for event in events} == {at}


def test_numbers_go_on_after_the_log_was_emptied_and_reopened(home: Home) -> None:
    store = home.open()
    for number in range(3):
        put(store, lamp(number))
    do(store, lambda tx: tx.trim_log(0))
    assert see(store, lambda snapshot: (snapshot.first_seq(), snapshot.last_seq())) == (0, 3)
    store.close()
    store = home.open()
    event = put(store, lamp(4))
    assert event is not None
    assert event.seq == 4
    assert see(store, lambda snapshot: (snapshot.first_seq(), snapshot.last_seq())) == (4, 4)
    store.close()


def test_cursors_are_durable(home: Home) -> None:
    store = home.open()
    assert see(store, lambda snapshot: snapshot.cursor("maps")) is None
    do(store, lambda tx: tx.move_cursor("maps", 5))
    do(store, lambda tx: tx.move_cursor("maps", 7))
    do(store, lambda tx: tx.move_cursor("rules", 1))
    do(store, lambda tx: tx.drop_cursor("rules"))
    store.close()
    store = home.open()
    assert see(store, lambda snapshot: (snapshot.cursor("maps"), dict(snapshot.cursors()))) == (
        7,
        {"maps": 7},
    )
    store.close()


def test_trim_log_stays_behind_the_slowest_consumer_and_keeps_the_last(store: Store) -> None:
    for number in range(10):
        put(store, lamp(number))
    do(store, lambda tx: (tx.move_cursor("slow", 4), tx.move_cursor("quick", 10)))
    assert do(store, lambda tx: tx.trim_log(0)) == 4
    assert see(store, lambda snapshot: snapshot.first_seq()) == 5
    do(store, lambda tx: tx.move_cursor("slow", 10))
    assert do(store, lambda tx: tx.trim_log(3)) == 3
    assert [event.seq for event in see(store, lambda snapshot: snapshot.events(0))] == [8, 9, 10]


def test_time_never_goes_back_when_the_clock_does(home: Home) -> None:
    store = home.open()
    times = [do(store, lambda tx: tx.now)]
    first = put(store, lamp(1))
    assert first is not None
    times.append(first.at)
    home.clock.advance(-3600)
    times.append(do(store, lambda tx: tx.now))
    second = put(store, lamp(1, "off"))
    assert second is not None
    times.append(second.at)
    store.close()
    store = home.open()
    times.append(do(store, lambda tx: tx.now))
    home.clock.advance(7200)
    times.append(do(store, lambda tx: tx.now))
    store.close()
    assert times == sorted(set(times))
    assert times[-1] == home.clock.now()


def test_an_event_of_a_deletion_holds_the_whole_entity(store: Store) -> None:
    put(store, lamp(1, scopes=["/x"]))
    remove(store, lamp(1).id)
    (event,) = see(store, lambda snapshot: snapshot.events(1))
    assert event.before == lamp(1, scopes=["/x"])


def test_stats_tell_what_the_node_is_asked_for(store: Store) -> None:
    put(store, lamp(1))
    do(store, lambda tx: tx.move_cursor("maps", 1))
    stats = store.stats()
    told = {name: stats[name] for name in ("entities", "firstSeq", "lastSeq", "cursors", "works", "refused")}
    assert told == {
        "entities": 1,
        "firstSeq": 1,
        "lastSeq": 1,
        "cursors": {"maps": 1},
        "works": 2,
        "refused": 0,
    }
    assert stats["fileBytes"] > 0
    for name in (
        "deliveriesPending",
        "deliveriesDead",
        "deliveriesDropped",
        "queueWorks",
        "queueBytes",
        "failedCommits",
    ):
        assert stats[name] == 0
    assert stats["commits"] >= 1 <= stats["largestGroup"]

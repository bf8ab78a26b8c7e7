"""Reads at a real standby that follows by streaming: never less than was committed, whatever it lags."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cityloom.model.clock import SystemClock
from cityloom.query.values import Query
from cityloom.store.postgres import PostgresStore
from tests.laws.values import lamp, put
from tests.postgres import Replica, server


@pytest.fixture
def replica() -> Iterator[Replica]:
    replica = server().replica()
    yield replica
    replica.stop()


def count(store: PostgresStore) -> int:
    return store.read(lambda snapshot: snapshot.count("", Query())).result(30)


def test_what_was_committed_is_read_whether_the_standby_follows_lags_or_is_gone(replica: Replica) -> None:
    store = PostgresStore(server().database(), SystemClock(), replicas=[replica.url("city")])
    reads = store._replicas
    assert reads is not None
    for number in range(20):
        put(store, lamp(number))
        assert count(store) == number + 1
    while reads.counts[0] < 5:  # it has nothing to catch up with now
        assert count(store) == 20
    # It stands still: what it has not heard of is read at the primary.
    replica.execute("SELECT pg_wal_replay_pause()")
    here = reads.counts[0]
    put(store, lamp(20))
    assert count(store) == 21
    assert reads.counts[0] == here
    replica.execute("SELECT pg_wal_replay_resume()")
    while reads.counts[0] == here:
        assert count(store) == 21
    replica.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    assert count(store) == 21
    store.close()


def test_standby_that_does_not_exist_costs_no_read() -> None:
    store = PostgresStore(
        server().database(), SystemClock(), replicas=["postgresql://postgres@127.0.0.1:1/city"]
    )
    put(store, lamp(1))
    assert [count(store) for _ in range(3)] == [1, 1, 1]
    store.close()

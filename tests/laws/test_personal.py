"""Law: personal data stand apart, their reading is logged, and they can be erased."""

from __future__ import annotations

from cityloom.store.ports import Store
from tests.laws.values import CAUSE, do, lamp, put, see

ID = "urn:ngsi-ld:Report:1"
BODY = {"name": "Ada", "phone": "555"}


def test_reading_is_logged_with_who_and_why(store: Store) -> None:
    do(store, lambda tx: tx.put_personal("", ID, BODY, CAUSE))
    assert do(store, lambda tx: tx.read_personal("", ID, "clerk", "call back")) == BODY
    assert do(store, lambda tx: tx.read_personal("t", ID, "spy", "none")) is None
    (entry,) = do(store, lambda tx: tx.personal_readings("", ID))
    assert (entry["party"], entry["purpose"], entry["action"]) == ("clerk", "call back", "read")
    assert entry["at"].endswith("Z")


def test_a_reading_whose_work_fails_gives_nothing_and_logs_nothing(store: Store) -> None:
    do(store, lambda tx: tx.put_personal("", ID, BODY, CAUSE))

    def failing(tx: object) -> None:
        tx.read_personal("", ID, "clerk", "x")  # type: ignore[attr-defined]
        raise ValueError

    assert isinstance(store.submit(failing).exception(10), ValueError)
    assert do(store, lambda tx: tx.personal_readings("", ID)) == []


def test_personal_data_are_in_no_event(store: Store) -> None:
    put(store, lamp(1))
    do(store, lambda tx: tx.put_personal("", lamp(1).id, BODY, CAUSE))
    assert len(see(store, lambda snapshot: snapshot.events(0))) == 1


def test_erasing_leaves_the_log_of_readings(store: Store) -> None:
    do(store, lambda tx: tx.put_personal("", ID, BODY, CAUSE))
    do(store, lambda tx: tx.read_personal("", ID, "clerk", "call back"))
    assert do(store, lambda tx: tx.erase_personal("", ID, "officer")) is True
    assert do(store, lambda tx: tx.erase_personal("", ID, "officer")) is False
    assert do(store, lambda tx: tx.read_personal("", ID, "clerk", "again")) is None
    log = do(store, lambda tx: tx.personal_readings("", ID))
    assert [(entry["action"], entry["party"]) for entry in log] == [
        ("read", "clerk"),
        ("erase", "officer"),
        ("read", "clerk"),
    ]

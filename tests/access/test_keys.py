"""API keys: what each role may do, and that a key is never kept in the clear."""

from pathlib import Path

import pytest

from cityloom.access.keys import KeyAccess, Keys
from cityloom.broker.ports import Action, Call
from cityloom.model.clock import SimulatedClock
from cityloom.model.errors import ConfigurationError, Forbidden, ResourceNotFound, Unauthorized
from cityloom.model.events import Cause


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "keys.json", SimulatedClock(1_700_000_000_000_000))


def call(party: str = "", tenant: str = "") -> Call:
    return Call(party=party, tenant=tenant, cause=Cause(kind="request", id="request:1"))


def may(access: KeyAccess, action: Action, party: str = "", tenant: str = "") -> bool:
    try:
        access.check(call(party, tenant), action)
    except (Forbidden, Unauthorized):
        return False
    return True


def test_add_returns_a_key_that_identifies_its_party(keys: Keys) -> None:
    token = keys.add("lamps bureau", "writer", [])
    found = keys.identify(token)
    assert found is not None
    assert found.party == "lamps bureau"
    assert keys.identify(token + "x") is None
    assert keys.identify("") is None


def test_add_keeps_no_key_in_the_clear(keys: Keys, tmp_path: Path) -> None:
    token = keys.add("firm", "reader", [])
    assert token not in (tmp_path / "keys.json").read_text()
    assert (tmp_path / "keys.json").stat().st_mode & 0o077 == 0


def test_add_refuses_a_second_key_and_an_unknown_role(keys: Keys) -> None:
    keys.add("firm", "reader", [])
    with pytest.raises(ConfigurationError, match="already exists"):
        keys.add("firm", "reader", [])
    with pytest.raises(ConfigurationError, match="'king' does not exist"):
        keys.add("other", "king", [])


def test_remove_takes_effect_in_a_running_node(keys: Keys, tmp_path: Path) -> None:
    token = keys.add("firm", "reader", [])
    running = Keys(tmp_path / "keys.json", SimulatedClock(0))
    assert running.identify(token) is not None
    keys.remove("firm")
    assert running.identify(token) is None
    with pytest.raises(ResourceNotFound):
        keys.remove("firm")


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("reader", {"read"}),
        ("writer", {"read", "write"}),
        ("officer", {"read", "write", "personal"}),
        ("admin", {"read", "write", "personal", "admin"}),
    ],
)
def test_check_allows_just_what_the_role_grants(keys: Keys, role: str, allowed: set[str]) -> None:
    keys.add("someone", role, [])
    access = KeyAccess(keys, open_node=False, public_read=False)
    actions: tuple[Action, ...] = ("read", "write", "personal", "admin")
    assert {action for action in actions if may(access, action, "someone")} == allowed


def test_check_keeps_tenants_apart(keys: Keys) -> None:
    keys.add("district", "writer", ["north"])
    access = KeyAccess(keys, open_node=False, public_read=False)
    assert may(access, "write", "district", "north")
    assert not may(access, "read", "district", "south")
    assert not may(access, "read", "district", "")


def test_check_asks_for_a_key_unless_the_node_is_open(keys: Keys) -> None:
    closed = KeyAccess(keys, open_node=False, public_read=False)
    with pytest.raises(Unauthorized):
        closed.check(call(), "read")
    public = KeyAccess(keys, open_node=False, public_read=True)
    assert may(public, "read")
    assert not may(public, "write")
    assert may(KeyAccess(keys, open_node=True, public_read=False), "admin")


@pytest.mark.parametrize("resource", ["subscriptions", "rejects", "metrics"])
def test_check_shows_the_public_no_secrets_and_no_raw_rows(keys: Keys, resource: str) -> None:
    keys.add("someone", "reader", [])
    public = KeyAccess(keys, open_node=False, public_read=True)
    with pytest.raises(Unauthorized):
        public.check(call(), "read", resource)
    public.check(call("someone"), "read", resource)


def test_a_key_holds_roles_in_cases_and_an_open_node_leaves_them_to_the_caller(keys: Keys) -> None:
    keys.add("lamps bureau", "writer", [], ["department:lighting", "collector"])
    closed = KeyAccess(keys, open_node=False, public_read=True)
    assert closed.case_roles(call("lamps bureau")) == ["department:lighting", "collector"]
    assert list(closed.case_roles(call()) or ["none"]) == ["none"]
    assert closed.case_roles(call()) is not None
    assert KeyAccess(keys, open_node=True, public_read=False).case_roles(call()) is None


def test_everyone_reports_where_that_is_open_and_reads_no_more_than_the_status(keys: Keys) -> None:
    shut = KeyAccess(keys, open_node=False, public_read=True)
    opened = KeyAccess(keys, open_node=False, public_read=False, public_report=True)
    for action, resource in (("write", "case reports"), ("read", "case status"), ("read", "case types")):
        opened.check(call(), action, resource)  # type: ignore[arg-type]
    with pytest.raises(Unauthorized):
        shut.check(call(), "write", "case reports")
    for access in (shut, opened):
        for action, resource in (("read", "cases"), ("write", "cases"), ("personal", "cases")):
            with pytest.raises(Unauthorized):
                access.check(call(), action, resource)  # type: ignore[arg-type]


def test_keys_say_which_file_is_invalid(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("[{]")
    with pytest.raises(ConfigurationError, match=r"keys\.json is invalid"):
        Keys(tmp_path / "keys.json", SimulatedClock(0)).all()

"""API keys: made by the command line, kept as digests in one file of the city's folder.

A key is 32 random bytes, so a plain SHA-256 of it cannot be searched; it is
shown once, when it is made. The file is read again when it changes, so that a
key can be made or taken away while the node runs.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from cityloom.broker.ports import Action, Call
from cityloom.model.clock import Clock
from cityloom.model.errors import ConfigurationError, Forbidden, ResourceNotFound, Unauthorized
from cityloom.model.tenants import split_tenant
from cityloom.model.time import format_datetime

ROLES: dict[str, list[Action]] = {
    "reader": ["read"],
    "writer": ["read", "write"],
    "officer": ["read", "write", "personal"],
    "admin": ["read", "write", "personal", "admin"],
}
_VERBS: dict[Action, str] = {
    "read": "read",
    "write": "write",
    "personal": "read or erase personal data of",
    "admin": "administer",
}
_NEVER_PUBLIC = frozenset({"subscriptions", "registrations", "rejects", "metrics", "snapshots", "cases"})
"""Resources for holders of a key alone: secrets of receivers and of sources, rows as they came, how the
node is doing, what departments tell each other."""
_REPORTING: dict[Action, frozenset[str]] = {
    "read": frozenset({"case status", "case types"}),
    "write": frozenset({"case reports"}),
}
"""Resources for everyone where everyone may report."""
ANY_TENANT = "*"
CITY = "urn:cityloom:city"
"""The party that the node itself acts as: connectors and feeds. No key can be made for it."""


class Key(Struct, frozen=True, kw_only=True, rename="camel"):
    """One party's key: what it may do, and in which tenants (`*` is all).

    `case_roles` are the roles of the workflow of cases in which the party acts: `intake`,
    `department:roads`, `*` for each.
    """

    id: str
    party: str
    role: str
    tenants: list[str]
    digest: str
    created: str
    case_roles: list[str] = []


class Keys:
    """The keys of one city, in `keys.json` of its folder."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._stamp: tuple[int, int] | None = None
        self._by_digest: dict[str, Key] = {}
        self._by_party: dict[str, Key] = {}

    def all(self) -> list[Key]:
        """Every key, by party."""
        self._refresh()
        return [self._by_party[party] for party in sorted(self._by_party)]

    def by_party(self, party: str) -> Key | None:
        """The key of a party."""
        self._refresh()
        return self._by_party.get(party)

    def identify(self, token: str) -> Key | None:
        """The key that `token` is, or None."""
        self._refresh()
        return self._by_digest.get(_digest(token))

    def add(self, party: str, role: str, tenants: list[str], case_roles: Sequence[str] = ()) -> str:
        """Makes a key and returns it: the only time that it can be read.

        Raises:
            ConfigurationError: the role does not exist, or the party already has a key.
        """
        if role not in ROLES:
            raise ConfigurationError(f"role {role!r} does not exist; the roles are {', '.join(ROLES)}")
        if not party:
            raise ConfigurationError("party is required: the name of who will hold the key")
        if party == CITY:
            raise ConfigurationError(f"party {party!r} is the node's own and can hold no key")
        if self.by_party(party) is not None:
            raise ConfigurationError(f"a key of party {party!r} already exists; remove it first")
        token = "cl_" + secrets.token_urlsafe(32)
        key = Key(
            id=secrets.token_hex(4),
            party=party,
            role=role,
            tenants=tenants or [ANY_TENANT],
            digest=_digest(token),
            created=format_datetime(self._clock.now()),
            case_roles=list(case_roles),
        )
        self._write([*self.all(), key])
        return token

    def remove(self, party: str) -> None:
        """Takes a party's key away. Raises ResourceNotFound."""
        if self.by_party(party) is None:
            raise ResourceNotFound(f"a key of party {party!r} does not exist")
        self._write([key for key in self.all() if key.party != party])

    def _write(self, keys: list[Key]) -> None:
        temporary = self._path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(keys), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        self._stamp = None

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._stamp, self._by_digest, self._by_party = None, {}, {}
            return
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp == self._stamp:
            return
        try:
            keys = msgspec.json.decode(self._path.read_bytes(), type=list[Key])
        except msgspec.DecodeError as error:
            raise ConfigurationError(f"{self._path} is invalid: {error}") from None
        self._by_digest = {key.digest: key for key in keys}
        self._by_party = {key.party: key for key in keys}
        self._stamp = stamp


class KeyAccess:
    """Answers the broker's `Access` port from the keys.

    Args:
        keys: the city's keys.
        open_node: everyone may do everything (loopback without `requireKey`).
        public_read: everyone may read what the city shows.
        public_report: everyone may report a case and see what became of it.
    """

    def __init__(
        self, keys: Keys, *, open_node: bool, public_read: bool, public_report: bool = False
    ) -> None:
        self._keys = keys
        self._open = open_node
        self._public_read = public_read
        self._public_report = public_report

    def check(self, call: Call, action: Action, resource: str = "") -> None:
        """Returns when `call.party` may do `action` in `call.tenant`; see `broker.ports.Access`."""
        if call.party == CITY:
            return
        key = self._keys.by_party(call.party) if call.party else None
        if key is None:
            public = action == "read" and self._public_read and resource not in _NEVER_PUBLIC
            public = public or (self._public_report and resource in _REPORTING.get(action, ()))
            if self._open or public:
                return
            raise Unauthorized("an API key is required: send it as Authorization: Bearer <key>")
        tenant, _ = split_tenant(call.tenant)
        if ANY_TENANT not in key.tenants and tenant not in key.tenants:
            raise Forbidden(f"party {key.party!r} has no grant in tenant {tenant!r}")
        if action not in ROLES.get(key.role, []):
            what = f" {resource}" if resource else " this"
            verb = _VERBS[action]
            raise Forbidden(f"party {key.party!r} has the role {key.role} and may not {verb}{what}")

    def case_roles(self, call: Call) -> Sequence[str] | None:
        """The roles of the workflow in which the caller acts; None: whichever it names, on an open node."""
        if call.party == CITY:
            return None
        key = self._keys.by_party(call.party) if call.party else None
        if key is None:
            return None if self._open else ()
        return key.case_roles


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

"""The registrations of every tenant in memory, for the paths that cannot wait for the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from cityloom.federation.registration import COUNTERS, REGISTRATION, Counters, Registration
from cityloom.model.time import parse_datetime
from cityloom.store.ports import Snapshot

_NONE: Mapping[str, Registration] = {}


class Registry:
    """Registrations by tenant, each as of the event that made it.

    Changes come twice, from who made them and from the log; the later event wins, so
    that a registration counts from the moment that its making was answered.
    """

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, Registration]] = {}
        self._seen: dict[tuple[str, str], int] = {}
        self._counters: dict[tuple[str, str], Counters] = {}
        self._counted: set[tuple[str, str]] = set()

    def load(self, snapshot: Snapshot) -> None:
        """Reads every registration there is."""
        seq = snapshot.last_seq()
        for tenant in snapshot.tenants():
            for registration in kept(snapshot, tenant):
                self.put(tenant, registration.id, seq, registration)
            after = ""
            while page := snapshot.documents(tenant, COUNTERS, after):
                for document in page:
                    self._counters[tenant, document.id] = msgspec.convert(document.body, Counters)
                after = page[-1].id

    def put(self, tenant: str, id: str, seq: int, registration: Registration | None) -> None:
        """Takes in what event `seq` made of a registration (None: it is gone); older news is passed over."""
        if self._seen.get((tenant, id), -1) >= seq:
            return
        self._seen[tenant, id] = seq
        if registration is not None:
            # Made anew, so that who walks through them is not disturbed.
            self._kept[tenant] = {**self._kept.get(tenant, _NONE), id: registration}
            return
        self._counters.pop((tenant, id), None)
        left = {key: value for key, value in self._kept.get(tenant, _NONE).items() if key != id}
        if left:
            self._kept[tenant] = left
        else:
            self._kept.pop(tenant, None)

    def of(self, tenant: str, now: int) -> Sequence[Registration]:
        """The registrations of a tenant that have not expired at `now` (µs), by id.

        Cost: one look-up where there are none.
        """
        kept = self._kept.get(tenant)
        if kept is None:
            return ()
        return [kept[id] for id in sorted(kept) if alive(kept[id], now)]

    def counters(self, tenant: str, id: str) -> Counters:
        """How the operations distributed to a registration fared."""
        return self._counters.get((tenant, id)) or Counters()

    def count(self, tenant: str, id: str, counters: Counters) -> None:
        """Keeps counters in memory, until `take_counted` takes what is to be made durable."""
        self._counters[tenant, id] = counters
        self._counted.add((tenant, id))

    def take_counted(self) -> dict[tuple[str, str], Counters]:
        """The counters that changed since the last time."""
        counted, self._counted = self._counted, set()
        return {key: self._counters[key] for key in counted if key in self._counters}


def alive(registration: Registration, now: int) -> bool:
    """Whether a registration has not expired at `now` (µs)."""
    return registration.expires_at is None or now < parse_datetime(registration.expires_at)


def kept(snapshot: Snapshot, tenant: str) -> list[Registration]:
    """The registrations of a tenant, by id."""
    found: list[Registration] = []
    after = ""
    while page := snapshot.documents(tenant, REGISTRATION, after):
        found += [msgspec.convert(document.body, Registration) for document in page]
        after = page[-1].id
    return found

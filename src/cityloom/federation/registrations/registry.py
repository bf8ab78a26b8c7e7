"""The registrations of every tenant in memory, for the paths that cannot wait for the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from cityloom.federation.registrations.registration import REGISTRATION, Counters, Registration
from cityloom.model.time import parse_datetime
from cityloom.store.ports import Snapshot

_NONE: Mapping[str, Registration] = {}
_NOTHING = Counters()


class Registry:
    """Registrations by tenant, each as of the event that made it.

    Changes come twice, from who made them and from the log; the later event wins, so
    that a registration counts from the moment that its making was answered.
    """

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, Registration]] = {}
        self._seen: dict[tuple[str, str], int] = {}
        self._counted: dict[tuple[str, str], Counters] = {}
        self._leaving: dict[tuple[str, str], Counters] = {}

    def load(self, snapshot: Snapshot) -> None:
        """Reads every registration there is."""
        seq = snapshot.last_seq()
        for tenant in snapshot.tenants():
            for registration in kept(snapshot, tenant):
                self.put(tenant, registration.id, seq, registration)

    def put(self, tenant: str, id: str, seq: int, registration: Registration | None) -> None:
        """Takes in what event `seq` made of a registration (None: it is gone); older news is passed over."""
        if self._seen.get((tenant, id), -1) >= seq:
            return
        self._seen[tenant, id] = seq
        if registration is not None:
            # Made anew, so that who walks through them is not disturbed.
            self._kept[tenant] = {**self._kept.get(tenant, _NONE), id: registration}
            return
        self._counted.pop((tenant, id), None)
        self._leaving.pop((tenant, id), None)
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

    def count(self, tenant: str, id: str, counted: Counters) -> None:
        """Counts in memory, until `take_counted` takes what is to be made durable."""
        key = (tenant, id)
        self._counted[key] = added(self._counted.get(key, _NOTHING), counted)

    def counted(self, tenant: str, id: str) -> Counters:
        """What this process counted that is not durable yet."""
        key = (tenant, id)
        return added(self._leaving.get(key, _NOTHING), self._counted.get(key, _NOTHING))

    def take_counted(self) -> dict[tuple[str, str], Counters]:
        """What was counted since the last time; until `kept_counted` it counts as not durable."""
        for key, counted in self._counted.items():
            self._leaving[key] = added(self._leaving.get(key, _NOTHING), counted)
        self._counted = {}
        return dict(self._leaving)

    def kept_counted(self) -> None:
        """Hears that what was taken is durable."""
        self._leaving.clear()


def added(before: Counters, counted: Counters) -> Counters:
    """Counters, with what was counted after them."""
    return Counters(
        status=counted.status or before.status,
        times_sent=before.times_sent + counted.times_sent,
        times_failed=before.times_failed + counted.times_failed,
        last_success=counted.last_success or before.last_success,
        last_failure=counted.last_failure or before.last_failure,
    )


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

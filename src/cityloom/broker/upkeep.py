"""What goes in time: transient entities that expired, and history past its retention.

It does what is due in works of a bounded size, when `app` calls it from time to
time. It acts for the city, not for a party, so it asks no one.

Source: ETSI GS CIM 009 clause 4.22 (transient entities and attributes).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from cityloom.broker.door import Limits, settled
from cityloom.broker.transient import EXPIRY, alive, next_expiry
from cityloom.model.clock import Clock
from cityloom.model.errors import BadRequestData, ConfigurationError
from cityloom.model.events import Cause
from cityloom.model.time import format_datetime, parse_duration, time_before
from cityloom.store.log_ports import Timer
from cityloom.store.ports import Store, Transaction

_DAY: Final = 86_400_000_000


class Upkeep:
    """Removes what has expired.

    Args:
        retention: type (IRI) -> how long its history is kept (ISO 8601 duration); others for ever.

    Raises:
        ConfigurationError: a duration is none.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        retention: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits or Limits()
        self._retention: dict[str, tuple[int, int]] = {}
        for type, duration in (retention or {}).items():
            try:
                self._retention[type] = parse_duration(duration, f"retention of {type}")
            except BadRequestData as error:
                raise ConfigurationError(error.detail) from None

    async def expire_entities(self) -> int:
        """Deletes transient entities, and attributes of entities, that expired; how many entities."""
        count = 0
        most = self._limits.batch_items
        while True:
            with self._store.snapshot() as snapshot:
                if not snapshot.timers_due(EXPIRY, self._clock.now(), 1):
                    return count
            count += await settled(self._store.submit(lambda tx: _expire(tx, most)))

    async def expire_history(self) -> int:
        """Deletes instances that are older than the retention of their entities' type; how many."""
        count = 0
        most = self._limits.expire_instances
        with self._store.snapshot() as snapshot:
            tenants = snapshot.tenants()
        for type, duration in self._retention.items():
            before = _in_steps(time_before(self._clock.now(), duration), duration)
            for tenant in tenants:
                gone = most
                while gone >= most:

                    def work(
                        tx: Transaction, tenant: str = tenant, type: str = type, before: int = before
                    ) -> int:
                        return tx.expire_history(tenant, type, before, most)

                    gone = await settled(self._store.submit(work))
                    count += gone
        return count


def _in_steps(before: int, duration: tuple[int, int]) -> int:
    """The time to which history goes, in steps of a hundredth of its age, at most a day.

    So that old history, which stands in files, is looked at once a day and not once a minute.
    """
    months, micros = duration
    step = min(_DAY, max(1, (months * 30 * _DAY + micros) // 100))
    return before // step * step


def _expire(tx: Transaction, most: int) -> int:
    now = tx.now
    timers = tx.timers_due(EXPIRY, now, most)
    for timer in timers:
        stored = tx.get(timer.tenant, timer.key)
        after = None if stored is None else alive(stored, now)
        if stored is not None and after is not stored:
            if after is not None:
                after = replace(after, modified_at=format_datetime(now))
            cause = Cause(kind="system", id=f"expiry:{timer.due}", operation="expiry")
            tx.write_entity(timer.tenant, stored, after, cause)
        due = None if after is None else next_expiry(after)
        if due is None:
            tx.cancel_timer(EXPIRY, timer.tenant, timer.key)
        else:
            tx.set_timer(Timer(consumer=EXPIRY, tenant=timer.tenant, key=timer.key, due=due))
    return len(timers)

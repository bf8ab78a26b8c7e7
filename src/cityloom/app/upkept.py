"""What is done from time to time: expiry, retention, the log's end, and history that moves to its tables."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from cityloom.broker.ageing import Ageing
from cityloom.broker.upkeep import Upkeep
from cityloom.consumers.failures import Failures
from cityloom.model.settings import Settings
from cityloom.store.ports import Store, Transaction

_log = structlog.get_logger("app")
UPKEEP_EVERY = 60.0
"""Seconds between two rounds of retention and trimming of the log."""
_EXPIRY_EVERY = 1.0
"""Seconds between two looks for transient entities that expired: who is told of it hears it so much later."""
_AGE_EVERY = 3600.0
"""Seconds between two looks for history that is old enough to move."""
_HOUR = 3_600_000_000
_LETTERS = 1000
"""Dead letters that are dropped in one transaction."""
_WELL_AFTER = 60.0
"""Seconds after which a background part that fails had been well."""


class KeptUp:
    """The rounds of upkeep of one city.

    Args:
        settings: how much is kept of the log, and of dead letters.
    """

    def __init__(self, store: Store, upkeep: Upkeep, ageing: Ageing, settings: Settings) -> None:
        self._store = store
        self._upkeep = upkeep
        self._ageing = ageing
        self._settings = settings

    async def expire(self) -> None:
        """Entities whose time is over go."""
        while True:
            gone = await self._upkeep.expire_entities()
            if gone:
                _log.info("expiry", entities=gone)
            await asyncio.sleep(_EXPIRY_EVERY)

    async def keep_up(self) -> None:
        """History and dead letters that are kept no longer go, and events that everyone has seen."""
        while True:
            instances = await self._upkeep.expire_history()
            trimmed = await self._all_of(self._trim)
            if instances or trimmed:
                _log.info("upkeep", instances=instances, events=trimmed)
            dropped = await self._all_of(self._drop_dead)
            if dropped:
                hours, most = self._settings.notify_dead_keep, self._settings.notify_dead
                _log.warning(
                    "dead letters dropped", letters=dropped, notifyDead=most, notifyDeadKeep=f"{hours} h"
                )
            await asyncio.sleep(UPKEEP_EVERY)

    async def age(self) -> None:
        """Old history moves to its tables."""
        while self._ageing.before is not None:
            done = await asyncio.to_thread(self._ageing.run_once)
            if done.moved or done.compacted:
                _log.info("cold history", moved=done.moved, compacted=done.compacted, removed=done.removed)
            await asyncio.sleep(_AGE_EVERY)
        await asyncio.Event().wait()

    async def _all_of(self, work: Callable[[Transaction], int]) -> int:
        """Does a work of a bounded size until nothing is left to do; how much that was."""
        count = 0
        while gone := await asyncio.wrap_future(self._store.submit(work)):
            count += gone
        return count

    def _trim(self, tx: Transaction) -> int:
        return tx.trim_log(self._settings.log_keep)

    def _drop_dead(self, tx: Transaction) -> int:
        before = tx.now - self._settings.notify_dead_keep * _HOUR
        return tx.drop_dead(before, self._settings.notify_dead, _LETTERS)


async def kept_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """A background part that fails is told and begun again: the node goes on."""
    failures = Failures("background part failed", part=name)
    while True:
        begun = time.monotonic()
        try:
            await run()
        except Exception as error:
            if time.monotonic() - begun > _WELL_AFTER:
                failures.well()
            await asyncio.sleep(failures.failed(error))

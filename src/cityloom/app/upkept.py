"""What is done from time to time: expiry, retention, the log's end, and history that moves to its tables."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from cityloom.broker.ageing import Ageing
from cityloom.broker.upkeep import Upkeep
from cityloom.consumers.failures import Failures
from cityloom.store.ports import Store, Transaction

_log = structlog.get_logger("app")
UPKEEP_EVERY = 60.0
"""Seconds between two rounds of retention and trimming of the log."""
_EXPIRY_EVERY = 1.0
"""Seconds between two looks for transient entities that expired: who is told of it hears it so much later."""
_AGE_EVERY = 3600.0
"""Seconds between two looks for history that is old enough to move."""
_WELL_AFTER = 60.0
"""Seconds after which a background part that fails had been well."""


class KeptUp:
    """The rounds of upkeep of one city.

    Args:
        log_keep: events that the log keeps behind the slowest follower.
    """

    def __init__(self, store: Store, upkeep: Upkeep, ageing: Ageing, log_keep: int) -> None:
        self._store = store
        self._upkeep = upkeep
        self._ageing = ageing
        self._log_keep = log_keep

    async def expire(self) -> None:
        """Entities whose time is over go."""
        while True:
            gone = await self._upkeep.expire_entities()
            if gone:
                _log.info("expiry", entities=gone)
            await asyncio.sleep(_EXPIRY_EVERY)

    async def keep_up(self) -> None:
        """History that is kept no longer goes, and events that everyone has seen."""
        while True:
            instances = await self._upkeep.expire_history()
            trimmed = 0
            while gone := await asyncio.wrap_future(self._store.submit(self._trim)):
                trimmed += gone
            if instances or trimmed:
                _log.info("upkeep", instances=instances, events=trimmed)
            await asyncio.sleep(UPKEEP_EVERY)

    async def age(self) -> None:
        """Old history moves to its tables."""
        while self._ageing.before is not None:
            done = await asyncio.to_thread(self._ageing.run_once)
            if done.moved or done.compacted:
                _log.info("cold history", moved=done.moved, compacted=done.compacted, removed=done.removed)
            await asyncio.sleep(_AGE_EVERY)
        await asyncio.Event().wait()

    def _trim(self, tx: Transaction) -> int:
        return tx.trim_log(self._log_keep)


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

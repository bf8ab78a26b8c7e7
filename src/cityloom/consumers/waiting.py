"""Waiting for an event, but not for ever."""

from __future__ import annotations

import asyncio


async def within(seconds: float, wake: asyncio.Event) -> bool:
    """Waits for an event, so long at most; whether it came.

    Not `asyncio.wait_for`: cancelled just when it is woken, that goes on as if nothing was (Python
    3.11), and what should have ended runs for ever.
    """
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return False
    return True

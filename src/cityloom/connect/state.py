"""What the city remembers of each source between runs: a small document in the store, without events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from cityloom.connect.report import Report
from cityloom.store.ports import Store

_KIND = "source"


class SourceState(Struct, kw_only=True, rename="camel"):
    """One source's state.

    `runs` is the number of the last run given out; `report` that of the last
    run; `last_data` the newest instant (microseconds) of which the source had
    data: the newest stamp where its rows have one, else when it was read.
    `digest` (of the mapping) and `files` (SHA-256 by name) say what the last
    complete run read. `stale` is the mark that the watch set.
    """

    source: str
    runs: int = 0
    report: Report | None = None
    last_data: int | None = None
    digest: str = ""
    files: dict[str, str] = {}
    stale: bool = False


class SourceStates:
    """Reads and keeps the states of a tenant's sources."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    async def get(self, source: str) -> SourceState:
        """The state of a source; an empty one when it was never run."""
        tenant = self._tenant
        document = await asyncio.wrap_future(
            self._store.read(lambda snapshot: snapshot.document(tenant, _KIND, source))
        )
        return SourceState(source=source) if document is None else _read(document.body)

    async def change(self, source: str, change: Callable[[SourceState], None]) -> SourceState:
        """Changes a state in one transaction and gives the new one."""
        tenant = self._tenant

        def work(tx: Any) -> SourceState:
            document = tx.document(tenant, _KIND, source)
            state = SourceState(source=source) if document is None else _read(document.body)
            change(state)
            tx.set_state(tenant, _KIND, source, msgspec.to_builtins(state))
            return state

        return await asyncio.wrap_future(self._store.submit(work))


def _read(body: Any) -> SourceState:
    return msgspec.convert(body, SourceState)

"""What this process holds of documents in memory, kept as new as the store.

Subscriptions, registrations, links, contexts and snapshots are documents, and each room keeps those that
it needs at hand. Where other processes write to the same store, whoever is about to use what is kept has
`current` look first whether documents changed, so that what was answered by one process holds for every
question that comes to another one after that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from cityloom.store.log_ports import DocumentChange
from cityloom.store.ports import Snapshot, Store

_SOON: Final = 0.05
"""Seconds until documents are looked at after a commit, when nobody asks."""
Take = Callable[[Snapshot, DocumentChange], Callable[[], None]]
"""Reads, on any thread, what became of a document; what it returns takes that in, on the event loop."""


class Views:
    """Follows the documents of the kinds that rooms keep. Register all before `start`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._takes: dict[str, list[Take]] = {}
        self._position = 0
        self._turn = asyncio.Lock()
        self._waiting: asyncio.Task[None] | None = None

    def follow(self, kind: str, take: Take) -> None:
        """Has `take` see each change of a document of this kind."""
        self._takes.setdefault(kind, []).append(take)

    async def start(self) -> None:
        """Takes its place: what changes after this is seen. Rooms read what there is after it."""
        self._position = await asyncio.wrap_future(self._store.read(lambda snapshot: snapshot.last_seq()))

    async def current(self) -> None:
        """Returns when everything that was committed before the call has been taken in.

        Cost: nothing where nobody else writes; else one question to the store, which on a server all
        calls share that come while another is asked.
        """
        if not self._store.shared:
            return
        last = self._store.last_document()
        if last is not None and last <= self._position:
            return
        if self._waiting is None:
            self._waiting = asyncio.create_task(self._look_next())
        await asyncio.shield(self._waiting)

    async def run(self) -> None:
        """Takes in what other processes change, also when nobody asks, until it is cancelled."""
        if not self._store.shared:
            await asyncio.Event().wait()
        loop = asyncio.get_running_loop()
        wake = asyncio.Event()

        def committed(_: int) -> None:
            if not wake.is_set():
                loop.call_soon_threadsafe(wake.set)

        stop = self._store.on_commit(committed)
        try:
            while True:
                await wake.wait()
                # Once for many commits: a request looks by itself.
                await asyncio.sleep(_SOON)
                wake.clear()
                await self.current()
        finally:
            stop()

    async def _look_next(self) -> None:
        async with self._turn:
            self._waiting = None  # who comes from here on has the next look
            await self._look()

    async def _look(self) -> None:
        after = self._position
        if await asyncio.wrap_future(self._store.ask_last_document()) <= after:
            return

        def read(snapshot: Snapshot) -> tuple[int, list[Callable[[], None]]]:
            changes = snapshot.document_changes(after)
            last = changes[-1].seq if changes else after
            return last, [
                take(snapshot, change) for change in changes for take in self._takes.get(change.kind, ())
            ]

        last, taken = await asyncio.wrap_future(self._store.read(read))
        for take_in in taken:
            take_in()
        self._position = last

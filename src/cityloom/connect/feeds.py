"""What runs as long as the node: polled urls, MQTT topics, watched files, and the watch over silence."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import structlog

from cityloom.connect.files import find_files
from cityloom.connect.live import Live
from cityloom.connect.mapping import Mapping
from cityloom.connect.silence import mark_silent
from cityloom.connect.sources import Sources, is_silent
from cityloom.connect.state import SourceState
from cityloom.model.errors import CityloomError, OutgoingFailed, Overloaded, StoreFailed
from cityloom.net.client import Outgoing

_WATCH_LEAST, _WATCH_MOST = 1.0, 60.0
_RETRY_FIRST, _RETRY_MOST = 1.0, 300.0
_MESSAGES = 500
_QUEUE = 10_000
_log = structlog.get_logger("connect")


class Feeds:
    """Follows the live sources of a city until it is cancelled.

    Args:
        sources: which, and where their rows go.
        outgoing: the guarded client for urls and MQTT brokers.
        max_bytes: largest answer of a polled url.
        data: the folder of the source files; a source whose file is changed there is imported again.
    """

    def __init__(
        self,
        sources: Sources,
        outgoing: Outgoing,
        max_bytes: int = 256 * 1024 * 1024,
        data: Path | None = None,
    ) -> None:
        self._sources = sources
        self._outgoing = outgoing
        self._data = None if data is None else data.resolve()
        self._max_bytes = max_bytes

    async def run(self) -> None:
        """Runs every feed and the watch; ends the runs of all live sources when it is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch())
                if self._data is not None and self._data.is_dir():
                    group.create_task(self._follow_files(self._data))
                for mapping in self._sources.mappings:
                    if mapping.url:
                        group.create_task(self._follow(mapping, self._poll))
                    elif mapping.topic:
                        group.create_task(self._follow(mapping, self._subscribe))
        finally:
            await self._sources.close()

    async def _follow(self, mapping: Mapping, way: Any) -> None:
        """Keeps one feed going: what fails is noted in the source's state and tried again, ever slower."""
        live = self._sources.live(mapping)
        wait = _RETRY_FIRST
        while True:
            try:
                step: Coroutine[Any, Any, None] = way(mapping, live)
                await step
                wait = _RETRY_FIRST
            except (CityloomError, OSError) as error:
                problem = error.detail if isinstance(error, CityloomError) else str(error)
                _log.warning("feed failed", source=mapping.source, problem=problem, retry=wait)
                await self._note(live, problem)
                await asyncio.sleep(wait)
                wait = min(wait * 2, _RETRY_MOST)

    async def _follow_files(self, data: Path) -> None:
        """Imports sources again whose files change; a file that is still written changes again."""
        from watchfiles import awatch

        async for changes in awatch(data):
            changed = {Path(path) for _, path in changes}
            for mapping in self._sources.mappings:
                if not mapping.path or mapping.is_live:
                    continue
                try:
                    if any(file.content in changed for file in find_files(mapping, data)):
                        await self._sources.importer.run(mapping, data)
                except CityloomError as error:  # the run is kept as failed, with this sentence
                    _log.warning("import failed", source=mapping.source, problem=error.detail)

    async def _note(self, live: Live, problem: str) -> None:
        try:
            await live.failed(problem)
        except CityloomError as error:
            _log.error(
                "the state of a source could not be kept", source=live.mapping.source, problem=error.detail
            )

    async def _poll(self, mapping: Mapping, live: Live) -> None:
        """Reads a url again and again; an answer that is byte for byte the last one is not read again."""
        last = ""
        while True:
            reply = await self._outgoing.get(mapping.url, max_bytes=self._max_bytes)
            if reply.status != 200:
                raise OutgoingFailed(f"{mapping.url} answered {reply.status}")
            digest = hashlib.sha256(reply.body).hexdigest()
            if digest != last:
                await live.message(reply.body, mapping.url)
                last = digest
            await asyncio.sleep(mapping.poll / 1e6)

    async def _subscribe(self, mapping: Mapping, live: Live) -> None:
        """Takes the messages of a topic, as many at once as have come."""
        waiting: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(_QUEUE)
        # Only a city with such a source loads the MQTT client.
        from cityloom.connect.topic import subscribed

        async with subscribed(mapping, self._outgoing, waiting) as reader:
            while True:
                first = asyncio.ensure_future(waiting.get())
                done, _ = await asyncio.wait({first, reader}, return_when=asyncio.FIRST_COMPLETED)
                if first not in done:
                    first.cancel()
                    await reader
                    return
                messages = [first.result()]
                while len(messages) < _MESSAGES and not waiting.empty():
                    messages.append(waiting.get_nowait())
                await self._until_taken(live, messages)

    async def _until_taken(self, live: Live, messages: list[tuple[str, bytes]]) -> None:
        """Messages that came are not lost when the store is busy or failing: they are offered again."""
        wait = _RETRY_FIRST
        while True:
            try:
                await live.messages(messages)
            except (Overloaded, StoreFailed) as error:
                _log.warning("messages wait", source=live.mapping.source, problem=error.detail, retry=wait)
                await asyncio.sleep(wait)
                wait = min(wait * 2, _RETRY_MOST)
            else:
                return

    async def _watch(self) -> None:
        intervals = [mapping.interval for mapping in self._sources.mappings if mapping.interval is not None]
        pause = min(max(min(intervals, default=0) / 4e6, _WATCH_LEAST), _WATCH_MOST)
        while True:
            try:
                await self.watch()
            except CityloomError as error:
                _log.error("the watch over silence failed", problem=error.detail)
            await asyncio.sleep(pause)

    async def watch(self) -> None:
        """One look at every live source with an expected interval: marks what is silent, and what is not."""
        importer = self._sources.importer
        for mapping in self._sources.mappings:
            if mapping.interval is None or not mapping.is_live:
                continue
            await self._sources.live(mapping).flush()
            now = importer.target.clock.now()
            state = await importer.states.get(mapping.source)
            if state.report is None:
                continue
            silent = is_silent(mapping, state, now)
            if silent != state.stale:
                await importer.states.change(mapping.source, _set_stale(silent))
                _log.warning("source fell silent" if silent else "source speaks again", source=mapping.source)
            await mark_silent(importer.target, mapping, now)


def _set_stale(silent: bool) -> Any:
    def change(state: SourceState) -> None:
        state.stale = silent

    return change

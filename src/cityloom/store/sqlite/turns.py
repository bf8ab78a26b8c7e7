"""Turns of several processes at one file: who writes next, and how each hears that another wrote."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw
import structlog

from cityloom.store.sqlite.connection import open_reader

LOOK_SECONDS: Final = 0.02
"""Between two looks whether another process wrote: it is heard of after half of that on the average."""

_log = structlog.get_logger("store")


class Turn:
    """Whose turn it is to write: processes wait in the kernel and not in SQLite, which sleeps and tries.

    Who waits holds the door, so that who has just written cannot pass by those who wait. A process
    that ends, however, lets go of both.

    Cost: four system calls for each group of works.
    """

    def __init__(self, path: Path) -> None:
        self._door, self._turn = (_open(path, part) for part in ("door", "turn"))
        self._mine = False

    def take(self) -> None:
        """Waits for the turn (idempotent)."""
        if self._mine:
            return
        fcntl.flock(self._door, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._turn, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._door, fcntl.LOCK_UN)
        self._mine = True

    def give(self) -> None:
        """Lets the next one write (idempotent)."""
        if self._mine:
            self._mine = False
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def close(self) -> None:
        """Is of no use any more."""
        os.close(self._door)
        os.close(self._turn)


def _open(path: Path, part: str) -> int:
    # In each process anew: locks of a descriptor that was handed on would be one and the same.
    return os.open(path.with_name(f"{path.name}.{part}"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


class Alone:
    """What one thread of one process may be in at a time; a process that ends is out of it."""

    def __init__(self, path: Path) -> None:
        self._descriptor = _open(path, "cold")
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._lock.release()

    def close(self) -> None:
        """Is of no use any more."""
        os.close(self._descriptor)


class Watch:
    """Looks again and again whether another process wrote to the file, and tells of new events.

    Args:
        tell: hears the last event's number.

    Cost: about 5 µs a look, fifty times a second.
    """

    def __init__(self, path: Path, vfs: str | None, tell: Callable[[int], None]) -> None:
        self._connection = open_reader(path, vfs)
        self._tell = tell
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends it."""
        self._end.set()
        self._thread.join()
        self._connection.close(True)

    def _run(self) -> None:
        version: int | None = None
        told = 0
        while not self._end.wait(LOOK_SECONDS):
            try:
                now = self._connection.execute("PRAGMA data_version").get
                if now == version:
                    continue
                seq: int = self._connection.execute("SELECT seq FROM pulse").get
            except apsw.Error as error:
                _log.error("the file cannot be watched", reason=str(error))
                self._end.wait(1.0)
                continue
            version = now
            if seq > told:
                told = seq
                self._tell(seq)

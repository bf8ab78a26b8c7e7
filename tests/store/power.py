"""A disk whose power can be cut: what was not synced is lost, or lost in part, as on real disks.

Files are written through to the real ones, so that the process sees what it
wrote; beside that every file has its *durable* content, which a sync brings up
to date, and the writes since. `cut` stops the disk; `leave` writes what it
would hold when the power is back.
"""

from __future__ import annotations

import random
import threading
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal

import apsw

SECTOR: Final = 512
Loss = Literal["all", "random", "torn"]
"""Of the writes not synced: all are lost; a random choice is; or of each a random choice of sectors."""

_numbers = count(1)


class PowerLost(apsw.IOError):
    """Every operation after the cut."""


class Content:
    """What a disk holds of one file for certain, and what it was told since."""

    def __init__(self, durable: bytes) -> None:
        self.durable = bytearray(durable)
        self.pending: list[tuple[int, bytes] | int] = []
        """Writes (offset, bytes) and truncations (size), in order."""

    def sync(self) -> None:
        for change in self.pending:
            apply(self.durable, change)
        self.pending.clear()

    def survived(self, loss: Loss, draw: random.Random) -> bytes:
        content = bytearray(self.durable)
        for change in self.pending:
            if loss == "all" or draw.random() < 0.5:
                continue
            if loss == "torn" and isinstance(change, tuple):
                offset, data = change
                for start in range(0, len(data), SECTOR):
                    if draw.random() < 0.5:
                        apply(content, (offset + start, data[start : start + SECTOR]))
            else:
                apply(content, change)
        return bytes(content)


def apply(content: bytearray, change: tuple[int, bytes] | int) -> None:
    """Makes a change to a file's content."""
    if isinstance(change, int):
        del content[change:]
        return
    offset, data = change
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


class Disk:
    """A VFS named `name`.

    Args:
        cut_after: how many writes and syncs it lives; None for ever.
        full_after: after how many written bytes it is full; None never.
    """

    def __init__(self, *, cut_after: int | None = None, full_after: int | None = None) -> None:
        self.name = f"disk-{next(_numbers)}"
        self.files: dict[str, Content] = {}
        self.lock = threading.RLock()
        self.off = False
        self.operations = 0
        self.syncs = 0
        self.cut_after = cut_after
        self.room = full_after
        self.fails: set[str] = set()
        """What cannot be done for now: "write", "sync"."""
        self._vfs = _Vfs(self)

    def cut(self) -> None:
        """The power goes now."""
        with self.lock:
            self.off = True

    def tick(self, operation: str) -> None:
        """Counts an operation; the power may go with it, or it fails."""
        self.operations += 1
        if self.cut_after is not None and self.operations > self.cut_after:
            self.off = True
        if self.off:
            raise PowerLost("the power is off")
        if operation in self.fails:
            raise apsw.IOError(f"the {operation} failed")

    def leave(self, folder: Path, loss: Loss, draw: random.Random) -> None:
        """Writes the files as they are when the power is back."""
        for path, content in self.files.items():
            if not path.endswith("-shm"):
                (folder / Path(path).name).write_bytes(content.survived(loss, draw))

    def unregister(self) -> None:
        self._vfs.unregister()


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__(disk.name, "", maxpathname=1024)

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        return _File(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        with self._disk.lock:
            self._disk.tick("delete")
            super().xDelete(filename, syncdir)
            self._disk.files.pop(filename, None)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        super().__init__("", name, flags)
        with disk.lock:
            if path is None:
                self._content = Content(b"")
            else:
                file = Path(path)
                self._content = disk.files.setdefault(
                    path, Content(file.read_bytes() if file.exists() else b"")
                )

    def xWrite(self, data: bytes, offset: int) -> None:
        with self._disk.lock:
            self._disk.tick("write")
            if self._disk.room is not None:
                self._disk.room -= len(data)
                if self._disk.room < 0:
                    raise apsw.FullError("database or disk is full")
            super().xWrite(data, offset)
            # As it is in the file: what writes it adds its checksum to a page.
            self._content.pending.append((offset, bytes(super().xRead(len(data), offset))))

    def xTruncate(self, newsize: int) -> None:
        with self._disk.lock:
            self._disk.tick("truncate")
            super().xTruncate(newsize)
            self._content.pending.append(newsize)

    def xSync(self, flags: int) -> None:
        with self._disk.lock:
            self._disk.tick("sync")
            self._disk.syncs += 1
            self._content.sync()

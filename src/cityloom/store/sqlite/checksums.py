"""Checksums of a file's pages: written by SQLite's own extension, looked at here byte by byte.

SQLite's `cksumvfs` keeps eight bytes at the end of each page and refuses a page that does not hold
what was written. The write-ahead log has checksums of its own, which SQLite takes for the end of
the log where they are wrong: what stands behind is dropped in silence, so they are looked at, too.

Source: SQLite, "The Checksum VFS Shim"; "Database File Format", sections 1.3 and 4.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import apsw
import apsw.sqlite_extra
import numpy as np
import structlog

from cityloom.model.errors import ConfigurationError

RESERVED: Final = 8
"""Bytes at the end of a page, for its checksum."""
_HEADER: Final = 100
_LOG_HEADER: Final = 32
_FRAME_HEADER: Final = 24
_AT_ONCE: Final = 2048
"""Pages that are looked at together."""
_TRIES: Final = 5
"""Looks at a page that a node may be writing."""
_PAUSE: Final = 0.05
_MASK: Final = 0xFFFFFFFF

_log = structlog.get_logger("store")


def _register() -> None:
    """Makes the extension's VFS the one that files are opened with, in this process."""
    with_extension = apsw.Connection(":memory:")
    try:
        apsw.sqlite_extra.load(with_extension, "cksumvfs")
    except (LookupError, apsw.sqlite_extra.NotAvailable) as error:
        raise ConfigurationError(
            f"apsw lacks the extension cksumvfs: install it as a wheel ({error})"
        ) from None
    finally:
        with_extension.close()


_register()


def seal(connection: apsw.Connection, path: Path) -> None:
    """Sees to it that the pages of the file have checksums; the file is in use by nobody else.

    Cost: nothing for a file that has them; a file of an older version is written anew, once.
    """
    if not connection.execute("PRAGMA page_count").get:
        connection.reserve_bytes("main", RESERVED)
    elif _reserved(path) != RESERVED:
        _log.warning("the store's pages get checksums: the file is written anew", store=str(path))
        connection.execute("PRAGMA journal_mode=DELETE").fetchall()
        connection.reserve_bytes("main", RESERVED)
        # The first page tells that there are checksums: those written before it have none yet.
        connection.execute("VACUUM")
        connection.execute("PRAGMA checksum_verification=0").fetchall()
        connection.execute("VACUUM")
        connection.execute("PRAGMA checksum_verification=1").fetchall()


def begin_copy(connection: apsw.Connection) -> None:
    """Makes an empty file of which every page, whichever comes first, will have its checksum."""
    connection.execute("PRAGMA page_size=4096")
    connection.reserve_bytes("main", RESERVED)
    connection.execute("CREATE TABLE first (page)")


def _reserved(path: Path) -> int:
    with path.open("rb") as file:
        return file.read(_HEADER)[20]


def wrong_pages(path: Path) -> list[int]:
    """The numbers of the pages that do not hold what was written; a node may have the file open.

    Raises:
        ConfigurationError: the file's pages have no checksums, or its header is damaged.

    Cost: a read of the file.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER)
        size = int.from_bytes(header[16:18], "big") or 0
        size = 65536 if size == 1 else size
        if header[:16] != b"SQLite format 3\x00" or size < 512 or size & (size - 1):
            raise ConfigurationError(f"the store {path} is damaged: its header is none")
        if header[20] != RESERVED:
            raise ConfigurationError(
                f"the store {path} is damaged, or its pages have no checksums yet: "
                "they get them when it is served"
            )
        wrong = list(_wrong(file, size))
        for _ in range(_TRIES):  # a node may have been writing one
            if not wrong:
                break
            time.sleep(_PAUSE)
            wrong = [number for number in wrong if _is_wrong(file, size, number)]
        if os.fstat(file.fileno()).st_size % size:
            wrong.append(os.fstat(file.fileno()).st_size // size + 1)
    return wrong


def _wrong(file: Any, size: int) -> Iterator[int]:
    file.seek(0)
    first = 1
    while piece := file.read(size * _AT_ONCE):
        pages = np.frombuffer(piece[: len(piece) // size * size], np.uint8).reshape(-1, size)
        words = np.ascontiguousarray(pages).view("<u4")
        sums = _sums(words[:, :-2])
        for place in np.nonzero((sums != words[:, -2:]).any(axis=1))[0]:
            yield first + int(place)
        first += len(pages)


def _is_wrong(file: Any, size: int, number: int) -> bool:
    file.seek((number - 1) * size)
    page = file.read(size)
    if len(page) < size:
        return False  # it was given back meanwhile
    words = np.frombuffer(page, "<u4")[None, :]
    return bool((_sums(words[:, :-2]) != words[:, -2:]).any())


def accept_pages(path: Path, numbers: list[int]) -> None:
    """Gives pages the checksums of what they hold now; no node may have the file open."""
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(18)[16:18], "big")
        for number in numbers:
            file.seek((number - 1) * size)
            words = np.frombuffer(file.read(size), "<u4")[None, :]
            file.seek(number * size - RESERVED)
            file.write(_sums(words[:, :-2]).astype("<u4").tobytes())
        file.flush()
        os.fsync(file.fileno())


def wrong_frame(path: Path) -> int | None:
    """The first frame of a write-ahead log that does not hold what was written; None when all do.

    The end of a log, where older frames or half a frame may stand, is no damage: after a damaged
    frame others of the same log follow.
    """
    for _ in range(_TRIES):
        frame = _wrong_frame(path)
        if frame is None:
            return None
        time.sleep(_PAUSE)  # a node may have been writing it, or have begun the log anew
    return frame


def _wrong_frame(path: Path) -> int | None:
    try:
        log = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(log) <= _LOG_HEADER:
        return None
    magic, _, size = struct.unpack(">3I", log[:12])
    order = ">u4" if magic & 1 else "<u4"
    length = _FRAME_HEADER + size
    if magic & ~1 != 0x377F0682 or size < 512 or size & (size - 1):
        return 1 if any(log) else None
    state = _running(np.frombuffer(log[:24], order), (0, 0))
    if state != struct.unpack(">2I", log[24:32]):
        return 1
    salt = log[16:24]
    damaged: int | None = None
    for number, start in enumerate(range(_LOG_HEADER, len(log) - length + 1, length), 1):
        frame = log[start : start + length]
        of_this_log = frame[8:16] == salt
        if damaged is not None:
            if of_this_log:
                return damaged
            continue
        state = _running(np.frombuffer(frame[:8] + frame[_FRAME_HEADER:], order), state)
        if not of_this_log or state != struct.unpack(">2I", frame[16:24]):
            damaged = number
    return None


_coefficients: Final[dict[int, Any]] = {}


def _factors(words: int) -> Any:
    """How much each of so many words, and what was there before, counts in the two sums.

    The sums go `a += word + b; b += next word + a`, modulo 2**32: each is a sum of products. Rows:
    words, then `a` and `b` as they were; columns: `a`, `b`.
    """
    found = _coefficients.get(words)
    if found is None:
        found = np.zeros((words + 2, 2), np.uint32)
        from_a, from_b = (1, 0), (0, 1)
        for place in range(words - 2, -1, -2):
            # What a value of `a` or `b` behind this pair of words comes to at the end.
            found[place + 1] = from_b
            after_a = (from_a[0] + from_b[0]) & _MASK, (from_a[1] + from_b[1]) & _MASK
            found[place] = after_a
            before_b = (after_a[0] + from_b[0]) & _MASK, (after_a[1] + from_b[1]) & _MASK
            from_a, from_b = after_a, before_b
        found[words], found[words + 1] = from_a, from_b
        _coefficients[words] = found
    return found


def _sums(words: Any) -> Any:
    """The two sums of each row of words."""
    factors = _factors(words.shape[1])[:-2]
    values = words.astype(np.uint32, copy=False)
    return np.stack([(values * factors[:, column]).sum(axis=1, dtype=np.uint32) for column in (0, 1)], axis=1)


def _running(words: Any, before: tuple[int, int]) -> tuple[int, int]:
    """The sums when `words` follow what came to `before`."""
    factors = _factors(len(words))
    values = np.concatenate([words.astype(np.uint32), np.array(before, np.uint32)])
    a, b = ((values * factors[:, column]).sum(dtype=np.uint32) for column in (0, 1))
    return int(a), int(b)

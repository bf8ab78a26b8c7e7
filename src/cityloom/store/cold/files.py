"""The files of tables in a folder: made durable, known by what they hold, and looked at again.

Delta Lake's writer gives files to the system and syncs none: after a power cut they may be
empty, or not there, whatever the log of the table says. Object storage keeps what it took.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

_PIECE: Final = 1024 * 1024
_DIGEST_BYTES: Final = 16


class Kept(NamedTuple):
    """A file as it was when it was made durable; `path` is below the place of the tables."""

    path: str
    size: int
    digest: bytes


def secure(place: Path, files: Iterable[tuple[Path, str]]) -> list[Kept]:
    """Makes files durable, and their names in all folders from theirs up to the one that `place` is in.

    Cost: a read of each file, and the time that the disk takes for what it has not written yet.

    Raises:
        OSError: the disk failed.
    """
    kept = []
    folders: set[Path] = set()
    for file, name in files:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            # Synced before it is read: what is told of it is what the disk holds.
            os.fsync(descriptor)
            kept.append(Kept(name, *_told(descriptor)))
        finally:
            os.close(descriptor)
        folders |= {folder for folder in file.parents if folder.is_relative_to(place.parent)}
    for folder in sorted(folders, reverse=True):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return kept


def differs(place: Path, kept: Kept) -> str:
    """How a file differs from what was made durable; "" when it does not."""
    try:
        descriptor = os.open(place / kept.path, os.O_RDONLY)
    except FileNotFoundError:
        return "is missing"
    try:
        size, digest = _told(descriptor)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    finally:
        os.close(descriptor)
    if size != kept.size:
        return f"has {size:,} bytes, not {kept.size:,}"
    return "" if digest == kept.digest else "holds other bytes than were written"


def _told(descriptor: int) -> tuple[int, bytes]:
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    size = 0
    while piece := os.pread(descriptor, _PIECE, size):
        digest.update(piece)
        size += len(piece)
    return size, digest.digest()

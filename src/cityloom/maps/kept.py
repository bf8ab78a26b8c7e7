"""Tiles that were drawn, kept as long as nothing they show has changed.

The store tells, in the same transaction as each change, the number of the last event that changed
what a map shows. It is asked in the snapshot that the answer is of, so a write that was answered is
seen by everyone who asks after it, and a reading leaves the tiles that do not show it alone.
"""

from __future__ import annotations

import gzip
from collections import OrderedDict
from collections.abc import Callable, Hashable
from hashlib import blake2b
from threading import Lock
from typing import Final, Protocol

from msgspec import Struct

from cityloom.maps.tile import TileReads
from cityloom.store.log_ports import LogReads

_LEVEL: Final = 3
"""Of gzip: a third of the time of the usual level 6 for a twentieth more bytes."""
_OVERHEAD: Final = 500
"""Bytes that a kept tile takes besides its content."""


class MapSnapshot(TileReads, LogReads, Protocol):
    """What is asked of a snapshot."""


class Shown(Struct, frozen=True):
    """What a tile shows: a change of anything else does not touch it.

    `attributes` None: anything of the type.
    """

    tenant: str
    type: str
    attributes: tuple[str, ...] | None = ()


class Kept(Struct, frozen=True):
    """A tile, compressed; `tag` tells its content; `seq` is the log's number that it was drawn at."""

    body: bytes
    size: int
    tag: str
    seq: int


Draw = Callable[[TileReads], bytes]
"""Draws one tile of what a snapshot holds."""


class Answered(Struct, frozen=True):
    """A tile as it is at `seq`, the last number of the log that was looked at."""

    tile: Kept
    seq: int


class KeptTiles:
    """A bounded number of bytes of tiles, the latest asked for; safe for many threads.

    Args:
        most: bytes.
    """

    def __init__(self, most: int = 64 * 1024 * 1024) -> None:
        self._most = most
        self._bytes = 0
        self._tiles: OrderedDict[Hashable, Kept] = OrderedDict()
        self._lock = Lock()

    @property
    def bytes(self) -> int:
        """How many bytes are kept."""
        return self._bytes

    def answer(self, snapshot: MapSnapshot, key: Hashable, shown: Shown, draw: Draw) -> Answered:
        """The tile of `key` as it is in `snapshot`, kept or drawn now.

        Args:
            key: everything that the tile depends on but the city.
        """
        seq = snapshot.last_seq()
        changed = snapshot.changed(shown.tenant, shown.type, shown.attributes)
        with self._lock:
            kept = self._tiles.get(key)
            # One that is newer than this snapshot is fresher still.
            if kept is not None and kept.seq >= changed:
                self._tiles.move_to_end(key)
                return Answered(kept, seq)
        body = draw(snapshot)
        tag = blake2b(body, digest_size=12).hexdigest()
        kept = Kept(gzip.compress(body, _LEVEL, mtime=0), len(body), tag, seq)
        with self._lock:
            self._keep(key, kept)
        return Answered(kept, seq)

    def _keep(self, key: Hashable, kept: Kept) -> None:
        old = self._tiles.pop(key, None)
        if old is not None:
            self._bytes -= len(old.body) + _OVERHEAD
            if old.seq > kept.seq:
                kept = old  # a newer snapshot was quicker
        self._tiles[key] = kept
        self._bytes += len(kept.body) + _OVERHEAD
        while self._bytes > self._most and self._tiles:
            _, gone = self._tiles.popitem(last=False)
            self._bytes -= len(gone.body) + _OVERHEAD

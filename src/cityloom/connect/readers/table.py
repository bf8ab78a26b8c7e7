"""What every reader gives: columns, numbered rows, notes for the report."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from cityloom.connect.rejects import Unreadable
from cityloom.model.errors import ConfigurationError

Content = Path | bytes
Rows = Iterator[tuple[int, dict[str, Any] | Unreadable]]
_GZIP = b"\x1f\x8b"


@dataclass(slots=True)
class Table:
    """An opened source.

    Args:
        rows: (number, row); the first data row is 1.
        columns: the columns' names where the format has a header, else None.
        fraction: how much of it has been read, 0 to 1.
        notes: what the report should tell.
        close: closes what it reads from, also when not all of it was read.
    """

    rows: Rows
    columns: list[str] | None = None
    fraction: Callable[[], float] = lambda: 0.0
    notes: dict[str, Any] = field(default_factory=dict)
    close: Callable[[], None] = lambda: None


def name_of(content: Content) -> str:
    """What messages call it."""
    return str(content) if isinstance(content, Path) else "the message"


def open_bytes(content: Content) -> tuple[BinaryIO, Callable[[], float]]:
    """A stream of the (unzipped) bytes, and how much of the file has been read.

    Raises:
        ConfigurationError: the file does not exist or cannot be opened.
    """
    try:
        if isinstance(content, bytes):
            raw: BinaryIO = io.BytesIO(content)
            size = len(content)
        else:
            raw, size = content.open("rb"), content.stat().st_size
        zipped = raw.read(len(_GZIP)) == _GZIP
        raw.seek(0)
    except FileNotFoundError:
        raise ConfigurationError(f"{content!s} does not exist") from None
    except OSError as error:
        raise ConfigurationError(f"{name_of(content)} cannot be read: {error}") from None
    stream = raw
    if zipped:
        unzipped = gzip.GzipFile(fileobj=raw)
        unzipped.myfileobj = raw  # type: ignore[assignment]  # closes the file below it too
        stream = cast(BinaryIO, unzipped)

    def fraction() -> float:
        return 1.0 if raw.closed or not size else raw.tell() / size

    return stream, fraction


def read_bytes(content: Content) -> bytes:
    """The whole (unzipped) content.

    Raises:
        ConfigurationError: it cannot be read.
    """
    stream, _ = open_bytes(content)
    try:
        with stream:
            return stream.read()
    except (OSError, EOFError) as error:
        raise ConfigurationError(f"{name_of(content)} cannot be read: {error}") from None

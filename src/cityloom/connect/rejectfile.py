"""The reject file of a run: one JSON line a rejected row, below the city's data folder."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import msgspec

from cityloom.connect.rejects import Reject
from cityloom.model.errors import StoreFailed

_encoder = msgspec.json.Encoder(enc_hook=str)


class RejectFile:
    """Writes a run's rejects; the file is made with the first of them.

    Args:
        folder: `rejects/<source>/` of the city's data folder.
        number: the run's.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self.path = folder / f"{number}.jsonl"
        self._file: BinaryIO | None = None

    def write(self, rejects: list[Reject]) -> None:
        """Adds lines and hands them to the system.

        Raises:
            StoreFailed: the disk does not take them.
        """
        if not rejects:
            return
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("ab")
            self._file.write(b"".join(_encoder.encode(reject) + b"\n" for reject in rejects))
            self._file.flush()
        except OSError as error:
            raise StoreFailed(f"the reject file {self.path} could not be written: {error}") from None

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

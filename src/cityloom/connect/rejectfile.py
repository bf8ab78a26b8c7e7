"""The reject file of a run: one JSON line a rejected row, below the city's data folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cityloom.connect.rejects import Reject
from cityloom.model.errors import StoreFailed

_encoder = msgspec.json.Encoder(enc_hook=str)


class RejectFile:
    """Adds a run's rejects to its file, which is made with the first of them.

    Args:
        folder: `rejects/<source>/` of the city's data folder.
        number: the run's.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self.path = folder / f"{number}.jsonl"

    def write(self, rejects: list[Reject]) -> None:
        """Adds lines.

        Raises:
            StoreFailed: the disk does not take them.
        """
        if not rejects:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(b"".join(_encoder.encode(reject) + b"\n" for reject in rejects))
        except OSError as error:
            raise StoreFailed(f"the reject file {self.path} could not be written: {error}") from None

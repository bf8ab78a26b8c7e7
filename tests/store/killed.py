"""A process that writes until it is killed: `python -m tests.store.killed FILE SEED`.

Every answer is a line of its output.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cityloom.model.clock import SystemClock
from cityloom.store.sqlite import SqliteStore, writer
from tests.store import load


def main() -> None:
    """Opens the file and writes for ever."""
    writer.CHECKPOINT_PAGES = 100
    store = SqliteStore(Path(sys.argv[1]), SystemClock())
    os.write(1, b"open\n")

    def answered(entity_id: str, version: int, seq: int) -> None:
        # one system call: a line is in the pipe whole or not at all
        os.write(1, f"{entity_id} {version} {seq}\n".encode())

    load.run(store, int(sys.argv[2]), 1_000_000, answered)


if __name__ == "__main__":
    main()

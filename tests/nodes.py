"""Starting the real command as a user would: `cityloom serve` in a process of its own."""

import os
import re
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

COMMAND = [str(Path(sys.executable).parent / "cityloom")]
START_LIMIT = 60.0
"""Seconds after which a node that did not start counts as failed."""


class NodeProcess:
    """A node in its own process; `url` is where it answers."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        self.log = data.parent / f"{data.name}.log"
        self._options = options
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.stop()

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Starts it and waits until it says where it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*COMMAND, "serve", "--data", str(self.data), "--port", "0", *self._options],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        assert self._process.stdout is not None
        deadline = time.monotonic() + START_LIMIT
        said = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not (found := re.search(rb"page +(http://\S+?)/\n", said)):
                if not selector.select(timeout=max(0.0, deadline - time.monotonic())):
                    raise AssertionError(f"the node did not start: {self.log.read_text()[-2000:]}")
                part = os.read(self._process.stdout.fileno(), 4096)
                if not part:
                    raise AssertionError(f"the node ended: {self.log.read_text()[-2000:]}")
                said += part
        self.url = found[1].decode()

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        assert self._process is not None
        self._process.kill()
        self._end()

    def stop(self) -> int:
        """SIGINT, as Ctrl-C; the exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        return self._end()

    def _end(self) -> int:
        assert self._process is not None
        assert self._process.stdout is not None
        status = self._process.wait(timeout=30)
        self._process.stdout.close()
        self._process = None
        return status

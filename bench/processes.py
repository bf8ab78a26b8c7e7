"""Processes under measurement: started, waited for, their processor time and memory read, ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.request import urlopen

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_LOOK: Final = 0.3
_IDLE: Final = 0.02
"""Seconds of the processor in `_LOOK` seconds that are as good as none."""
_PATIENCE: Final = 120.0
"""Seconds in which a process must answer."""


class Process:
    """A server in a process of its own, on a free port of loopback.

    Args:
        command: `{port}` in it is the port.
        log: the file that takes its output.
        beside: the seconds of the processors of what works for it and was not started by it.

    `started_in` is how many seconds it took until it answered.
    """

    def __init__(self, command: list[str], log: Path, beside: Callable[[], float] | None = None) -> None:
        self._beside = beside
        self.port = _free_port()
        self._log = log
        given = [each.replace("{port}", str(self.port)) for each in command]
        with log.open("ab") as output:
            begun = time.perf_counter()
            self._process = subprocess.Popen(given, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self._await_answer()
        self.started_in = time.perf_counter() - begun

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def cpu(self) -> float:
        """Seconds of the processors that it and its children have had."""
        return family_cpu(self._process.pid) + (self._beside() if self._beside is not None else 0.0)

    def rested(self) -> float:
        """As `cpu`, once it has nothing left to do: what follows the log is part of a write."""
        last, now = -1.0, self.cpu()
        while now - last > _IDLE:
            time.sleep(_LOOK)
            last, now = now, self.cpu()
        return now

    def resident(self) -> int:
        """Bytes of memory that it and its children hold."""
        pages = (Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in _family(self._process.pid))
        return sum(map(int, pages)) * _PAGE

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _await_answer(self) -> None:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError(f"the process ended at once; {self._log} says why")
            try:
                with urlopen(f"{self.url}/health", timeout=_PATIENCE):
                    return
            except OSError:
                time.sleep(0.01)
        raise RuntimeError(f"the process does not answer; {self._log} may say why")


def node(folder: Path, *options: str, beside: Callable[[], float] | None = None) -> Process:
    """A node that serves a city's folder, as an operator would start it; `beside` as for `Process`."""
    cityloom = str(Path(sys.executable).with_name("cityloom"))
    command = [cityloom, "serve", "--data", str(folder), "--port", "{port}", *options]
    return Process(command, folder / "node.log", beside)


def bare_server(folder: Path, body: bytes) -> Process:
    """The bare server, which answers `body` to everything."""
    file = folder / "answer.json"
    file.write_bytes(body)
    return Process([sys.executable, "-m", "bench.bare", "{port}", str(file)], folder / "bare.log")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def family_cpu(pid: int, *, ended: bool = False) -> float:
    """Seconds of the processors of a process and all that it started; those that have `ended`, too."""
    members = sum(_ticks(one) for one in _family(pid))
    return (members + (_ticks(pid, 13) if ended else 0)) / _TICKS


def _family(pid: int) -> list[int]:
    """A process and all that it started."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            found.extend(map(int, children.read_text().split()))
    return found


def _ticks(pid: int, field: int = 11) -> int:
    """Time in the program and in the kernel; from field 13 on, that of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:  # it has just ended
        return 0
    return int(fields[field]) + int(fields[field + 1])

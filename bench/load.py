"""Load: as much as a server takes (closed loop, by `wrk`), or requests at fixed times (open loop).

The open loop measures from the moment at which a request was due, whether or not the server was
ready for it, so that a stall is told by every request that it held up.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from typing import Any, Final, NamedTuple

_SCRIPTS: Final = Path(__file__).parent / "lua"
_DONE: Final = re.compile(r"(\d+) requests in")
_BAD: Final = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CONNECTIONS: Final = 32


class Latency(NamedTuple):
    """Milliseconds from when a request was due until its answer was whole."""

    p50: float
    p99: float


def hammer(url: str, script: str, seconds: int, clients: int, **told: object) -> int:
    """Requests answered in `seconds` to so many clients, each with one under way.

    Args:
        script: the name of a file in `lua/`.
        told: what the script asks for, as environment variables in capitals.

    Raises:
        RuntimeError: `wrk` is missing, or an answer was no success.
    """
    if shutil.which("wrk") is None:
        raise RuntimeError("wrk is required: apt-get install wrk")
    environment = (
        os.environ | {"LUA": str(_SCRIPTS)} | {name.upper(): str(each) for name, each in told.items()}
    )
    command = [
        "wrk",
        "-t1",
        "--timeout",
        "30s",
        f"-c{clients}",
        f"-d{seconds}s",
        "-s",
        str(_SCRIPTS / f"{script}.lua"),
        url,
    ]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    bad = _BAD.search(output)
    if bad is not None:
        raise RuntimeError(f"{script}: {bad[1]} answers were no success")
    done = _DONE.search(output)
    if done is None or "Socket errors" in output:
        raise RuntimeError(f"{script}: {output}")
    return int(done[1])


def paced(port: int, requests: Iterator[bytes], rate: float, seconds: float) -> Latency:
    """Sends `rate` requests a second for `seconds`, each at its time, and measures each.

    Raises:
        RuntimeError: an answer was no success, or had no length.
    """
    return asyncio.run(_paced(port, requests, rate, seconds))


async def _paced(port: int, requests: Iterator[bytes], rate: float, seconds: float) -> Latency:
    loop = asyncio.get_running_loop()
    took: list[float] = []
    idle: deque[_Connection] = deque()
    late: deque[tuple[float, bytes]] = deque()
    for _ in range(_CONNECTIONS):
        _, connection = await loop.create_connection(lambda: _Connection(took, idle, late), "127.0.0.1", port)
        idle.append(connection)
    count = int(rate * seconds)
    begun = time.perf_counter()
    for number in range(count):
        due = begun + number / rate
        wait = due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        elif number % 16 == 0:
            await asyncio.sleep(0)
        request = next(requests)
        if idle:
            # The one that was used last: the node closes those that rest for some seconds.
            idle.pop().ask(due, request)
        else:
            late.append((due, request))
    while len(took) < count:
        await asyncio.sleep(0.005)
    for connection in list(idle):
        connection.close()
    if any(each < 0 for each in took):
        raise RuntimeError("an answer was no success, or did not come")
    cuts = quantiles(took, n=100)
    return Latency(cuts[49] * 1000, cuts[98] * 1000)


class _Connection(asyncio.Protocol):
    """One connection, on which one request at a time is under way."""

    def __init__(self, took: list[float], idle: deque[_Connection], late: deque[tuple[float, bytes]]) -> None:
        self._took = took
        self._idle = idle
        self._late = late
        self._due = 0.0
        self._got = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def ask(self, due: float, request: bytes) -> None:
        """Sends a request that was due at `due`."""
        self._due, self._got = due, b""
        self._transport.write(request)

    def close(self) -> None:
        """Ends it."""
        self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self in self._idle:
            self._idle.remove(self)
        else:
            self._took.append(-1.0)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        if not end:
            return
        length = _LENGTH.search(head)
        if length is not None and len(body) < int(length[1]):
            return
        succeeded = head.startswith(b"HTTP/1.1 2")
        self._took.append(time.perf_counter() - self._due if succeeded else -1.0)
        if self._late:
            self.ask(*self._late.popleft())
        else:
            self._idle.append(self)

"""A real node in a process of its own, and plain requests to it."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

CITYLOOM = str(Path(sys.executable).with_name("cityloom"))
_START_SECONDS = 240
_ANSWER_SECONDS = 180
_ADDRESS = re.compile(r"page\s+(http://\S+?)/?\s")


class NodeProcess:
    """One running node; `url` is its origin, without a slash at the end."""

    def __init__(self, url: str, output: list[str]) -> None:
        self.url = url
        self.output = output

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Sends one JSON request and returns the answer's JSON; fails the test on a refusal."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as response:
                answer = response.read()
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None
        return json.loads(answer) if answer else None

    def get(self, path: str) -> Any:
        return self.request("GET", path)

    def create(self, entity: dict[str, Any]) -> None:
        self.request("POST", "/ngsi-ld/v1/entities", entity)

    def patch(self, entity_id: str, fragment: dict[str, Any]) -> None:
        self.request("PATCH", f"/ngsi-ld/v1/entities/{quote(entity_id, safe='')}/attrs", fragment)

    def delete(self, entity_id: str) -> None:
        self.request("DELETE", f"/ngsi-ld/v1/entities/{quote(entity_id, safe='')}")


@contextmanager
def running(*arguments: str) -> Iterator[NodeProcess]:
    """Runs `cityloom` with these arguments until the block ends; yields when it answers.

    The output is read to its end by a thread, or a full pipe would stop the node.
    """
    process = subprocess.Popen(
        [CITYLOOM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    output: list[str] = []
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line)
            if _ADDRESS.search(line):
                ready.set()
        ready.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        ready.wait(_START_SECONDS)
        found = _ADDRESS.search("".join(output))
        assert found, f"the node did not start:\n{''.join(output[-40:])}"
        yield NodeProcess(found.group(1), output)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(10)
        if process.stdout is not None:
            process.stdout.close()


def sample_folder(factory: pytest.TempPathFactory) -> Path:
    """A folder with the small sample city, as `make run` makes it, to be used by `up`.

    It is made once, by whichever process of the tests asks first; everyone gets a copy.
    """
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    made = shared / "sample-city"
    with (shared / "sample-city.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            making = shared / "sample-city.partial"
            with running("up", "--city", "sample", "--folder", str(making), "--port", "0"):
                pass
            making.rename(made)
    return Path(shutil.copytree(made, factory.mktemp("city") / "sample"))


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port

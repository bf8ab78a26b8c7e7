"""Several processes over one store: how soon one hears of another's commit, what looking costs, what they do.

`python -m bench.workers [postgresql://…]` measures the embedded store, and the server's where one is told
(an empty database, which it fills). For docs/decisions/2026-11-30-several-processes.md.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median, quantiles
from urllib.request import Request, urlopen

from bench.load import hammer
from bench.processes import Process
from cityloom.consumers.views import Views
from cityloom.model.clock import SystemClock
from cityloom.model.entity import Entity
from cityloom.model.events import Cause
from cityloom.store.ports import Store
from cityloom.store.postgres import PostgresStore
from cityloom.store.sqlite import SqliteStore

_COMMITS, _LOOKS, _SIZE, _SECONDS, _CLIENTS = 300, 5000, 2000, 5, 32
_CAUSE = Cause(kind="system", id="bench")


def main() -> None:
    """Measures and tells."""
    stores = ["", *sys.argv[1:2]]
    for url in stores:
        name = "PostgreSQL" if url else "SQLite"
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            one, other = _open(place, url), _open(place, url)
            told = _wake(one, other)
            print(f"{name}: a commit is heard of after {told} ms (p50, p99, most of {_COMMITS})", flush=True)
            print(f"{name}: to look whether documents changed takes {_look(one):.1f} us", flush=True)
            one.close()
            other.close()
        for workers in (1, 2):
            with tempfile.TemporaryDirectory() as folder:
                _serve(name, Path(folder) / "city", url, workers)


def _open(folder: Path, url: str) -> Store:
    clock = SystemClock()
    return PostgresStore(url, clock) if url else SqliteStore(folder / "c.db", clock, shared=True)


def _wake(one: Store, other: Store) -> str:
    heard = threading.Event()
    at = 0.0

    def hear(_: int) -> None:
        nonlocal at
        at = time.monotonic()
        heard.set()

    other.on_commit(hear)
    took = []
    for number in range(_COMMITS):
        time.sleep(0.003 * (number % 7))
        heard.clear()
        entity = Entity(id=f"urn:bench:{number}", types=["urn:bench"])
        one.submit(lambda tx, entity=entity: tx.write_entity("", None, entity, _CAUSE)).result()
        committed = time.monotonic()
        heard.wait(10)
        took.append(max(0.0, at - committed) * 1000)
    return f"{median(took):.1f}, {quantiles(took, n=100)[98]:.1f}, {max(took):.1f}"


def _look(store: Store) -> float:
    async def look() -> float:
        views = Views(store)
        await views.start()
        begun = time.perf_counter()
        for _ in range(_LOOKS):
            await views.current()
        return (time.perf_counter() - begun) / _LOOKS * 1e6

    return asyncio.run(look())


def _serve(name: str, folder: Path, url: str, workers: int) -> None:
    cityloom = str(Path(sys.executable).with_name("cityloom"))
    command = [cityloom, "serve", "--data", str(folder), "--port", "{port}", "--workers", str(workers)]
    folder.mkdir()
    with Process(command + (["--store", url] if url else []), folder / "node.log") as node:
        for start in range(0, _SIZE, 500):
            batch = [
                {
                    "id": f"urn:ngsi-ld:Kind{n % 20:02}:{n:07}",
                    "type": f"Kind{n % 20:02}",
                    "intensity": {"type": "Property", "value": n},
                }
                for n in range(start, start + 500)
            ]
            body = json.dumps(batch).encode()
            address = f"{node.url}/ngsi-ld/v1/entityOperations/upsert"
            urlopen(Request(address, body, {"Content-Type": "application/json"})).close()
        for script in ("get.lua", "patch.lua"):
            before, begun = node.rested(), time.perf_counter()
            done = hammer(node.url, script, _SECONDS, _CLIENTS, size=_SIZE)
            took, spent = time.perf_counter() - begun, node.cpu() - before
            print(
                f"{name}, {workers} worker(s), {script}: {done / took:,.0f} a second,"
                f" {done / spent:,.0f} a second of the processor",
                flush=True,
            )
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()

"""A PostgreSQL server for the bench: with all its promises, on the disk that counts, its cities kept.

It runs as the user `postgres` where we are root, whom PostgreSQL refuses. Its processes' time counts.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import asyncpg

from bench.limits import GROUP, ROWS, alone, circle, places, rate_of
from bench.processes import Process, family_cpu, node
from bench.works import Bench
from cityloom.folder import STORE
from cityloom.model.clock import SystemClock
from cityloom.store.moving import move_to_postgres
from cityloom.store.postgres.dialect import POSTGRES
from cityloom.store.postgres.statement import statement
from cityloom.store.sql import select_entities

_USER: Final = "postgres"


def binaries() -> Path | None:
    """The programs of the newest PostgreSQL that has PostGIS; None where there is none."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: -int(each.parent.name)):
        shared = Path("/usr/share/postgresql") / folder.parent.name
        if (folder / "initdb").exists() and (shared / "extension" / "postgis.control").exists():
            return folder
    return None


class Server:
    """A running server; ended with the `with` block.

    Args:
        programs: where `initdb` and `pg_ctl` are.
        folder: where its databases are kept.
    """

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder.resolve()
        self._data = self._folder / "data"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        if not self._data.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            if os.geteuid() == 0:
                shutil.chown(self._folder, _USER, _USER)
            self._run("initdb", "--auth=trust", "--encoding=UTF8", "--locale=C", f"--username={_USER}")
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1"
        self._run("pg_ctl", "--wait", f"--log={self._folder / 'log'}", f"--options={options}", "start")
        self.pid = int((self._data / "postmaster.pid").read_text().split()[0])

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run("pg_ctl", "--wait", "--mode=fast", "stop")

    def cpu(self) -> float:
        """Seconds of the processors that it and its processes have had, ended ones too."""
        return server_cpu(self.pid)

    def url(self, database: str) -> str:
        """Where a database is."""
        return f"postgresql://{_USER}@127.0.0.1:{self._port}/{database}"

    def city(self, made: Path, size: int) -> str:
        """The database of a city, moved there from its file when it is not there yet; its name."""
        name = f"city_{size}"
        if not self._rows(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):
            print(f"moving the city of {size:,} entities to PostgreSQL", file=sys.stderr, flush=True)
            self._execute(f"DROP DATABASE IF EXISTS {name}_part")
            self._execute(f"CREATE DATABASE {name}_part")
            self._execute("CREATE EXTENSION postgis; CREATE EXTENSION btree_gist", f"{name}_part")
            move_to_postgres(made / STORE, self.url(f"{name}_part"), SystemClock())
            self._execute("VACUUM ANALYZE", f"{name}_part")
            self._execute(f"ALTER DATABASE {name}_part RENAME TO {name}")
        return name

    def copy(self, name: str) -> str:
        """A fresh copy of a city's database, to be written to; its name."""
        self._execute("DROP DATABASE IF EXISTS copied WITH (FORCE)")
        self._execute(f"CREATE DATABASE copied TEMPLATE {name}")
        self._execute("CHECKPOINT")
        return "copied"

    def _execute(self, sql: str, database: str = _USER) -> None:
        asyncio.run(_asked(self.url(database), lambda connection: connection.execute(sql)))

    def _rows(self, sql: str) -> Any:
        return asyncio.run(_asked(self.url(_USER), lambda connection: connection.fetch(sql)))

    def _run(self, program: str, *arguments: str) -> None:
        # The daemon keeps the pipes of whoever starts it, so it gets none.
        as_user: dict[str, Any] = {"user": _USER, "group": _USER} if os.geteuid() == 0 else {}
        command = [self._programs / program, "-D", self._data, *arguments]
        quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        if subprocess.run(command, cwd=self._folder, check=False, **quiet, **as_user).returncode:
            raise RuntimeError(f"{program} failed; {self._folder / 'log'} may say why")


class PostgresBench(Bench):
    """The same works on a server."""

    def __init__(self, server: Server, *sizes: Any) -> None:
        super().__init__(*sizes)
        self._server = server

    def serving(self, size: int, *, writes: bool = False) -> Process:
        """A node on the city's database, or on a fresh copy; its time and the server's count."""
        name = self._server.city(self.city(size), size)
        url = self._server.url(self._server.copy(name) if writes else name)
        folder = self.folder / "node"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return node(folder, "--store", url, beside=self._server.cpu)

    def query_limits(self) -> dict[str, float]:
        """The store's own statement."""
        url = self._server.url(self._server.city(self.city(self.large), self.large))
        return {"bare statement": alone(_queries, url, self.seconds, self._server.pid, self.large)}

    def write_limits(self) -> dict[str, float]:
        """A bare UPDATE, 64 to a commit."""
        url = self._server.url(_USER)
        return {"bare UPDATE": alone(_updates, url, self.seconds / 2, self._server.pid)}


def server_cpu(pid: int) -> float:
    """Seconds of the processors of a server, by the process that started the others."""
    return family_cpu(pid, ended=True)


async def _asked(url: str, work: Callable[[asyncpg.Connection], Any]) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await work(connection)
    finally:
        await connection.close()


def _measured(url: str, seconds: float, pid: int, prepare: Callable[[asyncpg.Connection], Any]) -> float:
    """What a turn does per second of the processors, those of this process and of the server."""
    import time

    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(url))
        turn, done = runner.run(prepare(connection))

        def again() -> int:
            runner.run(turn())
            return int(done)

        found = rate_of(again, seconds, lambda: time.process_time() + server_cpu(pid))
        runner.run(connection.close())
    return found


def _queries(url: str, seconds: float, pid: int, size: int) -> float:
    async def prepare(connection: asyncpg.Connection) -> Any:
        draw = places(size, 1)
        await connection.execute("SET search_path = cityloom, public")
        selects = [select_entities(circle(draw, size), 1, POSTGRES) for _ in range(500)]
        told = [(statement(one.rows()), one.parameters) for one in selects]
        asked = cycle([(each.sql, each.values(parameters)) for each, parameters in told])

        async def turn() -> None:
            sql, values = next(asked)
            async with connection.transaction(readonly=True):
                cursor = await connection.cursor(sql, *values)
                await cursor.fetch(ROWS)

        return turn, 1

    return _measured(url, seconds, pid, prepare)


def _updates(url: str, seconds: float, pid: int) -> float:
    async def prepare(connection: asyncpg.Connection) -> Any:
        body = os.urandom(1600)
        await connection.execute("DROP TABLE IF EXISTS updated")
        await connection.execute("CREATE TABLE updated (row bigint PRIMARY KEY, body bytea NOT NULL)")
        rows = [(row, body) for row in range(10_000)]
        await connection.copy_records_to_table("updated", records=rows)
        draw = places(0, 1)

        async def turn() -> None:
            async with connection.transaction():
                await connection.executemany(
                    "UPDATE updated SET body = $1 WHERE row = $2",
                    [(body, draw.randrange(10_000)) for _ in range(GROUP)],
                )

        return turn, GROUP

    return _measured(url, seconds, pid, prepare)

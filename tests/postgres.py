"""A PostgreSQL server of our own for the tests: real, with all its promises, on a free port.

It runs as the user `postgres` where we are root, whom PostgreSQL refuses. It is started when
the first test asks for it and stopped when the tests end.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cityloom.store.postgres.driver import Driver

USER = "postgres"
MEMORY = Path("/dev/shm")
ROOM = 2 * 1024**3


class Server:
    """A running server, and databases in it."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        # Its tests end the server, never the power: where memory has room, a sync costs nothing there.
        in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
        self._folder = Path(tempfile.mkdtemp(prefix="cityloom-postgres-", dir=MEMORY if in_memory else None))
        self._data = self._folder / "data"
        if os.geteuid() == 0:
            shutil.chown(self._folder, USER, USER)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._run("initdb", "--auth=trust", "--encoding=UTF8", "--locale=C", f"--username={USER}")
        self.start()
        self._driver = Driver()
        self._databases: set[str] = set()
        atexit.register(self._end)

    def start(self) -> None:
        """Starts the server and waits until it answers; what is left of one that was killed goes first."""
        for attempt in range(100):
            try:
                self._start()
            except RuntimeError:
                if attempt == 99 or not (self._data / "postmaster.pid").exists():
                    raise
                time.sleep(0.1)
            else:
                return

    def _start(self) -> None:
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c max_connections=50"
        self._run(
            "pg_ctl", "--wait", "--silent", f"--log={self._folder / 'log'}", f"--options={options}", "start"
        )

    def replica(self) -> Replica:
        """A standby that follows this server by streaming."""
        return Replica(self)

    def stop(self, mode: str = "fast") -> None:
        """Stops it; with `immediate` as a crash would."""
        self._run("pg_ctl", "--wait", "--silent", f"--mode={mode}", "stop")

    def kill(self) -> None:
        """SIGKILL to the server's first process; the others see that and end."""
        pid = int((self._data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)

    def kill_backend(self) -> None:
        """SIGKILL to one of the processes that serve a store: the server begins again from its log."""
        sql = "SELECT pid FROM pg_stat_activity WHERE application_name = 'cityloom' ORDER BY random() LIMIT 1"
        for (pid,) in self.fetch("postgres", sql):
            os.kill(pid, signal.SIGKILL)

    def url(self, database: str, user: str = USER) -> str:
        """Where a database is."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def database(self, name: str = "city", tablespace: str = "pg_default") -> str:
        """The address of a database that holds no city, whatever was in it."""
        if name not in self._databases:
            self.execute("postgres", f"CREATE DATABASE {name} TABLESPACE {tablespace}")
            self.execute(name, "CREATE EXTENSION postgis; CREATE EXTENSION btree_gist")
            self._databases.add(name)
        self.execute(
            name,
            "SET client_min_messages = error;"
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid();"
            "DROP SCHEMA IF EXISTS cityloom CASCADE",
        )
        return self.url(name)

    def drop(self, name: str) -> None:
        """Takes a database away."""
        self.execute("postgres", f"DROP DATABASE {name} WITH (FORCE)")
        self._databases.discard(name)

    def execute(self, database: str, sql: str) -> None:
        """Runs statements as an administrator."""
        self.fetch(database, sql, script=True)

    def fetch(
        self, database: str, sql: str, *parameters: Any, script: bool = False, path: str = "public"
    ) -> list[Any]:
        """Rows of a statement."""

        async def work() -> list[Any]:
            connection = await asyncpg.connect(self.url(database), server_settings={"search_path": path})
            try:
                if script:
                    await connection.execute(sql)
                    return []
                return [tuple(row) for row in await connection.fetch(sql, *parameters)]
            finally:
                await connection.close()

        return self._driver.run(work())

    def set(self, setting: str, value: str) -> None:
        """Changes a setting of the whole server, and waits until it holds."""
        self.execute("postgres", f"ALTER SYSTEM SET {setting} = {value}")
        self.execute("postgres", "SELECT pg_reload_conf()")
        while self.fetch("postgres", "SELECT current_setting($1)", setting) != [(value,)]:
            pass

    def break_connections(self) -> None:
        """Ends every connection of a store, and waits until they are gone."""
        self.execute(
            "postgres",
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = 'cityloom'",
        )

    def explain(self, database: str, sql: str, *parameters: Any) -> str:
        """How a statement is run."""
        rows = self.fetch(database, f"EXPLAIN {sql}", *parameters, path="cityloom, public")
        return "\n".join(line for (line,) in rows)

    def program(self, name: str, *arguments: str) -> bytes:
        """What one of PostgreSQL's programs writes."""
        return subprocess.run([self._binaries / name, *arguments], check=True, stdout=subprocess.PIPE).stdout

    def _run(self, program: str, *arguments: str, data: Path | None = None) -> None:
        # The daemon keeps the pipes of whoever starts it, so it gets none.
        as_user: dict[str, Any] = {"user": USER, "group": USER} if os.geteuid() == 0 else {}
        done = subprocess.run(
            [self._binaries / program, "-D", data or self._data, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            check=False,
            **as_user,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed ({done.returncode}); see {self._folder / 'log'}")

    def _end(self) -> None:
        self._driver.close()
        self.stop("immediate")
        shutil.rmtree(self._folder)


class Replica:
    """A standby server, made by `pg_basebackup` and started."""

    def __init__(self, primary: Server) -> None:
        self._primary = primary
        self._data = primary._folder / "replica"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        source = f"host=127.0.0.1 port={primary.port} user={USER}"
        primary._run(
            "pg_basebackup", "--checkpoint=fast", "--write-recovery-conf", "--dbname", source, data=self._data
        )
        options = f"-p {self.port} -k {primary._folder} -c listen_addresses=127.0.0.1"
        primary._run(
            "pg_ctl",
            "--wait",
            "--silent",
            f"--log={primary._folder / 'replica.log'}",
            f"--options={options}",
            "start",
            data=self._data,
        )

    def url(self, database: str) -> str:
        """Where a database is here."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def execute(self, sql: str) -> None:
        """Runs a statement here."""

        async def work() -> None:
            connection = await asyncpg.connect(self.url("postgres"))
            try:
                await connection.execute(sql)
            finally:
                await connection.close()

        self._primary._driver.run(work())

    def stop(self) -> None:
        """Ends it, and forgets its data."""
        self._primary._run("pg_ctl", "--wait", "--silent", "--mode=immediate", "stop", data=self._data)
        shutil.rmtree(self._data)


@cache
def _binaries() -> Path | None:
    """The programs of the newest PostgreSQL that has PostGIS."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: -int(each.parent.name)):
        shared = Path("/usr/share/postgresql") / folder.parent.name
        if (folder / "initdb").exists() and (shared / "extension" / "postgis.control").exists():
            return folder
    return None


@cache
def _server(binaries: Path) -> Server:
    return Server(binaries)


def server() -> Server:
    """The server of this test run; the test is skipped where PostgreSQL with PostGIS is not installed."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL with PostGIS is not installed: apt-get install postgresql-postgis")
    return _server(binaries)

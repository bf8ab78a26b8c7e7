"""A disk that is full or read-only, a store that cannot be used: told clearly, nothing acknowledged lost."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest
from aiohttp import web

from cityloom.model.clock import SimulatedClock
from cityloom.model.errors import StoreFailed
from cityloom.store.sqlite import SqliteStore
from cityloom.store.tables.tiering.status import kept_files
from tests.laws.conftest import START
from tests.laws.tiered import LATER
from tests.laws.values import HOUR, append, history, reading, see
from tests.nodes import COMMAND, NodeProcess
from tests.trouble.asking import API, ENTITIES, ask, receiver

SIZE = 24 * 1024 * 1024
TEXT = "x" * 50_000


def mount(*words: str | Path) -> None:
    """Mounts something, or skips the test and says why."""
    done = subprocess.run(["mount", *map(str, words)], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", place)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def fill(disk: Path, leave: int = 0) -> Path:
    """Takes all room but `leave` bytes."""
    ballast = disk / "ballast"
    file = os.open(ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        while True:
            free = shutil.disk_usage(disk).free - leave
            if free <= 0:
                return ballast
            os.write(file, bytes(min(free, 1024 * 1024)))
    finally:
        os.close(file)


def refused(*words: str | Path) -> str:
    """What a command says when it cannot: one sentence, no traceback, status not 0."""
    done = subprocess.run(
        [*COMMAND, *map(str, words)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
    )
    assert done.returncode not in (0, None), done.stdout
    assert "Traceback" not in done.stderr, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("cityloom: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A city whose node has ended."""
    folder = tmp_path_factory.mktemp("made") / "city"
    with NodeProcess(folder) as node:
        assert node.stop() == 0
    return folder


@pytest.fixture
def city(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoiled."""
    return shutil.copytree(made, tmp_path / "city")


async def test_full_disk_refuses_writes_loses_none_and_takes_them_again(disk: Path) -> None:
    told: set[str] = set()

    async def take(request: web.Request) -> web.Response:
        told.update(entity["id"] for entity in (await request.json())["data"])
        return web.Response()

    # The node's log is on the same disk.
    with NodeProcess(disk / "city") as node:
        async with receiver(take) as there:
            subscription = {
                "type": "Subscription",
                "entities": [{"type": "Disk"}],
                "notification": {"endpoint": {"uri": there}, "attributes": ["number"]},
            }
            assert (await ask(node, "POST", f"{API}/subscriptions", subscription)).status == 201
            acknowledged: dict[str, int] = {}

            async def write(id: str, number: int) -> int:
                body = {"id": id, "type": "Disk", "text": TEXT, "number": number}
                reply = await ask(node, "PUT" if id in acknowledged else "POST", ENTITIES, body)
                if reply.status in (201, 204):
                    acknowledged[id] = number
                else:
                    assert (reply.status, reply.problem) == (507, "StoreFailed"), reply.body
                    assert "the disk is full" in reply.json["detail"]
                return reply.status

            fill(disk, leave=4 * 1024 * 1024)
            for number in range(10):
                assert await write(f"urn:disk:{number}", number) == 201
            refusals = 0
            for number in range(10, 2_000, 8):
                group = [write(f"urn:disk:{number + step}", number + step) for step in range(8)]
                refusals += (await asyncio.gather(*group)).count(507)
                if refusals:
                    break
            assert refusals
            ballast = fill(disk)
            # What the refused group had taken of the log may still hold a few.
            for number in range(100):
                if await write(f"urn:disk:last{number}", number) == 507:
                    break
            assert await write("urn:disk:full", 0) == 507
            batch = [{"id": f"urn:disk:batch{number}", "type": "Disk", "text": TEXT} for number in range(3)]
            answer = await ask(node, "POST", f"{API}/entityOperations/create", batch)
            assert answer.status in (207, 507)
            assert b"the disk is full" in answer.body

            # What was written can be read while nothing can be written, and the node says so.
            health = await ask(node, "GET", "/health")
            assert (health.status, health.json["status"]) == (200, "readOnly")
            assert health.json["checks"] == {"store": "ok", "writing": "failed", "history": "ok"}
            assert "cityloom_store_writable 0.0" in (await ask(node, "GET", "/metrics")).body.decode()
            answer = await ask(node, "GET", f"{ENTITIES}?type=Disk&count=true&limit=0")
            assert answer.headers["NGSILD-Results-Count"] == str(len(acknowledged))

            ballast.unlink()
            async with asyncio.timeout(30):
                while (await ask(node, "GET", "/health")).json["status"] != "ok":
                    await asyncio.sleep(0.05)
            assert await write("urn:disk:after", 1) == 201
            await _check(node, acknowledged)
            async with asyncio.timeout(60):
                while not told >= acknowledged.keys():
                    await asyncio.sleep(0.05)
            assert told == acknowledged.keys()
            node.kill()
            node.start()
            await _check(node, acknowledged)
            # A full disk does not keep it from its end.
            hosted = await ask(node, "POST", f"{API}/jsonldContexts", {"@context": {"name": "urn:name"}})
            assert hosted.status == 201, hosted.body
            link = f'<{node.url}{hosted.headers["Location"]}>; rel="http://www.w3.org/ns/json-ld#context"'
            assert (await ask(node, "GET", f"{ENTITIES}?type=Disk", headers={"Link": link})).status == 200
            fill(disk)
            for number in range(100):
                if await write(f"urn:disk:end{number}", number) == 507:
                    break
            assert node.stop() == 0
    said = node.log.read_text()
    assert "Traceback" not in said
    # The ends of each trouble, and not every request that it cost.
    for end in ("the store cannot be written", "the store can be written again"):
        assert 1 <= said.count(end) <= 4


async def _check(node: NodeProcess, acknowledged: dict[str, int]) -> None:
    """Every entity that was acknowledged is there, and no other."""
    kept: dict[str, int] = {}
    while True:
        page = await ask(
            node, "GET", f"{ENTITIES}?type=Disk&attrs=number&options=keyValues&limit=500&offset={len(kept)}"
        )
        if not page.json:
            break
        kept |= {entity["id"]: entity["number"] for entity in page.json}
    assert kept == acknowledged


def test_full_disk_stops_a_move_of_history_until_there_is_room(disk: Path) -> None:
    store = SqliteStore(disk / "city.db", SimulatedClock(START))
    for number in range(4):
        append(store, f"urn:disk:{number}", *(reading(hour, START + hour * HOUR) for hour in range(500)))
    expected = [history(store, f"urn:disk:{number}") for number in range(4)]
    ballast = fill(disk)
    with pytest.raises(StoreFailed):
        store.cold.move(LATER)
    assert [history(store, f"urn:disk:{number}") for number in range(4)] == expected
    ballast.unlink()
    deadline = time.monotonic() + 30
    while store.trouble:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    store.cold.move(LATER)
    assert [history(store, f"urn:disk:{number}") for number in range(4)] == expected
    assert see(store, kept_files) != []
    store.close()


def test_start_on_a_full_disk_says_so(disk: Path) -> None:
    fill(disk)
    said = refused("serve", "--data", disk / "city", "--port", "0")
    assert "No space left" in said or "disk is full" in said


def test_read_only_disk_is_told_by_every_command_that_writes(city: Path, tmp_path: Path) -> None:
    place = tmp_path / "read-only"
    place.mkdir()
    mount("--bind", city, place)
    try:
        mount("-o", "remount,bind,ro", place)
        said = refused("serve", "--data", place, "--port", "0")
        assert "read-only" in said.lower()
        assert str(place) in said
        assert "read-only" in refused("key", "add", "bureau", "--data", place).lower()
        assert "cannot be written" in refused("init", "--data", place)
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def _foreign(store: Path) -> None:
    store.unlink()
    with sqlite3.connect(store) as other:
        other.execute("CREATE TABLE theirs (id INTEGER)")
    other.close()


def _newer(store: Path) -> None:
    later = apsw.Connection(str(store))
    later.execute("UPDATE meta SET value = 999 WHERE key = 'version'")
    later.close()


def _torn(store: Path) -> None:
    with store.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 20_000)


def _noise(store: Path) -> None:
    store.write_bytes(os.urandom(50_000))


def _folder(store: Path) -> None:
    store.unlink()
    store.mkdir()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_foreign, "another program's database"),
        (_newer, "newer version"),
        (_torn, "damaged"),
        (_noise, "no SQLite database"),
        (_folder, "no file"),
    ],
)
def test_store_that_cannot_be_used_is_told_and_left_alone(
    city: Path, spoil: Callable[[Path], None], said: str
) -> None:
    store = city / "cityloom.sqlite"
    spoil(store)
    before = store.read_bytes() if store.is_file() else b""
    sentence = refused("serve", "--data", city, "--port", "0")
    assert said in sentence
    assert str(store) in sentence
    assert (store.read_bytes() if store.is_file() else b"") == before


def test_store_that_another_program_holds_is_told(city: Path) -> None:
    holder = sqlite3.connect(city / "cityloom.sqlite", isolation_level=None)
    try:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        assert "locked by another program" in refused("serve", "--data", city, "--port", "0")
    finally:
        holder.close()


@pytest.mark.parametrize(
    "command",
    [
        ("import",),
        ("export", "--out", "-"),
        ("backup", "--out", "{}/backup.tar.gz"),
        ("replay", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T00:00:00Z", "--speed", "0"),
    ],
)
def test_command_on_a_folder_that_is_not_there_says_so_and_makes_none(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    folder = tmp_path / "nowhere"
    words = [word.format(tmp_path) for word in command]
    said = refused(words[0], "--data", folder, *words[1:])
    assert "does not exist" in said
    assert str(folder) in said
    assert not folder.exists()


def test_port_that_is_none_is_told(tmp_path: Path) -> None:
    assert "65535" in refused("serve", "--data", tmp_path / "city", "--port", "99999")


def test_damaged_backup_restores_nothing(city: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup.tar.gz"
    done = subprocess.run([*COMMAND, "backup", "--data", city, "--out", backup], check=False, timeout=60)
    assert done.returncode == 0
    whole = backup.read_bytes()
    backup.write_bytes(whole[: len(whole) // 2])
    again = tmp_path / "again"
    assert str(backup) in refused("restore", backup, "--data", again)
    assert not (again / "cityloom.sqlite").exists()

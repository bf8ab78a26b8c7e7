"""What `serve` and `up` do: take the port, and have the node answer on it until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

import msgspec
import structlog
import uvicorn

from cityloom.app import Node, create_app
from cityloom.cli.console import out
from cityloom.cli.logs import configure_logs
from cityloom.cli.workers import Lifeline, Supervisor, refuse_where_no_fork
from cityloom.folder import CityFolder
from cityloom.model.errors import CityloomError, ConfigurationError
from cityloom.model.settings import Settings
from cityloom.store.sqlite.connection import FileLock, check_place, opening
from cityloom.web.protocol import bounded_protocol

_log = structlog.get_logger("serving")
_OTHER_FILES = 512
"""Files that a node opens for itself: its store, its log, what it reads."""
_GRACE = 3
"""Seconds that open connections have to end when the node stops."""


def refuse_open_door(folder: CityFolder, settings: Settings) -> None:
    """On any address but loopback a node without keys is open to the world."""
    if not settings.loopback and not folder.keys_file.exists():
        raise ConfigurationError(
            f"the address {settings.host} is not loopback and no API key exists; "
            f"make one first: cityloom key add NAME --role admin --data {folder.path}"
        )


def listen(settings: Settings) -> socket.socket:
    """Takes the port before anything else is done, so that a taken one is told at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
        listening.listen(2048)
    except (OSError, OverflowError) as error:
        listening.close()
        why = error.strerror if isinstance(error, OSError) else "ports go from 0 to 65535"
        raise ConfigurationError(
            f"port {settings.port} on {settings.host} cannot be used ({why}); choose another with --port"
        ) from None
    return listening


def room_for_connections(settings: Settings) -> int:
    """How many connections may be open: as many as are set, if the system lets us open so many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.max_connections + settings.out_connections + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < wanted:
            room = max(16, soft - settings.out_connections - _OTHER_FILES, soft // 2)
            _log.warning("the system allows fewer connections than maxConnections", files=soft, most=room)
            return min(settings.max_connections, room)
    return settings.max_connections


def at(settings: Settings, listening: socket.socket) -> Settings:
    """The settings with the port that was really taken."""
    return msgspec.structs.replace(settings, port=listening.getsockname()[1])


class _Server(uvicorn.Server):
    """Tells the addresses once the node answers, and ends the streams of events when it stops."""

    where = ""
    lifeline: Lifeline | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.config.app.hub.close()  # type: ignore[union-attr]  # the application of `create_app`
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What starting made stays: nobody needs to look through it again for garbage.
        gc.freeze()
        if self.started and sockets and self.lifeline is None:
            tell_where(self.where)
        elif self.started and self.lifeline is not None:
            loop = asyncio.get_running_loop()
            loop.add_reader(self.lifeline.parent, self._orphaned, loop, self.lifeline.parent)
            self.lifeline.ready()

    def _orphaned(self, loop: asyncio.AbstractEventLoop, parent: int) -> None:
        """The process that watched over this one is gone: nobody would start it again."""
        loop.remove_reader(parent)
        self.handle_exit(signal.SIGTERM, None)


def tell_where(url: str) -> None:
    """Says where the node answers."""
    out.print(f"page  {url}/\nAPI   {url}/ngsi-ld/v1/\nCtrl-C stops")


def serve(folder: CityFolder, settings: Settings, listening: socket.socket) -> None:
    """Serves a city with as many workers as the settings say, until Ctrl-C or SIGTERM.

    Raises:
        CityloomError: the node did not start.
    """
    if settings.workers == 1:
        configure_logs(settings)
        run(Node(folder, settings), listening)
        return
    refuse_where_no_fork()
    # No thread writes them here: what is forked must have none.
    configure_logs(settings, at_once=True)

    def work(lifeline: Lifeline) -> None:
        configure_logs(settings)
        structlog.contextvars.bind_contextvars(worker=lifeline.number)
        run(Node(folder, settings, worker=lifeline.number, beside=Path(beside)), listening, lifeline)

    with ExitStack() as ends:
        if not settings.store:
            ends.callback(folder_lock(folder).release)
        beside = ends.enter_context(TemporaryDirectory(prefix="cityloom-"))
        Supervisor(settings.workers, work, listening, lambda: tell_where(settings.url)).run()


def folder_lock(folder: CityFolder) -> FileLock:
    """Takes the lock of a city's file for all workers: they have it through the process that forks them."""
    check_place(folder.store_file)
    with opening(folder.store_file):
        return FileLock(folder.store_file)


def run(
    node: Node,
    listening: socket.socket,
    lifeline: Lifeline | None = None,
    *,
    during: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Serves until Ctrl-C; the socket is closed at the end.

    Args:
        lifeline: of a worker; None: this process is the only one.
        during: runs beside it, on its event loop.

    Raises:
        CityloomError: the node did not start.
    """
    # The writer thread waits less for its turn beside a busy event loop: twice the writes, measured.
    sys.setswitchinterval(0.0005)
    try:
        node.prepare()
    except BaseException:
        listening.close()
        node.close()
        raise
    app = create_app(node, during)
    config = uvicorn.Config(
        app,
        http=bounded_protocol(node.settings, app.load, room_for_connections(node.settings)),
        ws="none",
        loop="uvloop",
        lifespan="on",
        # Nothing asks for the scheme: a proxy's address is the setting publicUrl. Where a report without a
        # key comes from is asked for there alone (trustedProxies).
        proxy_headers=False,
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=_GRACE,
    )
    server = _Server(config)
    server.where = node.settings.url
    server.lifeline = lifeline
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        listening.close()
    if not server.started:
        raise CityloomError("the node did not start; the log above says why")

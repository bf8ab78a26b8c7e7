"""`init`, `up`, `serve` and `import`: making a city, filling it, and having it answer."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated

import msgspec
import typer
import uvicorn
from rich.table import Table

from cityloom.app import Node, create_app
from cityloom.cli.console import err, out, print_whole, progress_bars
from cityloom.cli.logs import configure_logs
from cityloom.connect.mapping import Mapping
from cityloom.connect.profile import builtin_profiles, load_profile
from cityloom.connect.report import Report
from cityloom.folder import CityConfiguration, CityFolder
from cityloom.model.errors import CityloomError, ConfigurationError
from cityloom.model.settings import Settings
from cityloom.web.protocol import bounded_protocol

SAMPLE = "sample"
_GRACE = 3
"""Seconds that open connections have to end when the node stops."""

_Data = Annotated[Path, typer.Option("--data", help="The city's folder.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command("init")(init)
    app.command("up")(up)
    app.command("serve")(serve)
    app.command("import")(import_sources)


def init(
    data: _Data,
    profile: Annotated[
        str, typer.Option(help="A built-in profile, or a folder with a profile.yaml.")
    ] = SAMPLE,
    sources: Annotated[Path | None, typer.Option(help="Where the source files are.")] = None,
    name: Annotated[str, typer.Option(help="The city's name; the profile's when left out.")] = "",
) -> None:
    """Makes a new city from a profile.

    Example: `cityloom init --data my-city --profile boston --sources ../city-files`
    """
    folder = CityFolder(data, make=True)
    if not folder.is_new:
        raise ConfigurationError(f"a city already exists in {data}: its city.yaml is there")
    _make(folder, profile, sources, name)
    out.print(f"{data}: a city of profile {profile}. Next: cityloom import --data {data}")


def _make(folder: CityFolder, profile: str, sources: Path | None, name: str) -> None:
    load_profile(profile)
    built_in = profile in builtin_profiles()
    folder.write(
        CityConfiguration(
            name=name,
            profile=profile if built_in else str(Path(profile).resolve()),
            sources=str(sources.resolve()) if sources is not None else "sources",
        )
    )


def up(
    city: Annotated[str, typer.Option(help="The profile: sample, boston, or a folder.")] = SAMPLE,
    folder: Annotated[Path, typer.Option(help="Where the city is kept.")] = Path("city-data/sample"),
    sources: Annotated[Path | None, typer.Option(help="Where the source files are.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
) -> None:
    """Makes the city when it is missing, imports what is new, and serves it.

    Example: `cityloom up --city boston --sources ../city-files --folder city-data/boston`
    """
    place = CityFolder(folder, make=True)
    if sources is not None and not sources.is_dir():
        raise ConfigurationError(f"the folder of the sources, {sources}, does not exist")
    if place.is_new:
        _make(place, city, sources, "")
    elif sources is not None:
        configuration = place.configuration
        place.write(
            CityConfiguration(
                name=configuration.name,
                profile=configuration.profile,
                sources=str(sources.resolve()),
                settings=configuration.settings,
            )
        )
    settings = place.settings(host=host, port=port)
    _refuse_open_door(place, settings)
    listening = _listen(settings)
    settings = _at(settings, listening)
    if place.configuration.profile == SAMPLE and not place.sources.exists():
        from cityloom.sample import generate  # its libraries would slow every other command

        with progress_bars() as begin:
            move = begin("drawing the sample city")
            end = datetime.now(UTC).strftime("%Y-%m-%dT%H:00:00Z")
            generate(place.sources, seed=1, size="small", end=end, progress=lambda _, part: move(part))
    if not place.sources.is_dir():
        raise ConfigurationError(
            f"the folder of the sources, {place.sources}, does not exist; name it with --sources"
        )
    configure_logs(settings)
    node = Node(place, settings)
    asyncio.run(_import_all(node, [], only_new=True))
    _run(node, listening)


def serve(
    data: _Data,
    port: Annotated[int | None, typer.Option(help="Port to listen on (8026); 0 takes a free one.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (127.0.0.1).")] = None,
) -> None:
    """Serves the city kept in a folder (made, empty, when missing).

    Example: `cityloom serve --data my-city --port 8026`
    """
    folder = CityFolder(data, make=True)
    settings = folder.settings(host=host, port=port)
    configure_logs(settings)
    _refuse_open_door(folder, settings)
    listening = _listen(settings)
    _run(Node(folder, _at(settings, listening)), listening)


def import_sources(
    data: _Data,
    source: Annotated[list[str] | None, typer.Argument(help="Which sources; all when left out.")] = None,
    sources: Annotated[Path | None, typer.Option(help="Where the source files are, this once.")] = None,
) -> None:
    """Imports the city's sources and shows each one's quality report. Importing twice changes nothing.

    Example: `cityloom import --data my-city boston-streetlights`
    """
    folder = CityFolder(data)
    if folder.is_new:
        raise ConfigurationError(f"no city exists in {data}; make one with: cityloom init --data {data}")
    settings = folder.settings()
    configure_logs(settings)
    node = Node(folder, settings)
    reports, failures = asyncio.run(_import_all(node, source or [], only_new=False, sources=sources))
    node.close()
    print_whole(_table(reports))
    for report in reports:
        for reason, count in report.rejected.items():
            out.print(f"{report.source}: {count:,} rejected: {reason}", markup=False)
    if any(report.rejected for report in reports):
        out.print(f"the rejected rows stand below {folder.runs}, each with its reason", markup=False)
    if failures or any(report.status != "ok" for report in reports):
        raise typer.Exit(1)


async def _import_all(
    node: Node, wanted: list[str], *, only_new: bool, sources: Path | None = None
) -> tuple[list[Report], int]:
    """Runs the file sources of the node's profile, each with its bar.

    A source whose file is missing or unreadable is told and counted; those after it are run all the same.
    """
    place = sources or node.folder.sources
    reports: list[Report] = []
    failures = 0
    with progress_bars() as begin:
        for mapping in _chosen(node, wanted):
            if only_new and await node.importer.is_current(mapping, place):
                continue
            move = begin(mapping.source)
            try:
                reports.append(await node.importer.run(mapping, place, _fraction_of(move)))
            except ConfigurationError as error:
                failures += 1
                err.print(f"cityloom: {mapping.source}: {error.detail}", markup=False)
            move(1.0)
    return reports, failures


def _fraction_of(move: Callable[[float], None]) -> Callable[[float, int], None]:
    return lambda part, _: move(part)


def _chosen(node: Node, wanted: list[str]) -> list[Mapping]:
    mappings = [mapping for mapping in node.mappings if mapping.path]
    known = {mapping.source for mapping in mappings}
    for name in wanted:
        if name not in known:
            raise ConfigurationError(f"source {name!r} does not exist; there are {', '.join(sorted(known))}")
    return [mapping for mapping in mappings if not wanted or mapping.source in wanted]


def _table(reports: list[Report]) -> Table:
    table = Table("source", "status")
    for column in ("read", "created", "updated", "unchanged", "repeated", "rejected"):
        table.add_column(column, justify="right")
    for report in reports:
        numbers = (
            report.read,
            report.created,
            report.updated,
            report.unchanged,
            report.repeated,
            report.rejected_rows,
        )
        table.add_row(report.source, report.status, *(f"{number:,}" for number in numbers))
    return table


def _refuse_open_door(folder: CityFolder, settings: Settings) -> None:
    """On any address but loopback a node without keys is open to the world."""
    if not settings.loopback and not folder.keys_file.exists():
        raise ConfigurationError(
            f"the address {settings.host} is not loopback and no API key exists; "
            f"make one first: cityloom key add NAME --role admin --data {folder.path}"
        )


def _listen(settings: Settings) -> socket.socket:
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


def _at(settings: Settings, listening: socket.socket) -> Settings:
    """The settings with the port that was really taken."""
    return msgspec.structs.replace(settings, port=listening.getsockname()[1])


class _Server(uvicorn.Server):
    """Tells the addresses once the node answers, and ends the streams of events when it stops."""

    where = ""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.config.app.state.hub.close()  # type: ignore[union-attr]  # the application of `create_app`
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            where = self.where
            out.print(f"page  {where}/\nAPI   {where}/ngsi-ld/v1/\nCtrl-C stops")


def _run(node: Node, listening: socket.socket) -> None:
    # The writer thread waits less for its turn beside a busy event loop: twice the writes, measured.
    sys.setswitchinterval(0.0005)
    config = uvicorn.Config(
        create_app(node),
        http=bounded_protocol(node.settings),
        ws="none",
        loop="uvloop",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=_GRACE,
    )
    server = _Server(config)
    server.where = node.settings.url
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        listening.close()
    if not server.started:
        raise CityloomError("the node did not start; the log above says why")

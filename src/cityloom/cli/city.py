"""`init`, `up`, `serve` and `import`: making a city, filling it, and having it answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cityloom.cli.console import out, print_whole, progress_bars
from cityloom.folder import CityConfiguration, CityFolder
from cityloom.model.errors import ConfigurationError

SAMPLE = "sample"

_Data = Annotated[Path, typer.Option("--data", help="The city's folder.")]
_Store = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="The PostgreSQL database that keeps the city (postgresql://user@host/database)."
    ),
]
_Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes that answer (1), on this machine: see docs/growing.md.")
]


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
    store: _Store = None,
) -> None:
    """Makes a new city from a profile.

    Example: `cityloom init --data my-city --profile boston --sources ../city-files`
    """
    folder = CityFolder(data, make=True)
    if not folder.is_new:
        raise ConfigurationError(f"a city already exists in {data}: its city.yaml is there")
    _make(folder, profile, sources, name, store)
    out.print(f"{data}: a city of profile {profile}. Next: cityloom import --data {data}")


def _make(
    folder: CityFolder, profile: str, sources: Path | None, name: str, store: str | None = None
) -> None:
    from cityloom.connect.profile import builtin_profiles, load_profile

    load_profile(profile)
    built_in = profile in builtin_profiles()
    folder.write(
        CityConfiguration(
            name=name,
            profile=profile if built_in else str(Path(profile).resolve()),
            sources=str(sources.resolve()) if sources is not None else "sources",
            settings={"store": store} if store else {},
        )
    )


def up(
    city: Annotated[str, typer.Option(help="The profile: sample, boston, or a folder.")] = SAMPLE,
    folder: Annotated[Path, typer.Option(help="Where the city is kept.")] = Path("city-data/sample"),
    sources: Annotated[Path | None, typer.Option(help="Where the source files are.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    store: _Store = None,
    play: Annotated[
        str | None, typer.Option(metavar="DAY", help="Plays a recorded day as if live, on its own clock.")
    ] = None,
    speed: Annotated[float, typer.Option(help="Seconds of the played day in one second.")] = 600.0,
) -> None:
    """Makes the city when it is missing, imports what is new, and serves it.

    With `--play` it serves the city on a day of its past, which goes on where it was stopped; Enter pauses.

    Example: `cityloom up --city boston --sources ../city-files --folder city-data/boston`

    Example: `cityloom up --city boston --sources ../city-files --folder boston-storm --play 2011-08-28`
    """
    from cityloom.app import Node
    from cityloom.cli.importing import import_all
    from cityloom.cli.logs import configure_logs
    from cityloom.cli.playing import live_sample
    from cityloom.cli.playing import play as play_day
    from cityloom.cli.serving import at, listen, refuse_open_door, run
    from cityloom.cli.serving import serve as serve_until_told
    from cityloom.cli.workers import apart

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
    settings = place.settings(host=host, port=port, store=store)
    refuse_open_door(place, settings)
    listening = listen(settings)
    settings = at(settings, listening)
    if place.configuration.profile == SAMPLE and not place.sources.exists():
        from cityloom.sample import DEFAULT_END, generate  # its libraries would slow every other command

        with progress_bars() as begin:
            move = begin("drawing the sample city")
            end = datetime.now(UTC).strftime("%Y-%m-%dT%H:00:00Z") if play is None else DEFAULT_END
            generate(place.sources, seed=1, size="small", end=end, progress=lambda _, part: move(part))
    if not place.sources.is_dir():
        raise ConfigurationError(
            f"the folder of the sources, {place.sources}, does not exist; name it with --sources"
        )

    if play is not None:
        play_day(place, settings, listening, play, speed)
        return

    def import_new() -> Node:
        configure_logs(settings)
        if place.configuration.profile == SAMPLE:
            live_sample(place, settings)
        node = Node(place, settings)
        asyncio.run(import_all(node, [], only_new=True))
        return node

    if settings.workers == 1:
        run(import_new(), listening)
    else:
        # What is forked later must have no thread, and importing makes some.
        apart(lambda: import_new().close())
        serve_until_told(place, settings, listening)


def serve(
    data: _Data,
    port: Annotated[int | None, typer.Option(help="Port to listen on (8026); 0 takes a free one.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (127.0.0.1).")] = None,
    store: _Store = None,
    workers: _Workers = None,
) -> None:
    """Serves the city kept in a folder (made, empty, when missing).

    Example: `cityloom serve --data my-city --port 8026 --workers 4`
    """
    from cityloom.cli.serving import at, listen, refuse_open_door
    from cityloom.cli.serving import serve as serve_until_told

    folder = CityFolder(data, make=True)
    settings = folder.settings(host=host, port=port, store=store, workers=workers)
    refuse_open_door(folder, settings)
    listening = listen(settings)
    serve_until_told(folder, at(settings, listening), listening)


def import_sources(
    data: _Data,
    source: Annotated[list[str] | None, typer.Argument(help="Which sources; all when left out.")] = None,
    sources: Annotated[Path | None, typer.Option(help="Where the source files are, this once.")] = None,
    store: _Store = None,
) -> None:
    """Imports the city's sources and shows each one's quality report. Importing twice changes nothing.

    Example: `cityloom import --data my-city boston-streetlights`
    """
    from cityloom.app import Node
    from cityloom.cli.importing import import_all, table
    from cityloom.cli.logs import configure_logs

    folder = CityFolder(data)
    if folder.is_new:
        raise ConfigurationError(f"no city exists in {data}; make one with: cityloom init --data {data}")
    settings = folder.settings(store=store)
    configure_logs(settings)
    node = Node(folder, settings)
    reports, failures = asyncio.run(import_all(node, source or [], only_new=False, sources=sources))
    node.close()
    print_whole(table(reports))
    for report in reports:
        for reason, count in report.rejected.items():
            out.print(f"{report.source}: {count:,} rejected: {reason}", markup=False)
    if any(report.rejected for report in reports):
        out.print(f"the rejected rows stand below {folder.runs}, each with its reason", markup=False)
    if failures or any(report.status != "ok" for report in reports):
        raise typer.Exit(1)

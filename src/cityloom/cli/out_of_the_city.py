"""`sample`, `export` and `replay`: files and streams that come out of Cityloom."""

from __future__ import annotations

import asyncio
import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Protocol

import aiohttp
import msgspec
import typer

from cityloom.cli.console import err, out, progress_bars
from cityloom.cli.logs import configure_logs
from cityloom.folder import CityFolder
from cityloom.ld.compact import Form, compact_entity
from cityloom.ld.context import LdContext
from cityloom.ld.temporal import compact_evolution
from cityloom.model.clock import SystemClock
from cityloom.model.entity import Entity
from cityloom.model.errors import BadRequestData, ConfigurationError
from cityloom.model.time import parse_datetime
from cityloom.query.parse import parse_type_selection
from cityloom.query.values import Query, TypeExpression
from cityloom.store.ports import Snapshot, Window
from cityloom.store.sqlite import read_database

_Data = Annotated[Path, typer.Option("--data", help="The city's folder.")]
_REPLAY_STEP = 0.25
"""Seconds between two looks at what is due in a replay."""


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command("sample")(sample)
    app.command("export")(export)
    app.command("replay")(replay)


def sample(
    output: Annotated[Path, typer.Option("--out", help="A new folder for the files.")],
    seed: Annotated[int, typer.Option(help="Another seed, another city.")] = 1,
    size: Annotated[str, typer.Option(help="small, medium or large (a million entities).")] = "small",
    end: Annotated[str | None, typer.Option(help="The last moment, ISO 8601 in UTC.")] = None,
) -> None:
    """Draws the sample city as source files, with the truth beside them in truth.json.

    Example: `cityloom sample --seed 7 --size medium --out files`
    """
    from cityloom.sample import DEFAULT_END, SIZES, SizeName, generate  # slow to import, used here alone

    if size not in SIZES:
        raise ConfigurationError(f"size {size!r} does not exist; the sizes are {', '.join(SIZES)}")
    chosen: SizeName = size
    with progress_bars() as begin:
        move = begin(f"drawing a {size} city")
        generate(output, seed=seed, size=chosen, end=end or DEFAULT_END, progress=lambda _, part: move(part))
    out.print(f"{output}: a {size} city of seed {seed}; truth.json says what was planted")


def export(
    data: _Data,
    output: Annotated[Path, typer.Option("--out", help="The file; .gz compresses, - is standard output.")],
    type: Annotated[str | None, typer.Option(help="A type selection, such as `Streetlight`.")] = None,
    form: Annotated[str, typer.Option("--format", help="jsonl (NGSI-LD, one a line) or geojson.")] = "jsonl",
    history: Annotated[bool, typer.Option("--history", help="The temporal evolution instead.")] = False,
) -> None:
    """Writes the city's entities, or their history, as they are at one moment; a node may be running.

    Example: `cityloom export --data my-city --type Streetlight --out lights.jsonl.gz`
    """
    if form not in ("jsonl", "geojson") or (history and form != "jsonl"):
        raise ConfigurationError("format is invalid: jsonl or geojson; history is jsonl only")
    types = _types(type)
    query = Query(types=types)
    with _opened(data) as snapshot, _sink(output) as sink, progress_bars() as begin:
        move = begin("exporting")
        total = snapshot.count("", query) or 1
        if form == "geojson":
            sink.write(b'{"type":"FeatureCollection","features":[\n')
        done = 0
        for entity in snapshot.scan("", query):
            if form == "geojson" and done:
                sink.write(b",\n")
            sink.write(msgspec.json.encode(_exported(snapshot, entity, form, history)))
            if form == "jsonl":
                sink.write(b"\n")
            done += 1
            move(done / total)
        if form == "geojson":
            sink.write(b"\n]}\n")
    err.print(f"{done:,} entities")


def _exported(snapshot: Snapshot, entity: Entity, form: str, history: bool) -> dict[str, Any]:
    if history:
        known = snapshot.history_entity("", entity.id)
        assert known is not None, "an entity that exists has a history"
        return compact_evolution(known, snapshot.instances("", entity.id, Window()), LdContext.core)
    return compact_entity(entity, LdContext.core, Form(sys_attrs=True, geojson=form == "geojson"))


class _Sink(Protocol):
    def write(self, data: bytes, /) -> int: ...


@contextmanager
def _sink(output: Path) -> Iterator[_Sink]:
    """The file to write, put in its place only when it is whole."""
    if str(output) == "-":
        yield sys.stdout.buffer
        return
    part = output.with_name(output.name + ".part")
    try:
        with part.open("wb") as plain:
            if output.suffix == ".gz":
                with gzip.GzipFile(fileobj=plain, mode="wb") as packed:
                    yield packed
            else:
                yield plain
        part.replace(output)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ConfigurationError(f"{output} cannot be written: {error.strerror or error}") from None


def replay(
    data: _Data,
    start: Annotated[str, typer.Option("--from", help="The first moment, ISO 8601 in UTC.")],
    end: Annotated[str, typer.Option("--to", help="The last moment.")],
    speed: Annotated[
        float, typer.Option(help="How many seconds pass in one; 0 is as fast as it goes.")
    ] = 60.0,
    type: Annotated[str | None, typer.Option(help="A type selection, such as `Vehicle`.")] = None,
    into: Annotated[str | None, typer.Option(help="A node to tell, such as http://127.0.0.1:8027.")] = None,
    tenant: Annotated[str, typer.Option(help="The tenant of that node.")] = "replay",
) -> None:
    """Plays the past again: each value at its time, to standard output or into another node.

    Example: `cityloom replay --data my-city --from 2026-05-01T06:00:00Z --to 2026-05-01T09:00:00Z`
    """
    try:
        first, last = parse_datetime(start, "--from"), parse_datetime(end, "--to")
    except BadRequestData as error:
        raise ConfigurationError(error.detail) from None
    if last <= first or speed < 0:
        raise ConfigurationError("--to must be after --from, and --speed must not be negative")
    with _opened(data) as snapshot:
        moments = _past(snapshot, _types(type), first, last)
    told = asyncio.run(_play(moments, first, speed, into, tenant))
    err.print(f"{told:,} values")


def _past(
    snapshot: Snapshot, types: TypeExpression | None, first: int, last: int
) -> list[tuple[int, dict[str, Any]]]:
    """(time, entity with one attribute) of every instance observed in [first, last), by time."""
    window = Window(start=first, end=last)
    moments: list[tuple[int, dict[str, Any]]] = []
    after = ""
    while page := snapshot.history_entities("", types=types, after_id=after):
        for known in page:
            for name, instances in snapshot.instances("", known.id, window).items():
                for instance in instances:
                    stamp = instance.attribute.observed_at
                    if stamp is None or instance.attribute.deleted_at is not None:
                        continue
                    plain = msgspec.structs.replace(
                        instance.attribute, instance_id=None, created_at=None, modified_at=None
                    )
                    entity = Entity(id=known.id, types=known.types, attributes={name: [plain]})
                    moments.append((parse_datetime(stamp), compact_entity(entity, LdContext.core, Form())))
        after = page[-1].id
    moments.sort(key=lambda moment: moment[0])
    return moments


async def _play(
    moments: list[tuple[int, dict[str, Any]]], first: int, speed: float, into: str | None, tenant: str
) -> int:
    """Tells each moment when it is due; what is due together goes together."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    told = 0
    async with aiohttp.ClientSession() as session:
        while told < len(moments):
            until = first + round((loop.time() - begun) * speed * 1e6) if speed else moments[-1][0]
            due = told
            while due < len(moments) and moments[due][0] <= until and due - told < 1000:
                due += 1
            for batch in _rounds([entity for _, entity in moments[told:due]]):
                if into is None:
                    for entity in batch:
                        sys.stdout.buffer.write(msgspec.json.encode(entity) + b"\n")
                    sys.stdout.buffer.flush()
                else:
                    await _tell(session, into, tenant, batch)
            told = due
            if told < len(moments) and moments[told][0] > until:
                await asyncio.sleep(min(_REPLAY_STEP, (moments[told][0] - until) / 1e6 / speed))
    return told


def _rounds(entities: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The entities in order, in batches in which no id occurs twice."""
    batch: dict[str, dict[str, Any]] = {}
    for entity in entities:
        known = batch.get(entity["id"])
        if known is None:
            batch[entity["id"]] = entity
        elif known.keys().isdisjoint(entity.keys() - {"id", "type"}):
            batch[entity["id"]] = known | entity
        else:
            yield list(batch.values())
            batch = {entity["id"]: entity}
    if batch:
        yield list(batch.values())


async def _tell(session: aiohttp.ClientSession, into: str, tenant: str, batch: list[dict[str, Any]]) -> None:
    url = into.rstrip("/") + "/ngsi-ld/v1/entityOperations/upsert?options=update"
    headers = {"Content-Type": "application/json", **({"NGSILD-Tenant": tenant} if tenant else {})}
    try:
        async with session.post(url, data=msgspec.json.encode(batch), headers=headers) as reply:
            if reply.status not in (201, 204):
                raise ConfigurationError(f"{into} answered {reply.status}: {(await reply.text())[:300]}")
    except aiohttp.ClientError as error:
        raise ConfigurationError(f"{into} could not be reached: {error}") from None


def _types(selection: str | None) -> TypeExpression | None:
    return parse_type_selection(selection, LdContext.core.expand_term) if selection is not None else None


@contextmanager
def _opened(data: Path) -> Iterator[Snapshot]:
    """The city as it is at one moment; a node may be serving it meanwhile."""
    folder = CityFolder(data)
    if not folder.store_file.exists():
        raise ConfigurationError(f"no city exists in {data}")
    configure_logs(folder.settings())
    with read_database(folder.store_file, SystemClock()) as snapshot:
        yield snapshot

"""What `export` does: entities, or their history, into one file."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec

from cityloom.cli.console import progress_bars
from cityloom.cli.snapshots import opened, selected_types
from cityloom.ld.compact import Form, compact_entity
from cityloom.ld.context import LdContext
from cityloom.ld.temporal import compact_evolution
from cityloom.model.errors import ConfigurationError
from cityloom.query.values import Query, TypeExpression
from cityloom.store.history_ports import Window
from cityloom.store.ports import Snapshot


def write_entities(data: Path, output: Path, type: str | None, *, geojson: bool, history: bool) -> int:
    """Writes the entities that a type selection names, as they are at one moment.

    Args:
        output: the file; `.gz` compresses, `-` is standard output.
        geojson: one FeatureCollection instead of NGSI-LD, one a line.
        history: the temporal evolution instead of the state, also of what is there no more; never
            as GeoJSON.

    Returns:
        How many.

    Raises:
        BadRequestData: the type selection is invalid.
        ConfigurationError: there is no city, or the file cannot be written.
    """
    types = selected_types(type)
    query = Query(types=types)
    with opened(data) as snapshot, _sink(output) as sink, progress_bars() as begin:
        move = begin("exporting")
        total = snapshot.count("", query) or 1
        if geojson:
            sink.write(b'{"type":"FeatureCollection","features":[\n')
        form = Form(sys_attrs=True, geojson=geojson)
        told = (
            _evolutions(snapshot, types)
            if history
            else (compact_entity(entity, LdContext.core, form) for entity in snapshot.scan("", query))
        )
        done = 0
        for value in told:
            if geojson and done:
                sink.write(b",\n")
            sink.write(msgspec.json.encode(value))
            if not geojson:
                sink.write(b"\n")
            done += 1
            move(min(done / total, 1.0))
        if geojson:
            sink.write(b"\n]}\n")
    return done


def _evolutions(snapshot: Snapshot, types: TypeExpression | None) -> Iterator[dict[str, Any]]:
    """All that history knows, also of entities that are gone or that it alone knows."""
    after = ""
    while page := snapshot.history_entities("", types=types, after_id=after):
        for known in page:
            yield compact_evolution(known, snapshot.instances("", known.id, Window()), LdContext.core)
        after = page[-1].id


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

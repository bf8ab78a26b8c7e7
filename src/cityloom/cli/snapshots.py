"""What `export` and `replay` read: a city as it is at one moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cityloom.cli.logs import configure_logs
from cityloom.folder import CityFolder
from cityloom.ld.context import LdContext
from cityloom.model.clock import SystemClock
from cityloom.query.parse import parse_type_selection
from cityloom.query.values import TypeExpression
from cityloom.store.ports import Snapshot
from cityloom.store.postgres import read_postgres
from cityloom.store.sqlite import read_database


def selected_types(selection: str | None) -> TypeExpression | None:
    """A type selection in the core's names; None is every type."""
    return parse_type_selection(selection, LdContext.core.expand_term) if selection is not None else None


@contextmanager
def opened(data: Path) -> Iterator[Snapshot]:
    """The city as it is at one moment; a node may be serving it meanwhile."""
    folder = CityFolder(data)
    settings = folder.settings()
    configure_logs(settings)
    if settings.store:
        with read_postgres(settings.store, folder.cold_place(settings)) as snapshot:
            yield snapshot
        return
    folder.require_store()
    with read_database(folder.store_file, SystemClock(), folder.cold_place(settings)) as snapshot:
        yield snapshot

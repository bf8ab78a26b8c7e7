"""The files of a source: found below the data folder, named and told by their SHA-256."""

from __future__ import annotations

import hashlib
from pathlib import Path

from msgspec import Struct

from cityloom.connect.mapping import Mapping
from cityloom.connect.readers import Table
from cityloom.connect.report import Report
from cityloom.model.errors import ConfigurationError


class SourceFile(Struct, frozen=True, kw_only=True):
    """One file of a source.

    `path` is what the reader opens; `content` what its rows come from (the
    table of a GTFS folder, else the same); `name` is relative to the data folder.
    """

    path: Path
    content: Path
    name: str


def source_file(path: Path) -> SourceFile:
    """A file that lies anywhere."""
    return SourceFile(path=path, content=path, name=path.name)


def find_files(mapping: Mapping, data: Path) -> list[SourceFile]:
    """The files of a mapping's `path` (which may be a glob), by name.

    Raises:
        ConfigurationError: there is none.
    """
    if not mapping.path:
        raise ConfigurationError(f"{mapping.file or mapping.source}: path is required to import from files")
    if any(sign in mapping.path for sign in "*?["):
        paths = sorted(data.glob(mapping.path))
    else:
        paths = [data / mapping.path]
    if not paths or not paths[0].exists():
        raise ConfigurationError(f"{data / mapping.path} does not exist (source {mapping.source})")
    files = []
    for path in paths:
        content = path / f"{mapping.layer}.txt" if mapping.format == "gtfs" and path.is_dir() else path
        files.append(SourceFile(path=path, content=content, name=content.relative_to(data).as_posix()))
    return files


def digest(file: SourceFile) -> tuple[str, int]:
    """SHA-256 and size in bytes of a file.

    Raises:
        ConfigurationError: it cannot be read.
    """
    sha256, size = hashlib.sha256(), 0
    try:
        with file.content.open("rb") as stream:
            while block := stream.read(1 << 20):
                sha256.update(block)
                size += len(block)
    except OSError as error:
        raise ConfigurationError(f"{file.content} cannot be read: {error.strerror or error}") from None
    return sha256.hexdigest(), size


def check_columns(mapping: Mapping, table: Table, file: str, report: Report) -> None:
    """Compares the mapping's columns with the table's.

    Raises:
        ConfigurationError: a column is not there without which no row can become an entity.
    """
    if table.columns is None:
        return
    present = set(table.columns)
    missing = [column for column in mapping.needed_columns() if column not in present]
    if missing:
        needs = mapping.file or mapping.source
        raise ConfigurationError(
            f"{file} is invalid: it has no column {missing[0]!r}, which {needs} requires"
        )
    absent = sorted(set(mapping.columns()) - present)
    if absent:
        report.notes["missingColumns"] = absent

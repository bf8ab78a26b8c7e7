"""GTFS static: the tables of a feed (folder or zip), each a CSV file.

Source: GTFS Schedule Reference. A feed without trips, stop_times or shapes is
no whole feed; it is read all the same, and the report notes what is missing.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from cityloom.connect.mapping import Mapping
from cityloom.connect.readers.csvfile import csv_table, open_csv
from cityloom.connect.readers.table import Content, Table, name_of
from cityloom.model.errors import ConfigurationError

_EXPECTED = ("agency", "stops", "routes", "trips", "stop_times", "shapes")


def open_gtfs(mapping: Mapping, content: Content) -> Table:
    """Opens one table of a feed; `layer` is its name without `.txt`.

    Raises:
        ConfigurationError: the feed cannot be opened or has no such table.
    """
    name = name_of(content)
    file = f"{mapping.layer}.txt"
    if isinstance(content, Path) and content.is_dir():
        present = {path.stem for path in content.glob("*.txt")}
        if mapping.layer not in present:
            raise ConfigurationError(f"{name} is invalid: the table {file} does not exist")
        table = open_csv(mapping, content / file)
    else:
        try:
            archive = zipfile.ZipFile(io.BytesIO(content) if isinstance(content, bytes) else content)
            members = {Path(member).stem: member for member in archive.namelist() if member.endswith(".txt")}
            data = io.BytesIO(archive.read(members[mapping.layer]))
        except FileNotFoundError:
            raise ConfigurationError(f"{name} does not exist") from None
        except KeyError:
            raise ConfigurationError(f"{name} is invalid: the table {file} does not exist") from None
        except (OSError, zipfile.BadZipFile) as error:
            raise ConfigurationError(f"{name} cannot be read as a GTFS feed: {error}") from None
        present = set(members)
        size = data.getbuffer().nbytes
        table = csv_table(
            data,
            lambda: 1.0 if data.closed or not size else data.tell() / size,
            file,
            encoding=mapping.encoding,
            delimiter=mapping.delimiter,
        )
    missing = [part for part in _EXPECTED if part not in present]
    if missing:
        table.notes["missingTables"] = missing
    return table

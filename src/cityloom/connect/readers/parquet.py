"""Parquet, read in slices with Polars; values keep their type."""

from __future__ import annotations

import io

import polars as pl

from cityloom.connect.mapping import Mapping
from cityloom.connect.readers.table import Content, Rows, Table, name_of
from cityloom.model.errors import ConfigurationError

_SLICE = 50_000


def open_parquet(mapping: Mapping, content: Content) -> Table:
    """Opens a Parquet file.

    Raises:
        ConfigurationError: it does not exist or is no Parquet file.
    """
    name = name_of(content)
    try:
        frame = pl.scan_parquet(io.BytesIO(content) if isinstance(content, bytes) else content)
        columns = frame.collect_schema().names()
        wanted = [column for column in mapping.columns() if column in columns]
        total = int(frame.select(pl.len()).collect().item())
    except FileNotFoundError:
        raise ConfigurationError(f"{name} does not exist") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ConfigurationError(f"{name} cannot be read as Parquet: {str(error).splitlines()[0]}") from None
    done = 0

    def rows() -> Rows:
        nonlocal done
        picked = frame.select(wanted)
        for start in range(0, total, _SLICE):
            chunk = picked.slice(start, _SLICE).collect()
            for offset, row in enumerate(chunk.iter_rows(named=True)):
                done = start + offset + 1
                yield done, row

    return Table(rows=rows(), columns=columns, fraction=lambda: done / total if total else 1.0)

"""Reading tables from files that people edit: YAML, with the rows there or in a CSV file beside it."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cityloom.model.errors import BadRequestData, ConfigurationError
from cityloom.rules.kinds import whole
from cityloom.rules.table import DecisionTable, TableFile, compile_table
from cityloom.yamlfile import convert, load_yaml

_ID, _NOTE = "id", "note"


def load_table(path: Path) -> DecisionTable:
    """Reads a table and checks it whole.

    `rows` in the YAML file is a list, or the name of a CSV file beside it, whose columns are the
    names of the inputs and outputs, `id` and `note`.

    Raises:
        ConfigurationError: one sentence that names the file, the row and what is wrong.
    """
    values = read_file(path)
    try:
        table = compile_table(convert(values, TableFile, str(path), ""))
        whole(table)
    except BadRequestData as error:
        raise ConfigurationError(f"{path}: {error.detail}") from None
    return table


def read_file(path: Path) -> dict[str, Any]:
    """The plain values of a table's file, with the rows of its CSV file.

    Raises:
        ConfigurationError: a file cannot be read, or a column does not exist.
    """
    values = load_yaml(path)
    rows = values.get("rows")
    if isinstance(rows, str):
        beside = path.parent / rows
        try:
            with beside.open(encoding="utf-8-sig", newline="") as file:
                values["rows"] = rows_of_csv(file, values, str(beside))
        except FileNotFoundError:
            raise ConfigurationError(f"{beside} does not exist") from None
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ConfigurationError(f"{beside} cannot be read: {error}") from None
    return values


def rows_of_csv(lines: Iterable[str], values: dict[str, Any], file: str) -> list[dict[str, Any]]:
    """The rows of a CSV file as `rows` has them; an empty line is passed over.

    Raises:
        ConfigurationError: a column does not exist or is there twice, or a line is too long.
    """
    reader = csv.reader(lines)
    columns = [name.strip() for name in next(reader, [])]
    inputs, outputs = (_names(values, part) for part in ("inputs", "outputs"))
    known = {_ID, _NOTE, *inputs, *outputs}
    for name in columns:
        if name not in known or columns.count(name) > 1:
            reason = "already exists" if name in known else "does not exist in inputs or outputs"
            raise ConfigurationError(f"{file}: the column {name!r} {reason}")
    rows = []
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(columns):
            raise ConfigurationError(f"{file}: line {reader.line_num} has more cells than there are columns")
        told = {name: cell.strip() for name, cell in zip(columns, cells, strict=False)}
        rows.append(
            {
                "id": told.get(_ID, ""),
                "note": told.get(_NOTE, ""),
                "when": {name: told[name] for name in columns if name in inputs and told.get(name)},
                "then": {name: told[name] for name in columns if name in outputs and told.get(name)},
            }
        )
    return rows


def _names(values: dict[str, Any], part: str) -> list[str]:
    told = values.get(part)
    if not isinstance(told, list):
        return []
    return [str(one.get("name")) for one in told if isinstance(one, dict)]

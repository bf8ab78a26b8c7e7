"""JSON of files, pushes and MQTT messages: an object is a row, an array many.

Members of nested objects are columns too, by their path: `{"gps": {"lat": 1}}`
has the columns `gps` and `gps.lat`. `layer` names the member that holds the
rows where the whole is an envelope, also by path.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cityloom.connect.mapping import Mapping
from cityloom.connect.readers.table import Content, Rows, Table, name_of, read_bytes
from cityloom.connect.rejects import Unreadable
from cityloom.model.errors import ConfigurationError


def open_json(mapping: Mapping, content: Content) -> Table:
    """Opens a JSON document.

    Raises:
        ConfigurationError: it is no JSON, or the layer is not in it.
    """
    name = name_of(content)
    try:
        document = msgspec.json.decode(read_bytes(content))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{name} cannot be read as JSON: {error}") from None
    for member in filter(None, mapping.layer.split(".")):
        if not isinstance(document, dict) or member not in document:
            raise ConfigurationError(f"{name} is invalid: the member {mapping.layer!r} does not exist")
        document = document[member]
    return table_of(document)


def table_of(document: Any, extra: dict[str, Any] | None = None) -> Table:
    """A table of decoded JSON; `extra` are columns that every row gets."""
    records = document if isinstance(document, list) else [document]

    def rows() -> Rows:
        for number, record in enumerate(records, 1):
            if isinstance(record, dict):
                yield number, {**(extra or {}), **flatten(record)}
            else:
                problem = "an object is required for each row"
                yield number, Unreadable(reason="not an object", detail=problem, raw=record)

    return Table(rows=rows())


def flatten(record: dict[str, Any]) -> dict[str, Any]:
    """The members of an object and, by path, those of the objects in it."""
    row = dict(record)
    pending = [(key, value) for key, value in record.items() if isinstance(value, dict)]
    while pending:
        prefix, members = pending.pop()
        for key, value in members.items():
            row[f"{prefix}.{key}"] = value
            if isinstance(value, dict):
                pending.append((f"{prefix}.{key}", value))
    return row

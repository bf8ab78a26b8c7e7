"""What PostgreSQL says in its own way: lists are arrays, values are JSON, boxes stand in a GiST."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isfinite
from typing import Any, Final

import msgspec
from msgspec import UNSET

from cityloom.model.errors import BadRequestData
from cityloom.query.cql2_like import Piece
from cityloom.query.geometry import Box
from cityloom.store.map_ports import Name

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode
_LONG: Final = "CAST(value AS text) ~ '^-?[0-9]{19,}$'"
"""Whole numbers that may be beyond 64 bits are for Python to compare, in every store."""
_AREA: Final = "ST_MakeEnvelope(p.west, p.south, p.east, p.north, 4326)"


def _told_name(stored: bytes | None) -> Name:
    return _decode(stored) if stored is not None and stored[:1] == b'"' else stored


class PostgresDialect:
    """The `Dialect` of the server store."""

    join = "JOIN"
    by_dataset = ""
    sorts_rows = True
    is_far = True
    # Measured: PostgreSQL takes as long to look into JSON as it takes to send and read it.
    reads_bodies = False
    is_compound = f"coalesce(json_typeof(value) IN ('object', 'array', 'null') OR {_LONG}, FALSE)"

    def is_number(self, low: str, high: str) -> str:
        """In decimals, since a number of JSON may be larger than any of the machine's."""
        number, bound = "CAST(CAST(value AS text) AS numeric)", "CAST(CAST(? AS text) AS numeric)"
        tests = f"{number} {low} {bound} AND {number} {high} {bound}"
        return f"CASE WHEN json_typeof(value) = 'number' AND NOT {_LONG} THEN {tests} ELSE FALSE END"

    def bound(self, number: float) -> Any:
        """As it is written, since a double precision would be rounded on its way to a decimal."""
        if number in (inf, -inf):
            return "Infinity" if number > 0 else "-Infinity"
        return repr(number)

    def texts(self, values: Sequence[str]) -> Any:
        """As an array."""
        return list(values)

    def numbers(self, values: Sequence[int]) -> Any:
        """As an array."""
        return list(values)

    def each_text(self, parameter: str, alias: str) -> str:
        """The items of the array."""
        return f"unnest(CAST({parameter} AS text[])) {alias}(value)"

    def each_number(self, parameter: str, alias: str) -> str:
        """The items of the array."""
        return f"unnest(CAST({parameter} AS bigint[])) {alias}(value)"

    def each_pair(self, ones: str, twos: str, alias: str) -> str:
        """The items of the arrays at equal places."""
        return f"unnest(CAST({ones} AS bigint[]), CAST({twos} AS bigint[])) {alias}(one, two)"

    def is_text_of(self, operand: str, parameter: str) -> str:
        """Looked up in the array."""
        return f"{operand} = ANY(CAST({parameter} AS text[]))"

    def is_number_of(self, operand: str, parameter: str) -> str:
        """Looked up in the array."""
        return f"{operand} = ANY(CAST({parameter} AS bigint[]))"

    def holds(self, text: str, part: str) -> str:
        """Whether a text holds another."""
        return f"strpos({text}, {part}) > 0"

    def id_like(self, operand: str, pieces: Sequence[Piece], bind: Callable[[Any], str]) -> str:
        """With LIKE, which knows the same wildcards."""
        pattern = "".join(
            piece.wildcard or "".join("!" + char if char in "%_!" else char for char in piece.text)
            for piece in pieces
        )
        return f"{operand} LIKE {bind(pattern)} ESCAPE '!'"

    def stored_value(self, value: Any) -> Any:
        """As JSON; nothing as NULL."""
        if type(value) is float and not isfinite(value):
            raise BadRequestData(f"value is invalid: {value} is no number of JSON")
        return None if value is UNSET else _encode(value)

    told_name = staticmethod(_told_name)

    def stored_name(self, name: Name) -> Any:
        """As JSON, a text as well."""
        return _encode(name) if isinstance(name, str) else name

    def place(self, box: Box, bind: Callable[[Any], str], type: str | None = None) -> str:
        """In the GiST of boxes, with the tenant and, where it is asked, the type inside."""
        edges = ", ".join(bind(float(edge)) for edge in (box.west, box.south, box.east, box.north))
        sql = f"p.tenant = :tenant AND {_AREA} && ST_MakeEnvelope({edges}, 4326)"
        return sql if type is None else f"{sql} AND p.type = {type}"

    def is_one_of(self, operand: str, select: str) -> str:
        """As an array, by which an index is searched; a subselect would be joined."""
        return f"{operand} = ANY(ARRAY({select}))"

    places_by_type = True

    def surely(self, type: str) -> str:
        """The index tells each type exactly."""
        return "TRUE"


POSTGRES: Final = PostgresDialect()

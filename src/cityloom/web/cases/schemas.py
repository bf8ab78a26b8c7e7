"""JSON Schemas of what `/cases` takes and answers, made of the structs themselves."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from cityloom.cases.desk.calendar_door import EditionTold, PutTold
from cityloom.cases.desk.suggesting import SuggestionsTold
from cityloom.cases.desk.views import CaseWhole, PublicCase, Queue
from cityloom.cases.desk.wishes import MoveWish, Report, Reporter, SuggestionWish
from cityloom.cases.keep.evidence import Evidence
from cityloom.web.resource import Schema


def schema_of(kind: Any) -> Schema:
    """The JSON Schema of a struct, whole: with its parts in place of references.

    What the structs leave out when it says nothing has no default here.
    """
    schema = msgspec.json.schema(kind)
    parts = schema.pop("$defs", {})
    told = _resolved(schema, parts)
    assert isinstance(told, dict)
    return told


def _resolved(schema: Any, parts: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_resolved(one, parts) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _resolved(parts[schema["$ref"].rpartition("/")[2]], parts)
    kept = {name: value for name, value in schema.items() if name not in ("default", "title", "description")}
    if "properties" in kept:
        # A property may bear any of these names.
        properties = {name: _resolved(value, parts) for name, value in schema["properties"].items()}
        return {name: _resolved(value, parts) for name, value in kept.items()} | {"properties": properties}
    return {name: _resolved(value, parts) for name, value in kept.items()}


REPORT: Final = schema_of(Report)
REPORTER: Final = schema_of(Reporter)
MOVE: Final = schema_of(MoveWish)
PUBLIC: Final = schema_of(PublicCase)
SUGGESTION: Final = schema_of(SuggestionWish)
SUGGESTIONS: Final = schema_of(SuggestionsTold)
QUEUE: Final = schema_of(Queue)
CASE: Final = schema_of(CaseWhole)
EVIDENCE: Final = schema_of(Evidence)
PUT_CALENDAR: Final = schema_of(PutTold)
EDITIONS: Final[Schema] = {"type": "array", "items": schema_of(EditionTold)}
TYPES: Final[Schema] = {
    "type": "object",
    "required": ["scheme", "version", "types", "departments"],
    "properties": {
        "scheme": {"type": "string"},
        "version": {"type": "string"},
        "types": {"type": "array", "items": {"type": "object", "required": ["code", "title", "conditions"]}},
        "departments": {"type": "array", "items": {"type": "object", "required": ["code", "title"]}},
    },
}

"""`/rules`: decision tables, their versions, what they decide, replays of the past, and adoption."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct, field
from starlette.responses import Response

from cityloom.model.errors import BadRequestData
from cityloom.rules.kinds import KINDS
from cityloom.web.answers import no_content, plain_json
from cityloom.web.incoming import Incoming
from cityloom.web.resource import Operation, Schema

T = TypeVar("T")


class DecideWish(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What someone wants decided: by the rule of a day (today), a version that is named, or a table."""

    kind: str
    inputs: dict[str, Any]
    day: str = ""
    decision_table: str = ""
    version: str = ""
    table: dict[str, Any] | None = None


class Days(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first and the last day."""

    from_: str = field(name="from", default="")
    until: str = ""


async def list_rules(incoming: Incoming) -> Response:
    """`GET /rules`."""
    return plain_json(await incoming.services.rules.list(incoming.call))


async def create_rule(incoming: Incoming) -> Response:
    """`POST /rules`: a new version, as a draft."""
    document = await _object(incoming)
    rules = incoming.services.rules
    await rules.create(incoming.call, document)
    table, version = document["decisionTable"], document["version"]
    told = await rules.retrieve(incoming.call, table, version)
    return plain_json(told, 201, {"Location": f"/rules/{table}/versions/{version}"})


async def retrieve_rule(incoming: Incoming) -> Response:
    """`GET /rules/{decisionTable}/versions/{version}`."""
    return plain_json(await incoming.services.rules.retrieve(incoming.call, *_named(incoming)))


async def replace_rule(incoming: Incoming) -> Response:
    """`PUT /rules/{decisionTable}/versions/{version}`: a draft is edited."""
    await incoming.services.rules.replace(incoming.call, *_named(incoming), await _object(incoming))
    return no_content()


async def delete_rule(incoming: Incoming) -> Response:
    """`DELETE /rules/{decisionTable}/versions/{version}`: a draft goes."""
    await incoming.services.rules.delete(incoming.call, *_named(incoming))
    return no_content()


async def adopt_rule(incoming: Incoming) -> Response:
    """`POST /rules/{decisionTable}/versions/{version}/adopt`."""
    days = await _read(incoming, Days)
    told = await incoming.services.rules.adopt(
        incoming.call, *_named(incoming), since=days.from_, until=days.until
    )
    return plain_json(told)


async def check_rule(incoming: Incoming) -> Response:
    """`POST /rules/check`: what is wrong with a table, which is not kept."""
    return plain_json(await incoming.services.rules.check(incoming.call, await _object(incoming)))


async def decide(incoming: Incoming) -> Response:
    """`POST /rules/decide`: what is decided, by which row, and why."""
    wish = await _read(incoming, DecideWish)
    draft = (wish.decision_table, wish.version) if wish.decision_table or wish.version else None
    return plain_json(
        await incoming.services.rules.decide(
            incoming.call, wish.kind, wish.inputs, day=wish.day, draft=draft, document=wish.table
        )
    )


async def list_kinds(incoming: Incoming) -> Response:
    """`GET /rules/kinds`."""
    incoming.services.access.check(incoming.call, "read", "rules")
    return plain_json([{"kind": name, **msgspec.to_builtins(kind)} for name, kind in KINDS.items()])


async def ask_replay(incoming: Incoming) -> Response:
    """`POST /rules/{decisionTable}/versions/{version}/replays`: the past under this version."""
    days = await _read(incoming, Days)
    replays = incoming.services.rule_replays
    id = await replays.ask(incoming.call, *_named(incoming), since=days.from_, until=days.until)
    return plain_json(await replays.retrieve(incoming.call, id), 202, {"Location": f"/rules/replays/{id}"})


async def list_replays(incoming: Incoming) -> Response:
    """`GET /rules/replays`."""
    return plain_json(await incoming.services.rule_replays.list(incoming.call))


async def retrieve_replay(incoming: Incoming) -> Response:
    """`GET /rules/replays/{replayId}`: how far it is, and what came of it."""
    return plain_json(await incoming.services.rule_replays.retrieve(incoming.call, incoming.path["replayId"]))


def _named(incoming: Incoming) -> tuple[str, str]:
    return incoming.path["decisionTable"], incoming.path["version"]


async def _object(incoming: Incoming) -> dict[str, Any]:
    document = await incoming.json()
    if not isinstance(document, dict):
        raise BadRequestData("the body is invalid: a decision table is required, an object")
    return document


async def _read(incoming: Incoming, kind: type[T]) -> T:
    try:
        return msgspec.convert(await incoming.json(), kind)
    except msgspec.ValidationError as error:
        raise BadRequestData(f"the body is invalid: {error}") from None


_ONE: Final = "/rules/{decisionTable}/versions/{version}"
_TEXT: Final[Schema] = {"type": "string"}
_BY_LANGUAGE: Final[Schema] = {"type": "object", "additionalProperties": _TEXT}
_CELLS: Final[Schema] = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
}
_DAYS: Final[Schema] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "from": {"type": "string", "description": "The first day, YYYY-MM-DD."},
        "until": {"type": "string", "description": "The last day, YYYY-MM-DD; open without it."},
    },
}


def _clause(types: list[str]) -> Schema:
    return {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": _TEXT,
            "type": {"enum": types},
            "title": _BY_LANGUAGE,
            "unit": _TEXT,
            "values": {"type": "string", "description": "Unary tests: what can stand there."},
            "optional": {"type": "boolean"},
        },
    }


_TABLE: Final[Schema] = {
    "type": "object",
    "required": ["decisionTable", "kind", "version", "hitPolicy", "inputs", "outputs", "rows"],
    "additionalProperties": False,
    "properties": {
        "decisionTable": _TEXT,
        "kind": {"enum": ["routing", "limits", "opening", "escalation"]},
        "version": _TEXT,
        "title": _BY_LANGUAGE,
        "hitPolicy": {"enum": ["UNIQUE", "FIRST", "COLLECT"]},
        "effective": _DAYS,
        "inputs": {
            "type": "array",
            "items": _clause(["string", "number", "boolean", "date", "duration", "any"]),
        },
        "outputs": {"type": "array", "items": _clause(["string", "number", "boolean", "duration"])},
        "rows": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": _TEXT, "when": _CELLS, "then": _CELLS, "note": _TEXT},
            },
        },
    },
}
_SUMMARY: Final[Schema] = {
    "type": "object",
    "required": ["decisionTable", "version", "kind", "title", "rows", "state"],
    "properties": {
        "decisionTable": _TEXT,
        "version": _TEXT,
        "kind": _TEXT,
        "title": _BY_LANGUAGE,
        "rows": {"type": "integer"},
        "state": {"enum": ["file", "draft", "adopted"]},
        "writtenBy": _TEXT,
        "writtenAt": _TEXT,
        "from": _TEXT,
        "until": {"type": ["string", "null"]},
        "adoptedBy": _TEXT,
        "adoptedAt": _TEXT,
    },
}
_WHOLE: Final[Schema] = {
    **_SUMMARY,
    "required": [*_SUMMARY["required"], "table"],
    "properties": {**_SUMMARY["properties"], "table": _TABLE},
}
_FINDINGS: Final[Schema] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["level", "place", "says"],
        "properties": {
            "level": {"enum": ["error", "warning"]},
            "place": _TEXT,
            "says": _TEXT,
            "fault": {
                "type": "string",
                "description": "What is the matter, for who says it in words of his own: unreadable, twice, "
                "column, hitPolicy, required, unknown, overlap, unreached, order, uncovered, gap.",
            },
            "number": {"type": "integer", "description": "The row it is about; 0 is none of them."},
            "column": {"type": "string", "description": "The name of the input or output."},
            "at": {
                "type": "object",
                "additionalProperties": _TEXT,
                "description": "The values that an overlap or a gap is about, as unary tests by input.",
            },
        },
    },
}
_DECIDE: Final[Schema] = {
    "type": "object",
    "required": ["kind", "inputs"],
    "additionalProperties": False,
    "properties": {
        "kind": {"enum": ["routing", "limits", "escalation"]},
        "inputs": {"type": "object"},
        "day": _TEXT,
        "decisionTable": _TEXT,
        "version": _TEXT,
        "table": {**_TABLE, "description": "A table as it is written down, which is not kept."},
    },
}
_NAMED_TYPES: Final[Schema] = {"type": "object", "additionalProperties": _TEXT}
_KINDS: Final[Schema] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["kind", "inputs", "outputs", "required", "hitPolicies", "alone"],
        "properties": {
            "kind": _TEXT,
            "inputs": _NAMED_TYPES,
            "outputs": _NAMED_TYPES,
            "required": {"type": "array", "items": _TEXT},
            "hitPolicies": {"type": "array", "items": _TEXT},
            "alone": {"type": "boolean", "description": "One table of the kind is in force at a time."},
        },
    },
}
_DECISION: Final[Schema] = {
    "type": "object",
    "required": ["table", "version", "hits"],
    "properties": {
        "table": _TEXT,
        "version": _TEXT,
        "hits": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["row", "number", "outputs", "why"],
                "properties": {
                    "row": _TEXT,
                    "number": {"type": "integer"},
                    "outputs": {"type": "object"},
                    "why": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["input", "value", "test"],
                            "properties": {"input": _TEXT, "test": _TEXT},
                        },
                    },
                    "note": _TEXT,
                },
            },
        },
    },
}
_SCORES: Final[Schema] = {"type": "object", "additionalProperties": {"type": ["number", "null"]}}
_WOULD_OPEN: Final[Schema] = {"type": "array", "items": {"type": "object"}}
_REPLAY: Final[Schema] = {
    "type": "object",
    "required": ["id", "decisionTable", "version", "from", "until", "status", "progress"],
    "properties": {
        "id": _TEXT,
        "decisionTable": _TEXT,
        "version": _TEXT,
        "from": _TEXT,
        "until": _TEXT,
        "status": {"enum": ["running", "done", "failed"]},
        "progress": {"type": "number", "minimum": 0, "maximum": 1},
        "askedBy": _TEXT,
        "askedAt": _TEXT,
        "error": _TEXT,
        "result": {
            "type": "object",
            "required": ["cases", "changed", "unlike", "opened", "notOpened", "scoresBefore", "scoresAfter"],
            "properties": {
                "cases": {"type": "integer"},
                "changed": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["case", "changes"],
                        "properties": {
                            "case": _TEXT,
                            "changes": {
                                "type": "array",
                                "items": {"type": "object", "required": ["fact", "before", "after"]},
                            },
                        },
                    },
                },
                "unlike": {"type": "array", "items": _TEXT},
                "opened": _WOULD_OPEN,
                "notOpened": _WOULD_OPEN,
                "scoresBefore": _SCORES,
                "scoresAfter": _SCORES,
            },
        },
    },
}

OPERATIONS = [
    Operation(
        name="listRules",
        method="GET",
        path="/rules",
        handler=list_rules,
        summary="Every version of every decision table",
        response={"type": "array", "items": _SUMMARY},
    ),
    Operation(
        name="createRule",
        method="POST",
        path="/rules",
        handler=create_rule,
        summary="A new version of a decision table, as a draft",
        statuses=(201,),
        request=_TABLE,
        response=_WHOLE,
    ),
    Operation(
        name="checkRule",
        method="POST",
        path="/rules/check",
        handler=check_rule,
        summary="What is wrong with a decision table, and what no row speaks of",
        request=_TABLE,
        response=_FINDINGS,
    ),
    Operation(
        name="decide",
        method="POST",
        path="/rules/decide",
        handler=decide,
        summary="What is decided, by which row, and why",
        request=_DECIDE,
        response=_DECISION,
    ),
    Operation(
        name="listRuleKinds",
        method="GET",
        path="/rules/kinds",
        handler=list_kinds,
        summary="What each kind of table may ask for, what it gives, and its hit policies",
        response=_KINDS,
    ),
    Operation(
        name="retrieveRule",
        method="GET",
        path=_ONE,
        handler=retrieve_rule,
        summary="A version of a decision table, whole",
        response=_WHOLE,
    ),
    Operation(
        name="replaceRule",
        method="PUT",
        path=_ONE,
        handler=replace_rule,
        summary="Edit a draft; an adopted version never changes",
        statuses=(204,),
        request=_TABLE,
    ),
    Operation(
        name="deleteRule",
        method="DELETE",
        path=_ONE,
        handler=delete_rule,
        summary="Take a draft away",
        statuses=(204,),
    ),
    Operation(
        name="adoptRule",
        method="POST",
        path=_ONE + "/adopt",
        handler=adopt_rule,
        summary="Let a version decide from a day on, for who may administer",
        request=_DAYS,
        response=_SUMMARY,
    ),
    Operation(
        name="askReplay",
        method="POST",
        path=_ONE + "/replays",
        handler=ask_replay,
        summary="Live the cases and events of a period again under this version",
        statuses=(202,),
        request=_DAYS,
        response=_REPLAY,
    ),
    Operation(
        name="listReplays",
        method="GET",
        path="/rules/replays",
        handler=list_replays,
        summary="Replays, the latest first, without their outcome",
        response={"type": "array", "items": _REPLAY},
    ),
    Operation(
        name="retrieveReplay",
        method="GET",
        path="/rules/replays/{replayId}",
        handler=retrieve_replay,
        summary="How far a replay is, and what came of it",
        response=_REPLAY,
    ),
]

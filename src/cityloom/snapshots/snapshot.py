"""A snapshot as it is kept, and what of it a client may say.

Source: ETSI GS CIM 009 clauses 5.2.22, 5.2.41, 5.2.42, 5.16.7.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from cityloom.ld.names import is_uri
from cityloom.model.entity import Attribute, Entity
from cityloom.model.errors import BadRequestData
from cityloom.model.time import parse_duration
from cityloom.query.evaluate import matcher
from cityloom.query.parse_q import parse_q
from cityloom.query.values import MEMBERS, Query, names_in

SNAPSHOT: Final = "snapshot"
"""The kind of document that snapshots are kept as."""
_MONTH: Final = 30 * 86_400 * 1_000_000

Status = Literal["preparing", "success", "partial", "failure", "empty"]
ResultStatus = Literal["success", "failure", "empty"]
QUERIES: Final = ("snapshotQueries", "snapshotTemporalQueries")
_GIVEN: Final = ("snapshotLifetime", "snapshotPriority", "endpoint", "receiverInfo")


class Details(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """How one query went (5.2.42)."""

    result_status: ResultStatus
    problem_details: dict[str, Any] | None = None


class KeyValue(Struct, frozen=True, forbid_unknown_fields=True):
    """One pair of receiverInfo (5.2.22)."""

    key: str
    value: str


class Work(Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """What is to be known for preparing a snapshot again, when a restart interrupts that.

    `ld_context` is what the words of its queries mean; `cloned` the snapshot that it is a copy of.
    `party` and `purpose` are those of the request. Its headers are not kept: they may hold secrets.
    `by` is the process that prepares it; "" is unknown.
    """

    ld_context: Any = None
    cloned: str = ""
    party: str = ""
    purpose: str = ""
    by: str = ""


class Snapshot(Struct, frozen=True, rename="camel", kw_only=True):
    """A snapshot (5.2.41), as it is kept: times as DateTime, queries as they came.

    `work` is there while it is being prepared, and is not told.
    """

    id: str
    type: Literal["Snapshot"] = "Snapshot"
    snapshot_queries: list[Any] | None = None
    snapshot_temporal_queries: list[Any] | None = None
    snapshot_lifetime: str | None = None
    snapshot_priority: int = 5
    endpoint: str | None = None
    receiver_info: list[KeyValue] | None = None
    snapshot_status: Status = "preparing"
    snapshot_queries_details: list[Details] | None = None
    snapshot_temporal_queries_details: list[Details] | None = None
    created_at: str = ""
    modified_at: str = ""
    expires_at: str = ""
    last_used_at: str = ""
    work: Work | None = None


class Given(Struct, frozen=True, rename="camel", kw_only=True):
    """What a client says of a snapshot, checked; None is not told."""

    snapshot_lifetime: str | None = None
    snapshot_priority: int | None = None
    endpoint: str | None = None
    receiver_info: list[KeyValue] | None = None


OUTPUT_ONLY: Final = frozenset(
    {"snapshotStatus", "snapshotQueriesDetails", "snapshotTemporalQueriesDetails"}
    | {"createdAt", "modifiedAt", "expiresAt", "lastUsedAt"}
)
"""Members that the node alone sets; a client's are passed over."""
_KNOWN: Final = frozenset(Snapshot.__struct_encode_fields__) - {"work"}


def read_given(document: dict[str, Any]) -> Given:
    """What may be told when a snapshot is made, cloned or changed.

    Raises:
        BadRequestData: a member is unknown or wrong; names it.
    """
    for name in document:
        if name not in _KNOWN:
            raise BadRequestData(f"{name[:100]!r} is invalid: a snapshot has no such member")
    if document.get("type") != "Snapshot":
        raise BadRequestData(f"type is invalid: {document.get('type')!r} is not Snapshot")
    id = document.get("id")
    if id is not None and not (isinstance(id, str) and is_uri(id)):
        raise BadRequestData(f"id is invalid: {id!r} is no URI")
    told = {name: document[name] for name in _GIVEN if document.get(name) is not None}
    priority = told.get("snapshotPriority")
    if isinstance(priority, float) and priority.is_integer():
        told["snapshotPriority"] = int(priority)
    try:
        given = msgspec.convert(told, Given)
    except msgspec.ValidationError as error:
        raise BadRequestData(f"the snapshot is invalid: {error}") from None
    if given.snapshot_priority is not None and not 1 <= given.snapshot_priority <= 10:
        raise BadRequestData("snapshotPriority is invalid: a whole number from 1 to 10 is required")
    if given.snapshot_lifetime is not None:
        lifetime_of(given.snapshot_lifetime)
    for pair in given.receiver_info or ():
        if not (pair.key and (pair.key + pair.value).isascii() and (pair.key + pair.value).isprintable()):
            raise BadRequestData(f"receiverInfo is invalid: {pair.key[:100]!r} cannot be sent as a header")
    if given.endpoint is not None and not given.endpoint.startswith(("http://", "https://")):
        raise BadRequestData("endpoint is invalid: it is no http or https URI")
    return given


def lifetime_of(text: str) -> int:
    """A lifetime in microseconds, a month as 30 days. Raises BadRequestData."""
    months, micros = parse_duration(text, "snapshotLifetime")
    lifetime = months * _MONTH + micros
    if lifetime <= 0:
        raise BadRequestData(f"snapshotLifetime is invalid: {text!r} is no time at all")
    return lifetime


def document_of(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as it is told: what it has not is left out."""
    told: dict[str, Any] = msgspec.to_builtins(snapshot)
    return {name: value for name, value in told.items() if name in _KNOWN and value is not None}


def overall(details: Iterable[Details]) -> Status:
    """What the results of all queries come to (5.16.1.4)."""
    found = {detail.result_status for detail in details}
    if found == {"success"}:
        return "success"
    if "success" in found:
        return "partial"
    return "empty" if "empty" in found else "failure"


class Selection:
    """A query on the members of snapshots (5.16.7).

    Raises:
        BadRequestData: it is no query, or names what is no member of a snapshot.
    """

    def __init__(self, text: str) -> None:
        q = parse_q(text, lambda name: name)
        for name in names_in(q):
            if name not in _KNOWN:
                raise BadRequestData(f"q is invalid: {name[:100]!r} is no member of a snapshot")
        self._holds = matcher(Query(q=q, limit=0))

    def __call__(self, snapshot: Snapshot) -> bool:
        told = document_of(snapshot)
        return self._holds(
            Entity(
                id=snapshot.id,
                types=["Snapshot"],
                created_at=snapshot.created_at,
                modified_at=snapshot.modified_at,
                expires_at=snapshot.expires_at,
                attributes={
                    name: [Attribute(kind="Property", value=value)]
                    for name, value in told.items()
                    if name not in MEMBERS
                },
            )
        )

"""The event log's values: what changed, and why.

The log is the spine of the house: subscriptions, rules, cases, maps and caches
are consumers of it. `seq` grows in commit order and has no gaps to a consumer.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from cityloom.model.entity import Attribute, Entity

CauseKind = Literal["request", "run", "feed", "retention", "system", "transition", "timer"]

EventKind = Literal[
    "entityCreated",
    "entityUpdated",
    "entityDeleted",
    "historyAppended",
    "historyDeleted",
    "documentPut",
    "documentDeleted",
]


class Cause(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Why an event happened: the root of its lineage.

    `id` is unique: a request's id (`request:<uuid>`), a connector run's
    (`urn:ngsi-ld:ImportRun:…`), a case's transition, a timer's. `source`, `file`, `sha256` name the source
    that a run read. `party` is the identity that asked ("" on an open node).
    """

    kind: CauseKind
    id: str
    party: str = ""
    source: str = ""
    file: str = ""
    sha256: str = ""
    operation: str = ""


class AttributeChange(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One attribute instance before and after; `None` means it was or is not there."""

    name: str
    dataset_id: str = ""
    before: Attribute | None = None
    after: Attribute | None = None


class Event(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One committed change.

    `at` is in microseconds since 1970 (UTC). `types` and `scopes` are those after the
    change (before it, for a deletion). For `entityDeleted`, `before` holds the
    whole entity as it was. For `documentPut` / `documentDeleted`, `entity_id`
    is the document's id and `document_kind` its kind. `row` is the row of the
    source file (1 = first data row) where the cause has one. For
    `historyAppended`, `count` is how many instances one chunk brought; `entity_id` is
    empty where they are of several entities (a bulk import).
    """

    seq: int
    tenant: str
    at: int
    kind: EventKind
    entity_id: str
    cause: Cause
    types: list[str] = []
    scopes: list[str] = []
    changes: list[AttributeChange] = []
    before: Entity | None = None
    document_kind: str = ""
    row: int | None = None
    count: int = 0


class Document(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A small thing kept whole: a subscription, a registration, a context, a schema, a source's state.

    `body` is the room's own JSON-able struct or dict; `modified` in microseconds.
    """

    kind: str
    id: str
    body: Any
    modified: int = 0

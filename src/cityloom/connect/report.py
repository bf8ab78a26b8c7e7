"""The account of a run: every row that was read is in exactly one of its counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Struct

from cityloom.model.entity import NGSI_LD, Attribute, Entity

RUN_TYPE = "ImportRun"


class FileRead(Struct, kw_only=True, rename="camel"):
    """One file (or message) of a run."""

    name: str
    bytes: int
    sha256: str
    rows: int = 0


class Report(Struct, kw_only=True, rename="camel"):
    """The quality report of a run.

    `created`, `updated` and `unchanged` count entities. For a source that is no
    series a row is an entity, so `read` is their sum and the rejected ones. For
    a series `values_new` and `values_known` count instances (one value of one
    attribute at one stamp), and `repeated` the rows whose stamp their entity
    had before. Times are ISO 8601, `seconds` is wall-clock time.
    """

    run: str
    source: str
    status: Literal["running", "ok", "failed"] = "running"
    started: str = ""
    ended: str = ""
    seconds: float = 0.0
    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    repeated: int = 0
    no_place: int = 0
    values_new: int = 0
    values_known: int = 0
    rejected: dict[str, int] = {}
    notes: dict[str, Any] = {}
    files: list[FileRead] = []
    error: str = ""

    def reject(self, reason: str) -> None:
        """Counts a rejected row."""
        self.rejected[reason] = self.rejected.get(reason, 0) + 1

    @property
    def rejected_rows(self) -> int:
        """How many rows were rejected."""
        return sum(self.rejected.values())

    def conclude(self) -> None:
        """Says of a run that read all there is that it is ok, or failed since every row was rejected."""
        kept = self.created + self.updated + self.unchanged + self.values_new + self.values_known
        if self.rejected_rows and not kept:
            reason = max(self.rejected, key=lambda each: self.rejected[each])
            self.status = "failed"
            self.error = f"no row was taken of {self.rejected_rows:,}, most of them for: {reason}"
        else:
            self.status = "ok"

    def add(self, other: Report) -> None:
        """Adds the counts of one message's report to those of a feed's run."""
        for name in (
            "read",
            "created",
            "updated",
            "unchanged",
            "repeated",
            "no_place",
            "values_new",
            "values_known",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for reason, count in other.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        for note, value in other.notes.items():
            both_count = isinstance(value, int) and isinstance(self.notes.get(note, 0), int)
            self.notes[note] = self.notes.get(note, 0) + value if both_count else value
        self.seconds = round(self.seconds + other.seconds, 3)

    def document(self) -> dict[str, Any]:
        """As plain JSON values with camelCase names."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        return document


def run_id(source: str, number: int) -> str:
    """The id of a run: of its entity and of the cause of what it wrote."""
    return f"urn:ngsi-ld:ImportRun:{source}:{number}"


def run_entity(report: Report, title: str, expand: Callable[[str], str]) -> Entity:
    """The report as an entity of type ImportRun, kept in the city like any other."""
    attributes: dict[str, list[Attribute]] = {}
    times = {"started", "ended"}
    objects = {"rejected", "notes", "files"}
    for name, value in report.document().items():
        if name == "run" or value in ("", {}, []):
            continue
        if name in objects:
            attribute = Attribute(kind="JsonProperty", value=value)
        elif name in times:
            attribute = Attribute(kind="Property", value=value, value_type=NGSI_LD + "DateTime")
        else:
            attribute = Attribute(kind="Property", value=value)
        attributes[expand(name)] = [attribute]
    attributes[expand("name")] = [Attribute(kind="Property", value=title or report.source)]
    return Entity(id=report.run, types=[expand(RUN_TYPE)], attributes=attributes)

"""What callers ask for: a report, a move, a page of the queue. The words are those of the API."""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from cityloom.cases.clocks.limits import parse_limit
from cityloom.cases.loop.case import Act
from cityloom.model.errors import BadRequestData

LONGEST: Final = 4000
"""Characters of a text, as in Open311."""
T = TypeVar("T")
_REFERENCE: Final = re.compile(r"\S{1,200}")


class Reporter(
    Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True
):
    """Who reports: personal data, kept apart. `note` is text that holds such data."""

    name: str = ""
    phone: str = ""
    email: str = ""
    note: str = ""

    def given(self) -> tuple[str, ...]:
        """The names of what was given."""
        return tuple(name for name in self.__struct_fields__ if getattr(self, name))


class Report(
    Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True
):
    """A report: something is to be done.

    `location` is a GeoJSON Point (lon, lat, CRS84 degrees). `about` is the entity that is meant,
    `channel` the way by which it came, `source_id` the id that another system gave it. With `draft` the
    case waits for more (photos) and is reported by a move. `request_id` makes a repeat harmless.
    `attributes` are the answers to what is asked for with the type, as in Open311.
    """

    type: str = ""
    description: str = ""
    location: dict[str, Any] | None = None
    address: str = ""
    about: str = ""
    channel: str = ""
    source_id: str = ""
    reporter: Reporter = Reporter()
    draft: bool = False
    request_id: str = ""
    role: str = "citizen"
    actor: str = ""
    evidence: tuple[str, ...] = ()
    attributes: dict[str, tuple[str, ...]] = {}


class MoveWish(
    Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True
):
    """A move that someone wants to make, and what is given with it.

    `seen` is the number of transitions that the caller had seen. `extension` is a limit (`2wd`).
    """

    move: str
    seen: int
    request_id: str = ""
    role: str = ""
    acting_for: str = ""
    actor: str = ""
    reason: str = ""
    evidence: tuple[str, ...] = ()
    finding: str = ""
    type: str = ""
    condition: str = ""
    grade: str = ""
    department: str = ""
    departments: tuple[str, ...] = ()
    worker: str = ""
    into: str = ""
    part: str = ""
    extension: str = ""
    closing_condition: str = ""

    def act(self, *, actor: str, role: str, acting_for: str, at: int) -> Act:
        """The act that it becomes. Raises BadRequestData."""
        for name in ("reason", "finding", "closing_condition"):
            check_text(getattr(self, name), name)
        if self.worker and not _REFERENCE.fullmatch(self.worker):
            raise BadRequestData("worker is invalid: a reference without spaces is required, never a name")
        return Act(
            move=self.move,
            actor=actor,
            role=role,
            at=at,
            acting_for=acting_for,
            seen=self.seen,
            reason=self.reason.strip(),
            evidence=self.evidence,
            finding=self.finding.strip(),
            type=self.type,
            condition=self.condition,
            grade=self.grade,
            department=self.department,
            departments=self.departments,
            worker=self.worker,
            into=self.into,
            part=self.part,
            extension=parse_limit(self.extension, "extension") if self.extension else None,
            closing_condition=self.closing_condition.strip(),
        )


class QueueWish(Struct, frozen=True, kw_only=True):
    """Which cases, in which order: `status` is open, closed or all; `order_by` one of `reading.ORDERS`.

    `since` and `until` (ISO 8601, both included) are about the report.
    """

    ids: tuple[str, ...] = ()
    status: str = "open"
    since: str = ""
    until: str = ""
    state: tuple[str, ...] = ()
    step: tuple[str, ...] = ()
    department: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    area: tuple[str, ...] = ()
    holder: tuple[str, ...] = ()
    light: tuple[str, ...] = ()
    order_by: str = "promise"
    limit: int = 20
    offset: int = 0


def check_text(text: str, name: str) -> None:
    """Raises BadRequestData: it is longer than a text may be, or holds what no text does."""
    if len(text) > LONGEST:
        raise BadRequestData(f"{name} is invalid: it has more than {LONGEST} characters")
    if "\0" in text:
        raise BadRequestData(f"{name} is invalid: it holds the character NUL")


class SuggestionWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text of a report, in Chinese or English, for which type and department are to be suggested.

    `type` is the one that somebody chose already ("": none): departments are those of its cases. Where it is
    (`location`, a GeoJSON Point) and which `case` it stands in are for the routing rule: a case has its own
    place, condition and grade, and the rules of its day.
    """

    text: str = ""
    type: str = ""
    location: dict[str, Any] | None = None
    case: str = ""


class NotSameWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That `case` is not the same thing; `role` and `actor` as in a move."""

    case: str
    role: str = ""
    actor: str = ""


def read_not_same(values: Any) -> NotSameWish:
    """A wish from plain values. Raises BadRequestData, naming the member."""
    return _read(values, NotSameWish)


def read_suggestion(values: Any) -> SuggestionWish:
    """A wish from plain values. Raises BadRequestData, naming the member."""
    return _read(values, SuggestionWish)


def read_report(values: Any) -> Report:
    """A report from plain values. Raises BadRequestData, naming the member."""
    return _read(values, Report)


def read_move(values: Any) -> MoveWish:
    """A move from plain values. Raises BadRequestData, naming the member."""
    return _read(values, MoveWish)


def _read(values: Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        raise BadRequestData(f"{path.rstrip('`').lstrip('.') or 'the body'} is invalid: {problem}") from None

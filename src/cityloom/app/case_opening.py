"""Cases that rules open: the report of the city itself, with the instances that fired as evidence."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from msgspec.structs import replace

from cityloom.broker.ports import Call
from cityloom.broker.schemas import SchemaRules
from cityloom.cases.keep.keeping import CaseWriter
from cityloom.cases.keep.kept import Subject
from cityloom.cases.keep.parties import CITY
from cityloom.cases.keep.places import Place, Places
from cityloom.cases.keep.rulebook import RuleBook
from cityloom.cases.loop.case import Act, RuleRow
from cityloom.model.entity import LOCATION
from cityloom.model.errors import BadRequestData
from cityloom.model.events import Cause
from cityloom.rules.opening import Opening
from cityloom.rules.watched import point_of
from cityloom.store.ports import Transaction

_OPENED: Final = "caseOpened"
"""The state that keeps the id of a fault's case."""
_log = structlog.get_logger("rules")


class OpenedCases:
    """Opens cases for rules (`rules.watch.CaseOpener`).

    Args:
        timer_set: is set once a case with timers is committed.
    """

    def __init__(self, book: RuleBook, places: Places, timer_set: asyncio.Event) -> None:
        self._book = book
        self._places = places
        self._timer_set = timer_set
        self._schemas = SchemaRules()

    def open_case(self, tx: Transaction, opening: Opening) -> str:
        """Reports the case in this transaction, and gives its id; a fault that has one keeps it."""
        known = tx.document(opening.tenant, _OPENED, opening.fault)
        if known is not None:
            return str(known.body)
        name = f"{opening.table}@{opening.version}"
        cause = Cause(kind="system", id=f"rule:{name}:{opening.row}", party=CITY, operation="openCase")
        writer = CaseWriter(
            tx, Call(tenant=opening.tenant, party=CITY, cause=cause), self._book, self._schemas
        )
        place = self._place(tx, opening)
        case = writer.new_id()
        tx.set_state(opening.tenant, _OPENED, opening.fault, case)
        kept = writer.begin(
            case,
            Subject(
                description=opening.description,
                descriptions=opening.descriptions,
                location=place.location,
                place=place.known,
                area=place.area,
                about=opening.entity,
                channel="rule",
            ),
        )
        act = Act(
            move="report",
            actor=CITY,
            role="city",
            at=tx.now,
            type=opening.case_type,
            grade=self._book.rules.grade_of(place.area),
            finding=opening.case_condition,
            evidence=opening.evidence,
            ruled={"opening": RuleRow(table=opening.table, version=opening.version, row=opening.row)},
        )
        try:
            writer.move(kept, act)
        except BadRequestData as error:
            # The city's codes were changed since the rule was adopted: the fault is told all the same.
            _log.error("rule names what does not exist", rule=name, row=opening.row, reason=error.detail)
            told = f"{opening.description} ({opening.case_type}: {error.detail})".strip()
            kept = replace(kept, subject=replace(kept.subject, description=told, descriptions={}))
            writer.move(kept, replace(act, type="", grade=""))
        return case

    def opened(self) -> None:
        """Looks at the timers of cases, after a commit."""
        self._timer_set.set()

    def _place(self, tx: Transaction, opening: Opening) -> Place:
        """Where the entity is; outside of every area it is there all the same."""
        entity = tx.get(opening.tenant, opening.entity)
        point = point_of(None if entity is None else entity.instance(LOCATION))
        if point is None:
            return Place(known="unknown")
        where = {"type": "Point", "coordinates": list(point)}
        try:
            return self._places.find(tx, opening.tenant, where, self._book.rules.no_place)
        except BadRequestData:
            return Place(location=point)

"""Where opening rules stand with attributes of entities, as it is kept, and which values matter to them."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct

from cityloom.model.entity import Attribute
from cityloom.rules.daytime import Active
from cityloom.rules.opening import Heard, OpeningRule, Watched, hear
from cityloom.store.ports import Transaction

WATCHED: Final = "RuleWatched"
"""The kind of the states: where a rule stands with an attribute of an entity."""


class Place(Struct, frozen=True, kw_only=True):
    """Where a rule stands: with which attribute of which entity."""

    tenant: str
    table: str
    row: str
    entity: str
    attribute: str
    dataset: str = ""

    @property
    def key(self) -> str:
        """What its state and its timer are kept by."""
        named = "\x1f".join((self.table, self.row, self.entity, self.attribute, self.dataset))
        return hashlib.sha256(named.encode()).hexdigest()[:40]


class State(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of a place; `watched` None: nothing is the matter."""

    place: Place
    watched: Watched | None = None


class Signal(Struct, frozen=True, kw_only=True):
    """A value for a rule."""

    place: Place
    rule: OpeningRule
    heard: Heard
    modified: str | None = None


NO_RULE: Final = OpeningRule(
    table="",
    version="",
    row="",
    entity_types=(),
    attributes=(),
    fault=None,
    over=None,
    wait=0,
    silence=0,
    during="",
    case_type="",
    case_condition="",
    description="",
)


def matters(rule: OpeningRule, state: State | None, heard: Heard) -> bool:
    """Whether a value can change where a rule stands: most values of most sensors change nothing."""
    watched = None if state is None else state.watched
    if rule.silence:
        # While it is heard of, the timer looks when that was last: not every value is a write. One that
        # comes when the timer should have fired is looked at before it counts.
        if watched is None or watched.status == "open" or heard.gone:
            return True
        return watched.due is not None and heard.at >= watched.due
    if watched is not None:
        return True
    return not heard.gone and rule.is_fault(heard.value)


def value_of(attribute: Attribute) -> Any:
    """The value of an instance; None where it has none."""
    return None if attribute.value is UNSET else attribute.value


def point_of(location: Attribute | None) -> tuple[float, float] | None:
    """One place of a geometry: its first position."""
    value: Any = None if location is None else location.value
    coordinates = value.get("coordinates") if isinstance(value, dict) else None
    while isinstance(coordinates, list) and coordinates and isinstance(coordinates[0], list):
        coordinates = coordinates[0]
    if isinstance(coordinates, list) and len(coordinates) >= 2:
        return float(coordinates[0]), float(coordinates[1])
    return None


def watched_at(tx: Transaction, place: Place) -> Watched | None:
    """Where a rule stands with a place, as it is kept."""
    document = tx.document(place.tenant, WATCHED, place.key)
    return None if document is None else msgspec.convert(document.body, State).watched


def silent_at(rule: OpeningRule, last: int, active: Active | None) -> int | None:
    """When an attribute that was heard of at `last` has been silent for long enough."""
    found = hear(rule, None, Heard(at=last, firing=""), active)
    return None if found is None else found.due

"""Opening rules over the past: which cases other rules would have opened, from the history of attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import tzinfo
from typing import Any, Final, Literal, NamedTuple

from cityloom.broker.instances import brief
from cityloom.model.entity import LOCATION
from cityloom.model.history import Instance
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.query.values import TypeIs
from cityloom.rules.daytime import active_during
from cityloom.rules.opening import Heard, OpeningRule, faults, opening_rules
from cityloom.rules.replay import Progress, Replay
from cityloom.rules.table import DecisionTable
from cityloom.rules.watched import point_of, value_of
from cityloom.store.history_ports import Window
from cityloom.store.ports import Snapshot

_PAGE: Final = 500


class WouldOpen(NamedTuple):
    """A case that a rule would have opened; `at` is microseconds since 1970."""

    entity: str
    attribute: str
    dataset: str
    case_type: str
    case_condition: str
    at: int

    def told(self) -> dict[str, Any]:
        """For a person."""
        return {
            "entity": self.entity,
            "attribute": brief(self.attribute),
            "caseType": self.case_type,
            "caseCondition": self.case_condition,
            "at": format_datetime(self.at),
        }


class OpeningPast:
    """Reads the history of what rules look at.

    Args:
        expand: gives the IRI of a type or an attribute as tables name it.
        centre: lon, lat of the city, for entities that have no place of their own.
    """

    def __init__(self, *, expand: Callable[[str], str], zone: tzinfo, centre: tuple[float, float]) -> None:
        self._expand = expand
        self._zone = zone
        self._centre = centre

    def replay(
        self,
        reads: Snapshot,
        tenant: str,
        before: DecisionTable | None,
        table: DecisionTable,
        *,
        since: int,
        until: int,
        progress: Progress = lambda _: None,
    ) -> Replay:
        """The cases that a table opens in [since, until) and another does not, and the other way round.

        Args:
            before: the version in force; None opens nothing.

        Cost: reads the instances of the attributes that either looks at.
        """
        old = [] if before is None else opening_rules(before)
        new = opening_rules(table)
        was: set[WouldOpen] = set()
        now: set[WouldOpen] = set()
        types = sorted({self._expand(type) for rule in (*old, *new) for type in rule.entity_types})
        for number, type in enumerate(types):
            progress(number / len(types))
            for entity in self._entities(reads, tenant, type):
                was |= set(self._opened(reads, tenant, type, entity, old, since, until))
                now |= set(self._opened(reads, tenant, type, entity, new, since, until))
        progress(1.0)
        return Replay(
            table=table.id,
            version=table.version,
            cases=len(was | now),
            opened=[one.told() for one in sorted(now - was, key=lambda one: (one.at, one))],
            not_opened=[one.told() for one in sorted(was - now, key=lambda one: (one.at, one))],
        )

    def _entities(self, reads: Snapshot, tenant: str, type: str) -> Iterator[str]:
        after = ""
        while page := reads.history_entities(tenant, types=TypeIs(type=type), after_id=after, limit=_PAGE):
            yield from (entity.id for entity in page)
            after = page[-1].id

    def _opened(
        self,
        reads: Snapshot,
        tenant: str,
        type: str,
        entity: str,
        rules: Sequence[OpeningRule],
        since: int,
        until: int,
    ) -> Iterator[WouldOpen]:
        told: dict[str, dict[str, list[Heard]]] = {}
        lon, lat = self._centre
        current = reads.get(tenant, entity)
        if current is not None:
            lon, lat = point_of(current.instance(LOCATION)) or self._centre
        for rule in rules:
            if type not in {self._expand(one) for one in rule.entity_types}:
                continue
            active = active_during(rule.during, self._zone, lon, lat)
            for name in (self._expand(one) for one in rule.attributes):
                if name not in told:
                    told[name] = _told(reads, tenant, entity, name, since, until)
                for dataset, values in told[name].items():
                    for fault in faults(rule, values, active, until - 1):
                        if fault.due is not None and fault.due >= since:
                            yield WouldOpen(
                                entity, name, dataset, rule.case_type, rule.case_condition, fault.due
                            )


def _told(
    reads: Snapshot, tenant: str, entity: str, name: str, since: int, until: int
) -> dict[str, list[Heard]]:
    """The values of an attribute in a period, and the last before it, by dataset in order of time."""
    latest = reads.instances(tenant, entity, Window(names=[name], last_n=1)).get(name, [])
    observed = any(one.attribute.observed_at is not None for one in latest)
    by: Literal["observedAt", "modifiedAt"] = "observedAt" if observed else "modifiedAt"
    windows = (
        Window(names=[name], timeproperty=by, end=since, last_n=1),
        Window(names=[name], timeproperty=by, start=since, end=until),
    )
    found: dict[str, list[Heard]] = {}
    for window in windows:
        for one in reads.instances(tenant, entity, window).get(name, []):
            at = _time(one, observed)
            if at is None or one.occurrence:
                continue
            gone = one.attribute.deleted_at is not None
            value = None if gone else value_of(one.attribute)
            heard = Heard(at=at, firing=one.attribute.instance_id or "", value=value, gone=gone)
            found.setdefault(one.attribute.dataset_id, []).append(heard)
    for values in found.values():
        values.sort(key=lambda one: one.at)
    return found


def _time(instance: Instance, observed: bool) -> int | None:
    attribute = instance.attribute
    text = attribute.observed_at if observed else attribute.modified_at or attribute.created_at
    return None if text is None else parse_datetime(text)

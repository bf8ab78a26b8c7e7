"""A subscription made ready to match: every expression parsed once.

Source: ETSI GS CIM 009 clauses 5.2.12 (triggers), 5.2.33 (selectors), 5.8.6 (notification behaviour).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from cityloom.broker.linked import reaches_out
from cityloom.ld.linked import MOST_LEVELS, Joining
from cityloom.model.entity import Attribute, Entity
from cityloom.model.errors import BadRequestData
from cityloom.model.events import AttributeChange, Cause, Event
from cityloom.model.time import parse_datetime
from cityloom.query.evaluate import Get, matcher
from cityloom.query.parse import (
    parse_geo,
    parse_id_pattern,
    parse_projection,
    parse_q,
    parse_scope_q,
    parse_type_selection,
    split_names,
)
from cityloom.query.values import (
    Query,
    TypeAnd,
    TypeExpression,
    TypeIs,
    TypeOr,
)
from cityloom.subscriptions.document import DEFAULT_TRIGGERS, Selector, Subscription

ANY = ""
"""The key of subscriptions that no type, or no attribute, narrows down."""

ExpandFor = Callable[[str], Callable[[str], str]]


class Compiled:
    """One subscription, ready to be asked whether an event touches it.

    Args:
        subscription: as it is kept.
        expand_for: for a member's name, what expands the names in it; by default what was recorded.
    """

    def __init__(self, subscription: Subscription, expand_for: ExpandFor | None = None) -> None:
        self.subscription = subscription
        expand_for = expand_for or recorded(subscription)
        self.selectors = [
            CompiledSelector(selector, expand_for("entities")) for selector in subscription.entities or ()
        ]
        self._watched = frozenset(subscription.watched_attributes or ())
        self._triggers = _triggers(subscription)
        join, level = subscription.notification.join, subscription.notification.join_level
        self.joining = Joining()
        if join != "@none":
            self.joining = Joining(join, min(int(level or 1), MOST_LEVELS))
        self.query = _condition(subscription, expand_for, self.joining.level)
        self._reaches_out = self.query.q is not None and reaches_out(self.query.q)
        self.conditional = self.query != Query()
        self._holds = matcher(self.query) if self.conditional and not self._reaches_out else None
        self.projection = parse_projection(
            {
                name: value
                for name, value in (
                    ("pick", subscription.notification.pick),
                    ("omit", subscription.notification.omit),
                    ("datasetId", subscription.dataset_id),
                    ("lang", subscription.lang),
                )
                if value is not None
            },
            expand_for("projection"),
            self.joining.level,
        )
        if subscription.notification.attributes is not None:
            self.projection = msgspec.structs.replace(
                self.projection, attrs=subscription.notification.attributes
            )
        self.expires = parse_datetime(subscription.expires_at) if subscription.expires_at else None
        self.created = parse_datetime(subscription.created_at) if subscription.created_at else 0

    def places(self) -> Iterable[tuple[str, str]]:
        """(id or type, attribute) pairs under which it is found; `ANY` where nothing does."""
        keys: set[str] = set()
        for selector in self.selectors:
            keys |= selector.ids or _type_keys(selector.types)
        names = self._watched if self._watched and self._triggers.isdisjoint(_ENTITY_TRIGGERS) else {ANY}
        return [(key, name) for key in keys or {ANY} for name in names]

    def selects(self, entity: Entity) -> bool:
        """Whether the entity is one of those subscribed to, its conditions left aside."""
        return not self.selectors or any(selector.selects(entity) for selector in self.selectors)

    def holds(self, entity: Entity, get: Get) -> bool:
        """Whether q, geoQ and scopeQ hold for the entity; `get` gives those that it is linked to."""
        if self._reaches_out:
            return matcher(self.query, get)(entity)
        return self._holds is None or self._holds(entity)

    def triggered(self, event: Event) -> bool:
        """Whether what happened is what the subscription watches for."""
        if self.subscription.time_interval is not None:
            return False
        if event.kind == "entityCreated" and "entityCreated" in self._triggers:
            return True
        if event.kind == "entityDeleted":
            return "entityDeleted" in self._triggers or bool(self.deleted_with(event))
        return any(
            _kind_of(change) in self._triggers
            for change in event.changes
            if not self._watched or change.name in self._watched
        )

    def fired_by(self, tenant: str, entity: Entity) -> bool:
        """Whether some change of this entity triggers it: of an attribute that it has, or its deletion.

        Conditions (q, geoQ, scopeQ) are left aside: a change can make them hold.
        """
        return self.selects(entity) and any(map(self.triggered, events_of(tenant, entity)))

    def deleted_with(self, event: Event) -> list[str]:
        """The watched attributes that went with their entity, where their deletion is what is watched for."""
        if "entityDeleted" in self._triggers or "attributeDeleted" not in self._triggers:
            return []
        names = event.before.attributes if event.before is not None else {}
        return [name for name in names if not self._watched or name in self._watched]

    def tells(self, entity: Entity, get: Get, *, decided: bool) -> bool:
        """Whether what a source told of an entity is to be notified.

        Args:
            get: gives the entities that it is linked to.
            decided: the conditions were looked at there. Of a deleted entity nobody can look at them.
        """
        return self.selects(entity) and (decided or entity.deleted_at is not None or self.holds(entity, get))

    def queries(self) -> list[Query]:
        """What finds the entities subscribed to: one query per selector, its conditions on them included."""
        query = msgspec.structs.replace(self.query, q=None) if self._reaches_out else self.query
        return [
            msgspec.structs.replace(
                query,
                ids=list(selector.ids),
                id_pattern=selector.pattern_text,
                types=selector.types,
            )
            for selector in self.selectors
        ] or [query]

    def active(self, now: int) -> bool:
        """Whether it is neither paused nor expired at `now` (microseconds)."""
        return self.subscription.is_active is not False and (self.expires is None or now < self.expires)


def recorded(subscription: Subscription) -> ExpandFor:
    """What the names in a subscription mean, as it was recorded when it was made.

    A text that meant nothing then is none that means something now: it raises BadRequestData again.
    """

    def expand_for(member: str) -> Callable[[str], str]:
        names = subscription.names.get(member, {})

        def expand(term: str) -> str:
            if term not in names:
                raise BadRequestData(f"{member} is invalid: {term!r} is no name")
            return names[term]

        return expand

    return expand_for


def events_of(tenant: str, entity: Entity) -> list[Event]:
    """What can happen to an entity: its attributes are changed, taken away, made again; it is deleted."""
    changed, gone, made = [], [], []
    for name, instances in entity.attributes.items():
        for one in instances:
            gone.append(AttributeChange(name=name, before=one))
            made.append(AttributeChange(name=name, after=one))
            changed.append(AttributeChange(name=name, before=Attribute(), after=one))
    cause = Cause(kind="system", id="urn:cityloom:supposed")
    events = [
        Event(
            seq=0,
            tenant=tenant,
            at=0,
            kind="entityUpdated",
            entity_id=entity.id,
            cause=cause,
            types=entity.types,
            changes=changes,
        )
        for changes in (changed, gone, made)
    ]
    return [*events, msgspec.structs.replace(events[1], kind="entityDeleted", before=entity)]


class CompiledSelector:
    """One EntitySelector, its expressions parsed."""

    def __init__(self, selector: Selector, expand: Callable[[str], str]) -> None:
        self.types = parse_type_selection(selector.type, expand)
        self.ids = frozenset(selector.ids)
        self.pattern_text: str | None = None
        if selector.id_pattern is not None and not self.ids:
            self.pattern_text = parse_id_pattern(selector.id_pattern)
        self._matches = matcher(Query(ids=list(self.ids), id_pattern=self.pattern_text, types=self.types))

    def selects(self, entity: Entity) -> bool:
        """Whether the entity is one of those."""
        return self._matches(entity)


_ENTITY_TRIGGERS = {"entityCreated", "entityDeleted"}


def _triggers(subscription: Subscription) -> frozenset[str]:
    """`entityUpdated` is the three attribute triggers together (Table 5.2.12-1)."""
    triggers: set[str] = set(subscription.notification_trigger or DEFAULT_TRIGGERS)
    if "entityUpdated" in triggers:
        triggers |= {"attributeCreated", "attributeUpdated", "attributeDeleted"}
    return frozenset(triggers)


def _condition(subscription: Subscription, expand_for: ExpandFor, join_level: int) -> Query:
    geo = None
    if subscription.geo_q is not None:
        geo = parse_geo(msgspec.to_builtins(subscription.geo_q), expand_for("geoQ"))
    q = None
    if subscription.q is not None:
        q = parse_q(
            subscription.q,
            expand_for("q"),
            expand_values=split_names(subscription.expand_values),
            json_keys=split_names(subscription.json_keys),
            join_level=join_level,
        )
    return Query(
        q=q,
        scope_q=parse_scope_q(subscription.scope_q) if subscription.scope_q is not None else None,
        geo=geo,
    )


def _type_keys(expression: TypeExpression | None) -> set[str]:
    """Types of which an entity that the expression selects has at least one."""
    match expression:
        case None:
            return {ANY}
        case TypeIs(type):
            return {type}
        case TypeOr(terms):
            return set[str]().union(*(_type_keys(term) for term in terms))
        case TypeAnd(terms):
            return min((_type_keys(term) for term in terms), key=lambda keys: (ANY in keys, len(keys)))


def _kind_of(change: AttributeChange) -> str:
    """The trigger of a change; "" when nothing but the time of change differs (5.8.6)."""
    if change.before is None:
        return "attributeCreated"
    if change.after is None:
        return "attributeDeleted"
    return "" if _same(change.before, change.after) else "attributeUpdated"


def _same(before: Attribute, after: Attribute) -> bool:
    if len(before.attributes) != len(after.attributes):
        return False
    if _timeless(before) != _timeless(after):
        return False
    for name, instances in before.attributes.items():
        others = after.attributes.get(name, ())
        if len(instances) != len(others) or not all(map(_same, instances, others)):
            return False
    return True


def _timeless(attribute: Attribute) -> Attribute:
    return msgspec.structs.replace(
        attribute, created_at=None, modified_at=None, instance_id=None, attributes={}
    )

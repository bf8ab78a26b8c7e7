"""What subscribers who hear of several places were last told, so that no change comes twice.

A change that is written here and at a source, or that comes from a source by two ways, is notified
by each of them; it is told once. Each place tells a change once, so a value is no news when another
place told it last, or when just this instance was told before. From one place the same value is
news again: there was another between, which perhaps did not fit the conditions.

This is kept in memory and bounded; what was forgotten comes twice. Times of different places are
never compared, so nothing is held back for being old.

Source: ETSI GS CIM 009 clauses 4.3.6.2, 5.8.6.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Final

import msgspec

from cityloom.broker.ports import HERE
from cityloom.ld.kinds import is_deleted
from cityloom.model.entity import Attribute, Entity
from cityloom.model.events import Event

_MOST: Final = 100_000
"""Entities of which is known what was told; the longest untouched goes first."""
_REMEMBERED: Final = 8
"""States of one attribute instance that may come once more by a slower way."""

Mark = tuple[int, str | None]
"""A value, and when it was changed."""
Slot = tuple[str, str]
"""An attribute and a dataset."""
Told = list[tuple[Slot, Mark]]


class _Value:
    """The value last told of one instance, by which places; and what was told of it lately."""

    def __init__(self) -> None:
        self.last: int | None = None
        self.by: set[str] = set()
        self.lately: deque[Mark] = deque(maxlen=_REMEMBERED)

    def told(self, mark: Mark, place: str) -> bool:
        exactly = mark[1] is not None and mark in self.lately
        return exactly or (self.last == mark[0] and place not in self.by)

    def take(self, mark: Mark, place: str) -> None:
        if not self.told(mark, place):
            self.last, self.by = mark[0], set()
        if self.last == mark[0]:
            self.by.add(place)
        if mark not in self.lately:
            self.lately.append(mark)


class _Known:
    """What one subscriber was told of one entity; `gone_by`: the places that told that it is deleted."""

    def __init__(self) -> None:
        self.values: dict[Slot, _Value] = {}
        self.gone_by: set[str] = set()
        self.delivery = ""


class Heard:
    """Remembers what was told, for the subscriptions that are shared with sources."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._shared: set[tuple[str, str]] = set()
        self._known: OrderedDict[tuple[str, str, int, str], _Known] = OrderedDict()
        self._version: dict[tuple[str, str], int] = {}

    def clear(self) -> None:
        """Forgets everything: another process told subscribers meanwhile."""
        self._shared.clear()
        self._known.clear()
        self._version.clear()

    def share(self, tenant: str, subscription: str, *, shared: bool) -> None:
        """Hears whether a subscription is shared with sources: of others nothing is remembered."""
        if shared:
            self._shared.add((tenant, subscription))
        else:
            self._shared.discard((tenant, subscription))

    def shares(self, tenant: str, subscription: str) -> bool:
        """Whether a subscription is shared with sources."""
        return (tenant, subscription) in self._shared

    def changed(self, tenant: str, subscription: str) -> None:
        """Hears that a subscription was changed or deleted: what was told before counts no more."""
        if (tenant, subscription) in self._shared:
            self._version[tenant, subscription] = self._version.get((tenant, subscription), 0) + 1

    def news_here(self, event: Event, subscription: str, state: Entity) -> bool:
        """Whether a change of this node is news to a subscriber, who is then told of it."""
        if not self.shares(event.tenant, subscription):
            return True
        gone = event.kind == "entityDeleted"
        changed = list(_marks((change.name, change.dataset_id, change.after) for change in event.changes))
        known = self._of(event.tenant, subscription, event.entity_id)
        news = not _known_already(known, changed, HERE, gone=gone)
        _take(known, [*_entity_marks(state), *changed], HERE, gone=gone)
        known.delivery = ""
        return news

    def news_there(
        self, tenant: str, subscription: str, told: Entity, delivery: str, place: str, *, projected: bool
    ) -> bool:
        """Whether what a source told is news to a subscriber, who is then told of it.

        Args:
            delivery: the notification on its way; at its next try it is news still.
            place: the source, by its registration.
            projected: the source may have left out the attribute that changed, so that the time
                of the entity's change counts, too.
        """
        known = self._of(tenant, subscription, told.id)
        gone = told.deleted_at is not None
        marks = list(_entity_marks(told))
        if projected:
            marks.append((("", ""), (hash(told.modified_at or delivery), told.modified_at)))
        news = known.delivery == delivery or not _known_already(known, marks, place, gone=gone)
        _take(known, marks, place, gone=gone)
        if news:
            known.delivery = delivery
        return news

    def not_told(self, tenant: str, subscription: str, told: Entity) -> None:
        """Hears of what is not told, since conditions do not hold: what comes after it is news."""
        known = self._of(tenant, subscription, told.id)
        for slot, mark in _entity_marks(told):
            value = known.values.get(slot)
            if value is not None and value.last != mark[0]:
                value.last = None

    def _of(self, tenant: str, subscription: str, entity: str) -> _Known:
        version = self._version.get((tenant, subscription), 0)
        key = (tenant, subscription, version, entity)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _Known()
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return known


def _known_already(known: _Known, told: Told, place: str, *, gone: bool) -> bool:
    if gone:
        return bool(known.gone_by) and place not in known.gone_by
    if not told or known.gone_by:
        return False
    return all(slot in known.values and known.values[slot].told(mark, place) for slot, mark in told)


def _take(known: _Known, told: Told, place: str, *, gone: bool) -> None:
    if gone:
        known.values.clear()
        if place in known.gone_by:
            known.gone_by.clear()
        known.gone_by.add(place)
        return
    known.gone_by.clear()
    for slot, mark in told:
        known.values.setdefault(slot, _Value()).take(mark, place)


def _entity_marks(entity: Entity) -> Iterable[tuple[Slot, Mark]]:
    return _marks(
        (name, one.dataset_id, one) for name, instances in entity.attributes.items() for one in instances
    )


def _marks(instances: Iterable[tuple[str, str, Attribute | None]]) -> Iterable[tuple[Slot, Mark]]:
    for name, dataset_id, one in instances:
        if one is None or is_deleted(one):
            yield (name, dataset_id), (0, None if one is None else one.deleted_at)
        else:
            yield (name, dataset_id), (hash(msgspec.json.encode(_timeless(one))), one.modified_at)


def _timeless(attribute: Attribute) -> Attribute:
    """An instance and what belongs to it, without the times of the node that keeps it."""
    return msgspec.structs.replace(
        attribute,
        created_at=None,
        modified_at=None,
        instance_id=None,
        attributes={name: list(map(_timeless, found)) for name, found in attribute.attributes.items()},
    )

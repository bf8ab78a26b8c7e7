"""What subscribers who hear of several places were last told, so that no change comes twice.

A change that is written here and at a source, or that comes from a source by two ways, is
notified by each of them. It is told once: what holds nothing but values that the subscriber
was told already is no news. This is kept in memory and bounded; what was forgotten comes twice,
and nothing is held back that was not told.

Source: ETSI GS CIM 009 clauses 4.3.6.2, 5.8.6.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Final

import msgspec

from cityloom.ld.compact import is_deleted
from cityloom.model.entity import Attribute, Entity
from cityloom.model.events import Event

_MOST: Final = 100_000
"""Entities of which is known what was told; the longest untouched goes first."""
_REMEMBERED: Final = 8
"""States of one attribute instance that may come once more by a slower way."""

Slot = tuple[str, str]
Mark = tuple[int, str | None]
"""A value, and when it was changed."""


class _Known:
    """What one subscriber was told of one entity."""

    def __init__(self) -> None:
        self.last: dict[Slot, int] = {}
        self.seen: dict[Slot, deque[Mark]] = {}
        self.gone = False
        self.delivery = ""

    def has(self, slot: Slot, mark: Mark) -> bool:
        return self.last.get(slot) == mark[0] or (mark[1] is not None and mark in self.seen.get(slot, ()))

    def take(self, slot: Slot, mark: Mark) -> None:
        self.last[slot] = mark[0]
        self.seen.setdefault(slot, deque(maxlen=_REMEMBERED)).append(mark)


class Heard:
    """Remembers what was told, for the subscriptions that are shared with sources."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._shared: set[tuple[str, str]] = set()
        self._known: OrderedDict[tuple[str, str, str], _Known] = OrderedDict()

    def share(self, tenant: str, subscription: str, *, shared: bool) -> None:
        """Hears whether a subscription is shared with sources: of others nothing is remembered."""
        if shared:
            self._shared.add((tenant, subscription))
        else:
            self._shared.discard((tenant, subscription))

    def shares(self, tenant: str, subscription: str) -> bool:
        """Whether a subscription is shared with sources."""
        return (tenant, subscription) in self._shared

    def news_here(self, event: Event, subscription: str, state: Entity) -> bool:
        """Whether a change of this node is news to a subscriber, who is then told of it."""
        if not self.shares(event.tenant, subscription):
            return True
        gone = event.kind == "entityDeleted"
        changed = list(_marks((change.name, change.dataset_id, change.after) for change in event.changes))
        known = self._known.get((event.tenant, subscription, event.entity_id))
        if known is not None:
            if gone and known.gone:
                return False
            if changed and not gone and all(known.has(slot, mark) for slot, mark in changed):
                return False
        told = [*_entity_marks(state), *changed]
        self._take((event.tenant, subscription, event.entity_id), told, f"event {event.seq}", gone=gone)
        return True

    def news_there(
        self, tenant: str, subscription: str, told: Entity, delivery: str, *, projected: bool
    ) -> bool:
        """Whether what a source told is news to a subscriber, who is then told of it.

        Args:
            delivery: the notification on its way; at its next try it is news still.
            projected: the source may have left out the attribute that changed, so that the time
                of the entity's change counts, too.
        """
        key = (tenant, subscription, told.id)
        gone = told.deleted_at is not None
        marks = list(_entity_marks(told))
        known = self._known.get(key)
        if known is not None and known.delivery != delivery:
            if gone and known.gone:
                return False
            unchanged = not gone and all(known.has(slot, mark) for slot, mark in marks)
            if unchanged and (not projected or (told.modified_at is not None and known.has(*_whole(told)))):
                return False
        self._take(key, [*marks, _whole(told)], delivery, gone=gone)
        return True

    def _take(
        self, key: tuple[str, str, str], told: Iterable[tuple[Slot, Mark]], delivery: str, *, gone: bool
    ) -> None:
        known = self._known.get(key)
        if known is None or gone or known.gone:
            known = self._known[key] = _Known()
        self._known.move_to_end(key)
        known.gone = gone
        known.delivery = delivery
        for slot, mark in () if gone else told:
            known.take(slot, mark)
        if len(self._known) > self._most:
            self._known.popitem(last=False)


def _whole(entity: Entity) -> tuple[Slot, Mark]:
    """The entity as such, known by the time of its change."""
    return ("", ""), (hash(entity.modified_at), entity.modified_at)


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

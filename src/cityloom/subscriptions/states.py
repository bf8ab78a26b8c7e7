"""What an entity was just after an event, although the store may have gone on since.

The log keeps each change with the instance before it, so later events are
undone one by one from the current state. A notification thus tells of its own
change, however late it is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from cityloom.model.entity import Attribute, Entity
from cityloom.model.events import Event
from cityloom.model.time import format_datetime
from cityloom.store.ports import Snapshot

Key = tuple[str, str]


def states_after(snapshot: Snapshot, events: Sequence[Event], wanted: Iterable[int]) -> dict[int, Entity]:
    """The entity of each wanted event, as it was when the event was committed.

    Args:
        snapshot: one state of the store, at or after the last of `events`.
        events: consecutive events of the log.
        wanted: `seq` of those events whose entities are asked for.

    Returns:
        By `seq`; for a deletion the entity before it.

    Cost: one look-up an entity, and reading what was changed of it since.
    """
    seqs = set(wanted)
    keys = {(event.tenant, event.entity_id) for event in events if event.seq in seqs}
    if not keys:
        return {}
    later: list[Event] = list(events)
    current: dict[Key, Entity | None] = {}
    for tenant in {tenant for tenant, _ in keys}:
        ids = [id for owner, id in keys if owner == tenant]
        later.extend(snapshot.events_of(events[-1].seq, tenant, ids))
        found = snapshot.get_many(tenant, ids)
        current |= {(tenant, id): found.get(id) for id in ids}
    states: dict[int, Entity] = {}
    for event in reversed(later):
        key = (event.tenant, event.entity_id)
        if key not in current or not event.kind.startswith("entity"):
            continue
        if event.kind == "entityDeleted":
            current[key] = event.before
        state = current[key]
        if state is None:
            continue
        if event.seq in seqs:
            states[event.seq] = _dressed(state, event)
        if event.kind != "entityDeleted":
            current[key] = None if event.kind == "entityCreated" else _undone(state, event)
    return states


def _dressed(state: Entity, event: Event) -> Entity:
    if event.kind == "entityDeleted":
        return state
    return msgspec.structs.replace(
        state, types=event.types, scopes=event.scopes, modified_at=format_datetime(event.at)
    )


def _undone(state: Entity, event: Event) -> Entity:
    attributes = dict(state.attributes)
    for change in event.changes:
        kept: list[Attribute] = [
            instance
            for instance in attributes.get(change.name, ())
            if instance.dataset_id != change.dataset_id
        ]
        if change.before is not None:
            kept.append(change.before)
        if kept:
            attributes[change.name] = kept
        else:
            attributes.pop(change.name, None)
    return msgspec.structs.replace(state, attributes=attributes)

"""What differs between two states of an entity, and what history keeps of it: pure, for every store."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cityloom.model.entity import NGSI_LD, NULL, Attribute, Entity
from cityloom.model.events import AttributeChange

SCOPE: Final = NGSI_LD + "scope"
"""The name under which history keeps an entity's scopes (clause 4.5.6)."""


def attribute_changes(before: Entity | None, after: Entity | None) -> list[AttributeChange]:
    """The attribute instances that differ, in the order of `after`, then those that went.

    Cost: an instance that is the very same object is not compared.
    """
    old = before.attributes if before is not None else {}
    new = after.attributes if after is not None else {}
    if not old:
        return [
            AttributeChange(name=name, dataset_id=instance.dataset_id, after=instance)
            for name, instances in new.items()
            for instance in instances
        ]
    changes: list[AttributeChange] = []
    for name, instances in new.items():
        earlier = old.get(name)
        if instances is not earlier:
            _compare(name, earlier or [], instances, changes)
    for name, instances in old.items():
        if name not in new:
            _compare(name, instances, [], changes)
    return changes


def _compare(
    name: str, before: list[Attribute], after: list[Attribute], changes: list[AttributeChange]
) -> None:
    if len(before) == 1 and len(after) == 1 and before[0].dataset_id == after[0].dataset_id:
        if before[0] is not after[0] and before[0] != after[0]:
            changes.append(
                AttributeChange(name=name, dataset_id=after[0].dataset_id, before=before[0], after=after[0])
            )
        return
    earlier = {instance.dataset_id: instance for instance in before}
    for instance in after:
        previous = earlier.pop(instance.dataset_id, None)
        if previous is not instance and previous != instance:
            changes.append(
                AttributeChange(name=name, dataset_id=instance.dataset_id, before=previous, after=instance)
            )
    changes.extend(
        AttributeChange(name=name, dataset_id=dataset_id, before=previous)
        for dataset_id, previous in earlier.items()
    )


def tombstone(before: Attribute, now: str) -> Attribute:
    """The instance that records a deletion.

    Source: ETSI GS CIM 009 clauses 4.5.7, 4.5.8.

    Args:
        before: the instance as it was last.
        now: when it went (ISO 8601).
    """
    return replace(
        before,
        value=NULL,
        observed_at=None,
        unit_code=None,
        value_type=None,
        object_type=None,
        expires_at=None,
        instance_id=None,
        attributes={},
        modified_at=now,
        deleted_at=now,
    )


def scope_instance(scopes: list[str], now: str) -> Attribute:
    """The instance that records a change of an entity's scopes; an empty list is their deletion.

    Source: ETSI GS CIM 009 clause 4.5.6.
    """
    return Attribute(
        kind="Property",
        value=list(scopes) if scopes else NULL,
        observed_at=now,
        created_at=now,
        modified_at=now,
        deleted_at=None if scopes else now,
    )

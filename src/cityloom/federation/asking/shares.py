"""Which registered source has which share of an entity, and what is left for this node.

Source: ETSI GS CIM 009 clauses 4.3.6.2, 4.3.6.3, 5.6, 5.12.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from cityloom.federation.registrations.matching import info_has_id
from cityloom.federation.registrations.operations import supported
from cityloom.federation.registrations.registration import Information, Registration
from cityloom.model.entity import Entity

_MODES: Final = ("exclusive", "redirect", "inclusive")


class Share(NamedTuple):
    """What a source has of an entity: of the attributes asked for these (expanded names)."""

    registration: Registration
    names: frozenset[str]
    supported: bool


class Shares(NamedTuple):
    """The shares of sources, the attributes left for this node, and whether anything is left at all."""

    shares: list[Share]
    left: frozenset[str]
    here: bool


def shares(
    registrations: Iterable[Registration],
    operations: Sequence[str],
    entity_id: str,
    types: Sequence[str],
    names: frozenset[str],
    *,
    past: bool = False,
) -> Shares:
    """Deals an operation that writes out to sources and this node.

    Args:
        operations: the names of the operations of which a source must support one.
        types: of the entity; none when they are not known, and then any will do.
        names: the attributes that are written; none when it is the entity as such.
        past: whether a temporal evolution is written; sources of nothing else count then too.
    """
    by_mode: dict[str, list[Registration]] = {mode: [] for mode in _MODES}
    for registration in registrations:
        mode = registration.mode or "inclusive"
        if mode in by_mode and (past or not registration.temporal):
            by_mode[mode].append(registration)
    dealt: list[Share] = []
    left = names
    covered = False
    for mode in _MODES:
        taken: set[str] = set()
        for registration in by_mode[mode]:
            found = [part for part in registration.information if has_entity(part, entity_id, types)]
            whole = any(not part.attributes for part in found)
            share = left if whole else left & frozenset().union(*(part.attributes for part in found))
            if not found or (names and not share):
                continue
            able = not supported(registration.operations).isdisjoint(operations)
            dealt.append(Share(registration, share, able))
            taken |= share
            covered = covered or (whole and mode == "redirect")
        if mode != "inclusive":
            left -= taken
    here = bool(left) if names else not covered
    return Shares(dealt, left, here)


def has_entity(information: Information, entity_id: str, types: Sequence[str]) -> bool:
    """Whether an entity is among those of an element of the information."""
    return information.entities is None or any(
        info_has_id(info, entity_id) and (not types or set(info.types) <= set(types))
        for info in information.entities
    )


def registered_part(registration: Registration, entity: Entity) -> Entity | None:
    """Of an entity that a source told, what it registered; None when that is nothing."""
    found = [part for part in registration.information if has_entity(part, entity.id, entity.types)]
    if not found:
        return None
    if any(not part.attributes for part in found):
        return entity
    names = frozenset().union(*(part.attributes for part in found))
    return replace(
        entity, attributes={name: kept for name, kept in entity.attributes.items() if name in names}
    )

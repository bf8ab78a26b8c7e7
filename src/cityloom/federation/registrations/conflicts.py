"""What a proxied registration may not stand beside: other proxied ones, and data that are here.

Source: ETSI GS CIM 009 clauses 4.3.6.3, 5.9.2.4, 5.9.3.4.
"""

from __future__ import annotations

from collections.abc import Iterator

from cityloom.federation.registrations.matching import info_has_id
from cityloom.federation.registrations.registration import EntityInfo, Information, Registration
from cityloom.federation.registrations.registry import alive, kept
from cityloom.model.errors import Conflict
from cityloom.query.values import Query, TypeAnd, TypeExpression, TypeIs
from cityloom.store.ports import Transaction


def refuse_conflicts(tx: Transaction, tenant: str, registration: Registration) -> None:
    """Raises Conflict when the registration contradicts another, or an entity of this node.

    Cost: a walk through the tenant's registrations, and a query for each EntityInfo.
    """
    if not registration.proxied:
        return
    for other in kept(tx, tenant):
        if other.id == registration.id or not other.proxied or not alive(other, tx.now):
            continue
        if "exclusive" in (registration.mode, other.mode) and _overlap(registration, other):
            raise Conflict(
                f"registration {registration.id} is {registration.mode} and conflicts with {other.id}, "
                f"which is {other.mode}: both have the same attributes of the same entity"
            )
    for query in _held(registration):
        for entity in tx.query(tenant, query):
            raise Conflict(
                f"registration {registration.id} is {registration.mode} and conflicts with entity "
                f"{entity.id}, which is held here"
            )


def _overlap(one: Registration, other: Registration) -> bool:
    """Whether an entity of the exclusive one, with one of its attributes, is among those of the other."""
    exclusive, second = (one, other) if one.mode == "exclusive" else (other, one)
    return any(
        _same_attributes(part, theirs) and _same_entity(part, theirs)
        for part in exclusive.information
        for theirs in second.information
    )


def _same_attributes(one: Information, other: Information) -> bool:
    return not one.attributes or not other.attributes or not one.attributes.isdisjoint(other.attributes)


def _same_entity(exclusive: Information, other: Information) -> bool:
    if other.entities is None:
        return True
    return any(
        info_has_id(info, entity.id)
        # Two ids are one entity, whatever its types; else types tell entities apart.
        and (info.id is not None or set(info.types) <= set(entity.types))
        for entity in exclusive.entities or ()
        if entity.id is not None
        for info in other.entities
    )


def _held(registration: Registration) -> Iterator[Query]:
    """Queries for entities of this node that hold what is registered."""
    for information in registration.information:
        attrs = sorted(information.attributes)
        if information.entities is None:
            yield Query(attrs=attrs, limit=1)
        for entity in information.entities or ():
            if registration.mode == "exclusive" and entity.id is not None:
                yield Query(ids=[entity.id], attrs=attrs, limit=1)
            else:
                yield Query(
                    ids=[] if entity.id is None else [entity.id],
                    id_pattern=entity.pattern,
                    types=_all_of(entity),
                    attrs=attrs,
                    limit=1,
                )


def _all_of(entity: EntityInfo) -> TypeExpression:
    terms: list[TypeExpression] = [TypeIs(type) for type in entity.types]
    return terms[0] if len(terms) == 1 else TypeAnd(terms)

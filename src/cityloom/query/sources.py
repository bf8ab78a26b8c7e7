"""What is asked of context sources: which registrations may have something of it.

Source: ETSI GS CIM 009 clauses 5.10.2.4, 5.11.2.4, 5.12.
"""

from __future__ import annotations

from msgspec import Struct

from cityloom.query.values import (
    MEMBERS,
    GeoQuery,
    QAnd,
    QLinked,
    QLinks,
    QNode,
    QOr,
    ScopeExpression,
    TemporalQuery,
    TypeExpression,
)


class EntitySpecification(Struct, frozen=True, kw_only=True):
    """Entities that are asked for: of `types` (None: any), of these ids or such ids (none: any)."""

    types: TypeExpression | None = None
    ids: list[str] = []
    id_pattern: str | None = None


class SourceQuery(Struct, frozen=True, kw_only=True):
    """What selects registrations; every given part must hold.

    `entities` none is any, else one of them must fit; `attrs` are the expanded names of
    attributes, of which a source must have one. `csf` is a condition on the source's own
    properties. Without `temporal` only sources of the latest information are meant.
    """

    entities: list[EntitySpecification] = []
    attrs: list[str] = []
    dataset_ids: list[str] = []
    geo: GeoQuery | None = None
    temporal: TemporalQuery | None = None
    csf: QNode | None = None
    scope_q: ScopeExpression | None = None


def attributes_of(q: QNode) -> set[str]:
    """The attributes (expanded) that a condition looks at."""
    if isinstance(q, QAnd | QOr):
        return set[str]().union(*(attributes_of(term) for term in q.terms))
    if isinstance(q, QLinked | QLinks):
        return {q.relationship}
    first = q.path.attributes[0]
    return set() if first in MEMBERS else {first}

"""Queries that reach into linked entities: what these must meet is looked up first.

Source: ETSI GS CIM 009 clauses 4.9 (a filter on what a relationship leads to), 5.7.2.4.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cityloom.broker.ports import Broker, Call
from cityloom.model.errors import TooManyResults
from cityloom.query.sources import attributes_of
from cityloom.query.values import QAnd, QLinked, QLinks, QNode, QOr, Query, TypeIs, TypeOr

_MOST_LINKED: Final = 20_000


async def with_links(broker: Broker, call: Call, query: Query, page: int) -> Query:
    """The query with the ids of linked entities in place of the conditions that they meet.

    They are looked for wherever the call reaches, at registered sources too.

    Args:
        page: how many entities are read at once.

    Raises:
        TooManyResults: too many entities meet such a condition.

    Cost: one query for each relationship that the conditions follow.
    """
    if query.q is None or not reaches_out(query.q):
        return query
    if call.forwarding is not None:
        # The words of the request belong to its own query, and are not sent along with these.
        call = replace(call, forwarding=replace(call.forwarding, words={}))
    return replace(query, q=await _looked_up(broker, call, query.q, page))


def reaches_out(node: QNode) -> bool:
    """Whether a condition is on linked entities."""
    if isinstance(node, QAnd | QOr):
        return any(map(reaches_out, node.terms))
    return isinstance(node, QLinked | QLinks)


async def _looked_up(broker: Broker, call: Call, node: QNode, page: int) -> QNode:
    match node:
        case QAnd(terms):
            return QAnd([await _looked_up(broker, call, term, page) for term in terms])
        case QOr(terms):
            return QOr([await _looked_up(broker, call, term, page) for term in terms])
        case QLinked(relationship, condition, types):
            condition = await _looked_up(broker, call, condition, page)
            wanted = Query(
                types=TypeOr([TypeIs(type) for type in types]) if types else None,
                attrs=sorted(attributes_of(condition)),
                q=condition,
                limit=page,
            )
            return QLinks(relationship, await _ids(broker, call, wanted))
        case _:
            return node


async def _ids(broker: Broker, call: Call, query: Query) -> list[str]:
    found: list[str] = []
    while True:
        page = await broker.query_entities(call, replace(query, offset=len(found)))
        found += [entity.id for entity in page.entities]
        if not page.more or not page.entities:
            return found
        if len(found) > _MOST_LINKED:
            raise TooManyResults(f"q is invalid: more than {_MOST_LINKED} linked entities meet a condition")

"""The copy of a subscription, reduced to what a source registered.

Source: ETSI GS CIM 009 clauses 4.3.6.1, 5.2.12, 5.2.33, 5.8.1.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cityloom.federation.asking.documents import requests
from cityloom.federation.registrations.registration import Registration
from cityloom.federation.sharing.subscribed import Head
from cityloom.ld.context import LdContext
from cityloom.query.sources import EntitySpecification, SourceQuery
from cityloom.query.values import Query


def watched_there(registration: Registration, head: Head) -> list[str] | None:
    """The attributes that the copy watches, none is all; None: the source has none of those watched."""
    watched = frozenset(head.watched_attributes)
    if any(not part.attributes for part in registration.information):
        return sorted(watched)
    registered = frozenset().union(*(part.attributes for part in registration.information))
    names = watched & registered if watched else registered
    return sorted(names) or None


def reduced(
    copy: dict[str, Any],
    registration: Registration,
    query: SourceQuery,
    watched: Sequence[str],
    ld_context: LdContext,
) -> dict[str, Any]:
    """A copy with no entity, type or attribute that the source did not register.

    Args:
        registration: with what is to the point of its information.
        query: what the subscription is to.
        watched: see `watched_there`.
    """
    document = {name: value for name, value in copy.items() if name != "watchedAttributes"}
    selectors = _selectors(registration, query, frozenset(watched), ld_context)
    if selectors:
        document["entities"] = selectors
    if watched and "timeInterval" not in document:
        document["watchedAttributes"] = [ld_context.compact_key(name) for name in watched]
    management = registration.management
    if management is not None and management.local_only:
        document["localOnly"] = True
    return document


def _selectors(
    registration: Registration, query: SourceQuery, watched: frozenset[str], ld_context: LdContext
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for wanted in query.entities or [EntitySpecification()]:
        asked = Query(ids=wanted.ids, id_pattern=wanted.id_pattern, types=wanted.types)
        for params in requests(registration, asked, watched, ld_context):
            if not query.entities and not params.keys() & {"type", "id", "idPattern"}:
                return []
            selector: dict[str, Any] = {"type": params.get("type", "*")}
            if "id" in params:
                ids = params["id"].split(",")
                selector["id"] = ids[0] if len(ids) == 1 else ids
            elif "idPattern" in params:
                selector["idPattern"] = params["idPattern"]
            if selector not in found:
                found.append(selector)
    return found

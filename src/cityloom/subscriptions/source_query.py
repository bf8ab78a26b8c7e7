"""What a subscription to registrations looks for.

Source: ETSI GS CIM 009 clauses 5.11.2.4, 5.12.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from cityloom.query.parse import parse_q, parse_temporal
from cityloom.query.sources import EntitySpecification, SourceQuery
from cityloom.subscriptions.compiled import Compiled


def source_query(compiled: Compiled, expand: Callable[[str], str]) -> SourceQuery:
    """The query for the registrations that a subscription is to.

    Args:
        expand: gives the meaning of the names in `csf`.

    Raises:
        BadRequestData: `csf` or `temporalQ` is invalid.
    """
    subscription = compiled.subscription
    temporal = subscription.temporal_q
    return SourceQuery(
        entities=[
            EntitySpecification(
                types=selector.types, ids=sorted(selector.ids), id_pattern=selector.pattern_text
            )
            for selector in compiled.selectors
        ],
        attrs=list(_attributes(compiled)),
        dataset_ids=subscription.dataset_id or [],
        geo=compiled.query.geo,
        temporal=None if temporal is None else parse_temporal(msgspec.to_builtins(temporal)),
        csf=None if subscription.csf is None else parse_q(subscription.csf, expand),
        scope_q=compiled.query.scope_q,
    )


def _attributes(compiled: Compiled) -> Sequence[str]:
    """Watched attributes and those notified of; any will do where either is not told."""
    watched = compiled.subscription.watched_attributes
    projection = compiled.projection
    told = projection.attrs or [path[0] for path in projection.pick if path[0] not in ("id", "type", "scope")]
    return sorted({*watched, *told}) if watched and told else ()

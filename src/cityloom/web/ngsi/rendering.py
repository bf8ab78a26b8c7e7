"""How entities are answered: form, projection, and the entities that they are linked to.

Source: ETSI GS CIM 009 clauses 4.5.23 (linked entity retrieval), 6.3.7, 6.3.15.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from cityloom.broker.ports import Call
from cityloom.ld import linked
from cityloom.ld.conformance import parse_version
from cityloom.ld.context import LdContext
from cityloom.ld.linked import MOST_LEVELS, Joining, Shape
from cityloom.model.entity import Entity
from cityloom.model.errors import BadRequestData, InvalidRequest
from cityloom.query.parse import parse_ids
from cityloom.query.values import Query
from cityloom.web.incoming import Incoming
from cityloom.web.ngsi.queries import LINKED, Words, read_form, read_projection

_NOT_JOINED: Final = Joining()


def read_shape(incoming: Incoming, words: Words, ld_context: LdContext) -> Shape:
    """Reads how entities are to be answered.

    Args:
        words: the query parameters, or the members of a Query document.

    Raises:
        BadRequestData, InvalidRequest: a part is invalid; names it.
    """
    joining = read_joining(words)
    projection = read_projection(words, ld_context, joining.level)
    form = read_form(incoming.params, incoming.options, incoming.accept, ld_context, projection)
    asked = incoming.preferences.get("ngsi-ld")
    if asked is not None and not form.geojson:
        form = replace(form, version=parse_version(asked))
    return Shape(form, projection, joining)


def read_joining(words: Words) -> Joining:
    """Reads how far and in which way linked entities are retrieved. Raises BadRequestData, InvalidRequest."""
    if LINKED.isdisjoint(words):
        return _NOT_JOINED
    join, level, contained_by = words.get("join"), words.get("joinLevel"), words.get("containedBy")
    if join not in (None, "flat", "inline", "@none"):
        raise InvalidRequest(f"join is invalid: {join!r} is none of flat, inline and @none")
    if join is None or join == "@none":
        if level is not None or contained_by is not None:
            raise BadRequestData("joinLevel and containedBy are invalid without join=flat or join=inline")
        return _NOT_JOINED
    seen = frozenset(parse_ids(contained_by)) if contained_by is not None else frozenset()
    text = "1" if level is None else str(level)
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_LEVELS):
        raise BadRequestData(f"joinLevel is invalid: {text[:50]!r}; a whole number from 1 to {MOST_LEVELS}")
    return Joining("flat" if join == "flat" else "inline", int(text), seen)


async def write_entities(
    incoming: Incoming, entities: Sequence[Entity], ld_context: LdContext, shape: Shape
) -> tuple[list[dict[str, Any]], int]:
    """Entities as documents, with those that they are linked to, and the status to answer them with.

    That is 203 where an older version of the standard is asked for that cannot tell them as they are
    (4.3.6.8, Table 6.4.3.2-3). See `linked.write_entities`.

    Cost: where a version is asked for everything is written twice.
    """

    async def read(wanted: Mapping[str, bool]) -> dict[str, Entity]:
        call, forwarding = incoming.call, incoming.call.forwarding
        if forwarding is None or forwarding.local:
            return await _by_ids(incoming, call, list(wanted))
        at_home = replace(call, forwarding=replace(forwarding, local=True))
        here = await _by_ids(incoming, at_home, [id for id, typed in wanted.items() if not typed])
        return await _by_ids(incoming, call, [id for id, typed in wanted.items() if typed or id in here])

    documents = await linked.write_entities(entities, ld_context, shape, read)
    if shape.form.version is not None:
        as_they_are = replace(shape, form=replace(shape.form, version=None))
        if documents != await linked.write_entities(entities, ld_context, as_they_are, read):
            return documents, 203
    return documents, 200


async def _by_ids(incoming: Incoming, call: Call, ids: Sequence[str]) -> dict[str, Entity]:
    found: dict[str, Entity] = {}
    size = incoming.services.settings.page_max
    for start in range(0, len(ids), size):
        some = list(ids[start : start + size])
        page = await incoming.services.broker.query_entities(call, Query(ids=some, limit=len(some)))
        found |= {entity.id: entity for entity in page.entities}
    return found

"""How entities are answered: form, projection, and the entities that they are linked to.

Source: ETSI GS CIM 009 clauses 4.5.23 (linked entity retrieval), 4.21 (names in braces), 6.3.7, 6.3.15.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from cityloom.ld.compact import Form, compact_entity
from cityloom.ld.context import LdContext
from cityloom.model.entity import Entity
from cityloom.model.errors import BadRequestData, InvalidRequest, TooManyResults
from cityloom.query.parse import parse_ids
from cityloom.query.project import project
from cityloom.query.values import Projection, Query
from cityloom.web.incoming import Incoming
from cityloom.web.queries import Words, read_form, read_projection

_MOST_LEVELS: Final = 10
_MOST_LINKED: Final = 5000
_RELATIONSHIPS: Final = ("Relationship", "ListRelationship")

Join = Literal["flat", "inline"]


class Joining(Struct, frozen=True):
    """How far and in which way relationships are followed; level 0 is not at all."""

    join: Join = "inline"
    level: int = 0
    contained_by: frozenset[str] = frozenset()


class Shape(Struct, frozen=True):
    """Everything about how entities are answered."""

    form: Form
    projection: Projection
    joining: Joining


def read_shape(incoming: Incoming, words: Words, ld_context: LdContext) -> Shape:
    """Reads how entities are to be answered.

    Args:
        words: the query parameters, or the members of a Query document.

    Raises:
        BadRequestData, InvalidRequest: a part is invalid; names it.
    """
    joining = _read_joining(words)
    projection = read_projection(words, ld_context, joining.level)
    form = read_form(incoming.params, incoming.options, incoming.accept, ld_context, projection)
    return Shape(form, projection, joining)


def _read_joining(words: Words) -> Joining:
    join, level, contained_by = words.get("join"), words.get("joinLevel"), words.get("containedBy")
    if join not in (None, "flat", "inline", "@none"):
        raise InvalidRequest(f"join is invalid: {join!r} is none of flat, inline and @none")
    if join is None or join == "@none":
        if level is not None or contained_by is not None:
            raise BadRequestData("joinLevel and containedBy are invalid without join=flat or join=inline")
        return Joining()
    seen = frozenset(parse_ids(contained_by)) if contained_by is not None else frozenset()
    text = "1" if level is None else str(level)
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _MOST_LEVELS):
        raise BadRequestData(f"joinLevel is invalid: {text[:50]!r}; a whole number from 1 to {_MOST_LEVELS}")
    return Joining("flat" if join == "flat" else "inline", int(text), seen)


async def write_entities(
    incoming: Incoming, entities: Sequence[Entity], ld_context: LdContext, shape: Shape
) -> list[dict[str, Any]]:
    """Entities as documents, projected, with the entities that they are linked to."""
    form, projection, joining = shape.form, shape.projection, shape.joining
    if joining.level == 0:
        return [compact_entity(project(entity, projection), ld_context, form) for entity in entities]
    linked = await _fetch(incoming, entities, joining)
    if joining.join == "flat":
        whole = Projection(
            attrs=projection.attrs,
            pick=[path[:1] for path in projection.pick],
            omit=[path for path in projection.omit if len(path) == 1],
            dataset_ids=projection.dataset_ids,
        )
        roots = {entity.id for entity in entities}
        everyone = [*entities, *(one for id, one in linked.items() if id not in roots)]
        return [compact_entity(project(entity, whole), ld_context, form) for entity in everyone]

    def inline(path: tuple[str, ...], entity_id: str) -> Entity | None:
        if len(path) > joining.level:
            return None
        found = linked.get(entity_id)
        return None if found is None else project(found, _below(projection, path))

    return [
        compact_entity(project(entity, projection), ld_context, form, linked=inline) for entity in entities
    ]


def _below(projection: Projection, path: tuple[str, ...]) -> Projection:
    """What a projection says of the entities that `path` leads to."""
    depth = len(path)
    return Projection(
        pick=[names[depth:] for names in projection.pick if names[:depth] == path and len(names) > depth],
        omit=[names[depth:] for names in projection.omit if names[:depth] == path and len(names) > depth],
        dataset_ids=projection.dataset_ids,
        lang=projection.lang,
    )


async def _fetch(incoming: Incoming, entities: Sequence[Entity], joining: Joining) -> dict[str, Entity]:
    """The entities that can be reached, level by level; each is fetched once."""
    found: dict[str, Entity] = {}
    seen = set(joining.contained_by)
    known = {entity.id: entity for entity in entities}
    level: Sequence[Entity] = entities
    for _ in range(joining.level):
        targets = [id for id in dict.fromkeys(_targets(level)) if id not in seen]
        seen.update(targets)
        if len(seen) > _MOST_LINKED:
            raise TooManyResults(f"joinLevel is invalid: more than {_MOST_LINKED} linked entities")
        missing = [id for id in targets if id not in known]
        fresh = {id: known[id] for id in targets if id in known}
        size = incoming.services.settings.page_max
        for start in range(0, len(missing), size):
            ids = missing[start : start + size]
            page = await incoming.services.broker.query_entities(
                incoming.call, Query(ids=ids, limit=len(ids))
            )
            fresh |= {entity.id: entity for entity in page.entities}
        found |= fresh
        level = list(fresh.values())
        if not level:
            break
    return found


def _targets(entities: Iterable[Entity]) -> Iterable[str]:
    for entity in entities:
        for instances in entity.attributes.values():
            for attribute in instances:
                if attribute.kind in _RELATIONSHIPS:
                    value: Any = attribute.value
                    yield from value if isinstance(value, list) else [value]

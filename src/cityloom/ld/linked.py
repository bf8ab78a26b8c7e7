"""Entities as documents together with those that they are linked to, in one array or within each other.

Where entities are read from, and who asks, is told by the callable handed in.

Source: ETSI GS CIM 009 clauses 4.5.23 (linked entity retrieval), 4.21 (names in braces).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from cityloom.ld.compact import Form, Previous, compact_entity
from cityloom.ld.context import LdContext
from cityloom.model.entity import DEFAULT_INSTANCE, Entity
from cityloom.model.errors import TooManyResults
from cityloom.query.project import project
from cityloom.query.values import Projection

MOST_LEVELS: Final = 10
_MOST_LINKED: Final = 5000
_RELATIONSHIPS: Final = ("Relationship", "ListRelationship")
Path = tuple[str, ...]
"""The names of the relationships that lead to a linked entity."""
Step = tuple[Path, str]
"""A path, and the id that it leads to."""
Read = Callable[[Mapping[str, bool]], Awaitable[Mapping[str, Entity]]]
"""Gives entities by their ids; those that are not there, or not to be seen, are left out.

With each id goes whether a relationship tells its type (`objectType`): only then does it count as linked
where it lies at another source alone (4.5.23.1)."""


class Joining(Struct, frozen=True):
    """How far and in which way relationships are followed; level 0 is not at all."""

    join: Literal["flat", "inline"] = "inline"
    level: int = 0
    contained_by: frozenset[str] = frozenset()


class Shape(Struct, frozen=True):
    """Everything about how entities are written."""

    form: Form
    projection: Projection
    joining: Joining = Joining()


async def write_entities(
    entities: Sequence[Entity],
    ld_context: LdContext,
    shape: Shape,
    read: Read,
    previous: Previous | None = None,
) -> list[dict[str, Any]]:
    """Entities as documents, projected, with the entities that they are linked to.

    An entity of which the projection leaves nothing is no entity any more and is left out.

    Args:
        read: asked once for each level of relationships.
        previous: what instances of `entities` held before, where that is told.

    Raises:
        TooManyResults: the linked entities are too many.
    """
    form, projection, joining = shape.form, shape.projection, shape.joining
    if form.geojson and projection.dataset_ids:
        asked = [DEFAULT_INSTANCE if each == "@none" else each for each in projection.dataset_ids]
        form = replace(form, geometry_datasets=tuple(sorted(asked, key=bool)))
    before: Previous = previous or {}
    projected = [project(entity, projection) for entity in entities]
    roots = [entity for entity in projected if _has_members(entity, form)]
    if joining.level == 0:
        return [compact_entity(entity, ld_context, form, previous=before) for entity in roots]
    linked = await follow(roots, projection, joining, read)
    if joining.join == "flat":
        # What is found in several ways is written once, as it was found first.
        first: dict[str, Entity] = {}
        known = {entity.id for entity in entities}
        for (_, id), entity in linked.items():
            if id not in known and _has_members(entity, form):
                first.setdefault(id, entity)
        return [
            *(compact_entity(entity, ld_context, form, previous=before) for entity in roots),
            *(compact_entity(entity, ld_context, form) for entity in first.values()),
        ]

    def inline(path: Path, entity_id: str) -> Entity | None:
        return linked.get((path, entity_id))

    return [compact_entity(entity, ld_context, form, previous=before, linked=inline) for entity in roots]


def _has_members(entity: Entity, form: Form) -> bool:
    """Whether a projection has left anything to write."""
    times = (entity.created_at, entity.modified_at, entity.expires_at) if form.sys_attrs else ()
    return bool(entity.id or entity.types or entity.scopes or entity.attributes or any(times))


def _below(projection: Projection, path: Path) -> Projection:
    """What a projection says of the entities that `path` leads to."""
    depth = len(path)
    return Projection(
        pick=[names[depth:] for names in projection.pick if names[:depth] == path and len(names) > depth],
        omit=[names[depth:] for names in projection.omit if names[:depth] == path and len(names) > depth],
        dataset_ids=projection.dataset_ids,
        lang=projection.lang,
    )


async def follow(
    roots: Sequence[Entity], projection: Projection, joining: Joining, read: Read
) -> dict[Step, Entity]:
    """The entities that the relationships of projected ones lead to, projected, level by level.

    Raises:
        TooManyResults: they are too many.
    """
    found: dict[Step, Entity] = {}
    known: dict[str, Entity | None] = dict.fromkeys(joining.contained_by)
    # Not found here, and no relationship to them told their type so far.
    untyped: set[str] = set()
    level: list[tuple[Path, Entity]] = [((), entity) for entity in roots]
    for _ in range(joining.level):
        steps: dict[Step, bool] = {}
        for path, entity in level:
            for step, typed in _targets(path, entity):
                steps[step] = typed or steps.get(step, False)
        if len(found) + len(steps) > _MOST_LINKED:
            raise TooManyResults(f"joinLevel is invalid: more than {_MOST_LINKED} linked entities")
        missing: dict[str, bool] = {}
        for (_, id), typed in steps.items():
            if id not in known or (typed and id in untyped):
                missing[id] = typed or missing.get(id, False)
        fresh = await read(missing) if missing else {}
        known |= {id: fresh.get(id) for id in missing}
        untyped -= missing.keys()
        untyped |= {id for id, typed in missing.items() if not typed and id not in fresh}
        reached = {
            (path, id): project(linked, _below(projection, path))
            for path, id in steps
            if (linked := known[id]) is not None
        }
        found |= reached
        level = [(path, entity) for (path, _), entity in reached.items()]
        if not level:
            break
    return found


def _targets(path: Path, entity: Entity) -> Iterable[tuple[Step, bool]]:
    for name, instances in entity.attributes.items():
        for attribute in instances:
            if attribute.kind in _RELATIONSHIPS:
                value: Any = attribute.value
                for target in value if isinstance(value, list) else [value]:
                    yield ((*path, name), target), attribute.object_type is not None

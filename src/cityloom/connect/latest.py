"""The newest value of each attribute of the entities of a series: what their current state holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from cityloom.connect.rows import Attributes, Built
from cityloom.model.entity import Attribute, Entity
from cityloom.model.errors import BadRequestData
from cityloom.model.time import parse_datetime
from cityloom.store.instances import series_instance_id

Held = Mapping[tuple[str, str], tuple[int, int, int, Attribute]]
"""By (name, dataset id): stamp in microseconds, occurrence, row and the attribute."""


class Latest:
    """Keeps, per entity and attribute instance, what has the newest stamp."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._held: dict[str, dict[tuple[str, str], tuple[int, int, int, Attribute]]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def offer(self, built: Built) -> None:
        """Takes a row; the first of those with the same stamp stays."""
        held = self._held.setdefault(built.entity_id, {})
        micros = built.micros or 0
        for name, instances in built.attributes.items():
            for attribute in instances:
                key = (name, attribute.dataset_id)
                old = held.get(key)
                if old is None or micros > old[0]:
                    held[key] = (micros, built.occurrence, built.row, attribute)

    def take(self) -> list[tuple[str, int, Held]]:
        """(entity id, row of the newest, what is held) of all entities, which are then forgotten."""
        taken: list[tuple[str, int, Held]] = [
            (entity_id, max(entry[2] for entry in held.values()), held)
            for entity_id, held in self._held.items()
            if held
        ]
        self._held = {}
        return taken

    def attributes(
        self,
        entity_id: str,
        held: Held,
        current: Entity | None,
    ) -> Attributes:
        """What is to be written: of `held` what is newer than what the entity has.

        Each attribute carries the id of its instance in history, so that history holds it once.
        """
        found: Attributes = {}
        for (name, dataset_id), (micros, occurrence, _, attribute) in held.items():
            now = current.instance(name, dataset_id) if current is not None else None
            if now is not None and _micros(now.observed_at) >= micros:
                continue
            instance = series_instance_id(entity_id, name, dataset_id, self._source, micros, occurrence)
            found.setdefault(name, []).append(replace(attribute, instance_id=instance))
        return found


def _micros(observed_at: str | None) -> int:
    if observed_at is None:
        return -(2**63)
    try:
        return parse_datetime(observed_at)
    except BadRequestData:
        return -(2**63)


def entity_of(entity_id: str, types: list[str], scopes: list[str], parts: Iterable[Attributes]) -> Entity:
    """An entity made of several sets of attributes; a later set wins."""
    attributes: Attributes = {}
    for part in parts:
        attributes.update(part)
    return Entity(id=entity_id, types=types, scopes=scopes, attributes=attributes)

"""The values of temporal evolution: instances of attributes in time.

Source: ETSI GS CIM 009 clauses 4.5.6 to 4.5.9 and 4.5.19 (temporal and
aggregated temporal representation), 4.11 (temporal queries), 5.6.11 to 5.6.16.
"""

from __future__ import annotations

from msgspec import Struct

from cityloom.model.entity import Attribute


class Instance(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One instance of one attribute in the history of an entity.

    `attribute.instance_id` is derived, never random: from (entity, attribute,
    dataset, source, stamp, occurrence) for a series, else from (entity,
    attribute, dataset, sequence of the event). `occurrence` counts repeats of a stamp within
    a source (0 the first; > 0 is a repeat, kept and flagged). `row` is the row of the
    source file. A deletion is an instance whose attribute has `deleted_at`.
    """

    name: str
    attribute: Attribute
    occurrence: int = 0
    row: int | None = None


class HistoryAppend(Struct, frozen=True, kw_only=True):
    """Instances to add to one entity's history, one event a chunk.

    `types` and `scopes` are used when the entity has no history yet. An
    instance whose `instance_id` is already there changes nothing.
    """

    entity_id: str
    types: list[str]
    instances: list[Instance]
    scopes: list[str] = []

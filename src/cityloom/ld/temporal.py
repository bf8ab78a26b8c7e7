"""Temporal evolutions as documents: instances, values by time, aggregates.

Source: ETSI GS CIM 009 clauses 4.5.6 to 4.5.9 (temporal and simplified
temporal representation), 4.5.19 (aggregated), 4.18 (scope, reified here).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Protocol

from msgspec.structs import replace

from cityloom.ld.compact import NORMALIZED, Form, Writer, one_or_many
from cityloom.ld.context import LdContext
from cityloom.ld.kinds import KINDS, SCOPE, is_deleted, null_of
from cityloom.ld.language import choose_language
from cityloom.model.entity import DEFAULT_VOCAB, Attribute, Entity
from cityloom.model.history import Instance
from cityloom.model.time import format_datetime

TimeProperty = Literal["observedAt", "createdAt", "modifiedAt", "deletedAt"]

_FIELDS: Final[dict[TimeProperty, str]] = {
    "observedAt": "observed_at",
    "createdAt": "created_at",
    "modifiedAt": "modified_at",
    "deletedAt": "deleted_at",
}


class Head(Protocol):
    """What an evolution tells of its entity beside the attributes; an `Entity` is one too."""

    @property
    def id(self) -> str:
        """The entity's id; "" where it is projected away."""
        ...

    @property
    def types(self) -> list[str]:
        """The entity's types, expanded; empty where they are projected away."""
        ...

    @property
    def scopes(self) -> list[str]:
        """The scopes, where their own evolution is not told."""
        ...

    @property
    def created_at(self) -> str | None:
        """When the entity was made."""
        ...

    @property
    def modified_at(self) -> str | None:
        """When it was last changed."""
        ...

    @property
    def deleted_at(self) -> str | None:
        """When it was deleted."""
        ...


OCCURRENCE: Final = DEFAULT_VOCAB + "occurrence"
"""The Property of an instance that repeats a stamp of its source: 1 the first repeat. Our own."""


class Aggregate(Protocol):
    """One aggregated value over [start, end) in microseconds since 1970."""

    @property
    def value(self) -> Any:
        """The value that the method gave."""
        ...

    @property
    def start(self) -> int:
        """Where the period begins."""
        ...

    @property
    def end(self) -> int:
        """Where the period ends."""
        ...


def compact_evolution(
    head: Head,
    instances: Mapping[str, Sequence[Instance]],
    ld_context: LdContext,
    form: Form = NORMALIZED,
    *,
    timeproperty: TimeProperty = "observedAt",
) -> dict[str, Any]:
    """The temporal evolution of an entity as a document.

    Args:
        head: the entity.
        instances: by expanded name, in order of time; those of the scope
            (expanded) tell the scope's own evolution.
        form: `simplified` gives the representation by values and times (`temporalValues`).
        timeproperty: the time that stands beside each value there.

    Cost: linear in the instances.
    """
    writer = Writer(ld_context, replace(form, instance_ids=True), None)
    document = _write_head(writer, head, told=SCOPE in instances)
    for name, listed in instances.items():
        key = ld_context.compact_key(name)
        attributes = [_flagged(one) for one in listed]
        if name == SCOPE:
            attributes = [_scope_as_property(attribute) for attribute in attributes]
        if form.representation == "simplified":
            document[key] = _by_time(writer, attributes, timeproperty)
        else:
            document[key] = [writer.instance(name, one, {}, (), alone=False) for one in attributes]
    return document


def _flagged(instance: Instance) -> Attribute:
    """The attribute of an instance; one that repeats a stamp of its source says the how manieth it is."""
    if not instance.occurrence:
        return instance.attribute
    count = Attribute(kind="Property", value=instance.occurrence)
    return replace(instance.attribute, attributes={**instance.attribute.attributes, OCCURRENCE: [count]})


def compact_aggregated(
    head: Head,
    attributes: Mapping[tuple[str, str], Mapping[str, Sequence[Aggregate]]],
    kinds: Mapping[tuple[str, str], str],
    ld_context: LdContext,
    form: Form = NORMALIZED,
) -> dict[str, Any]:
    """The aggregated temporal representation (4.5.19).

    Args:
        head: the entity.
        attributes: by expanded name and dataset id, the values of each method by period.
        kinds: the attribute kind by expanded name and dataset id; a Property where it is not told.
    """
    document = _write_head(Writer(ld_context, form, None), head, told=False)
    by_name: dict[str, list[dict[str, Any]]] = {}
    for (name, dataset_id), methods in attributes.items():
        relationship = kinds.get((name, dataset_id), "Property").endswith("Relationship")
        part: dict[str, Any] = {"type": "Relationship" if relationship else "Property"}
        if dataset_id:
            part["datasetId"] = dataset_id
        for method, values in methods.items():
            part[method] = [
                [one.value, format_datetime(one.start), format_datetime(one.end)] for one in values
            ]
        by_name.setdefault(name, []).append(part)
    for name, parts in by_name.items():
        document[ld_context.compact_key(name)] = one_or_many(parts)
    return document


def _write_head(writer: Writer, head: Head, *, told: bool) -> dict[str, Any]:
    """The entity's own members; its scopes only where their evolution is not `told`."""
    entity = Entity(
        id=head.id,
        types=head.types,
        scopes=[] if told else head.scopes,
        created_at=head.created_at,
        modified_at=head.modified_at,
        deleted_at=head.deleted_at if writer.form.sys_attrs else None,
    )
    return writer.head(entity)


def _by_time(writer: Writer, instances: Sequence[Attribute], timeproperty: TimeProperty) -> Any:
    """Values with times, apart for each dataset (and kind, should it have changed)."""
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for instance in instances:
        kind = KINDS[instance.kind or "Property"]
        filtered = kind.name == "LanguageProperty" and writer.form.lang is not None
        label, plural = ("Property", "values") if filtered else (kind.name, kind.plural)
        group = groups.get((label, instance.dataset_id))
        if group is None:
            group = groups[label, instance.dataset_id] = {"type": label}
            if instance.dataset_id:
                group["datasetId"] = instance.dataset_id
            group[plural] = []
        group[plural].append([_value_of(writer, instance), _time_of(instance, timeproperty)])
    return one_or_many(list(groups.values())) if groups else {"type": "Property", "values": []}


def _value_of(writer: Writer, instance: Attribute) -> Any:
    kind = KINDS[instance.kind or "Property"]
    value: Any = instance.value
    deleted = is_deleted(instance)
    if kind.name == "LanguageProperty" and writer.form.lang is not None and not deleted:
        return choose_language(value, writer.form.lang)[1]
    rendered = null_of(kind) if deleted else writer.value(kind, value)
    return {kind.member: rendered} if kind.member in ("languageMap", "vocab", "json") else rendered


def _time_of(instance: Attribute, timeproperty: TimeProperty) -> str:
    """The asked time of an instance, or the next best where it has none."""
    asked: str | None = getattr(instance, _FIELDS[timeproperty])
    return (
        asked
        or instance.observed_at
        or instance.modified_at
        or instance.created_at
        or instance.deleted_at
        or ""
    )


def _scope_as_property(instance: Attribute) -> Attribute:
    value: Any = instance.value
    if is_deleted(instance):
        value = []
    elif type(value) is list and len(value) == 1:
        value = value[0]
    return replace(instance, kind="Property", value=value, instance_id=None)

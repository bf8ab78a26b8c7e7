"""What each write means for one entity: pure functions from the entity before to the entity after.

Nothing here reads, writes or asks; the use cases do. Every instance that an
operation touches carries the operation's time as its `modified_at` (also when
its value stays the same: it was written), and keeps its `created_at`.

Source: ETSI GS CIM 009 clauses 5.5.4 (validation), 5.5.8 (partial update
patch), 5.5.12 (merge patch), 5.6.1 to 5.6.5 and 5.6.17 to 5.6.19, 5.6.21,
4.5.5 (multi-attributes), 4.8 (temporal properties), 4.18 (scopes).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import UNSET, Struct
from msgspec.structs import replace

from cityloom.broker.instances import (
    brief,
    deletes,
    in_kind,
    merge_value,
    overlay,
    refuse_nested_nulls,
    same_instances,
    settled,
    stamped,
    taken,
)
from cityloom.model.entity import NULL, Attribute, Entity
from cityloom.model.errors import BadRequestData, ResourceNotFound
from cityloom.store.changes import SCOPE

_MERGED_DEEP: Final = ("Property", "LanguageProperty", "JsonProperty")


class Outcome(Struct, frozen=True):
    """The entity after an operation, and what of the fragment was taken (5.2.18; names expanded)."""

    entity: Entity
    updated: list[str]
    not_updated: dict[str, str]


def created(entity: Entity, now: str) -> Entity:
    """The entity as it enters the system (5.6.1).

    Raises:
        BadRequestData: an attribute is an NGSI-LD Null or has no value.
    """
    return replace(
        entity,
        scopes=_scopes(entity.scopes),
        attributes=_whole({}, entity.attributes, now),
        created_at=now,
        modified_at=now,
        deleted_at=None,
        expires_at=_member(entity.expires_at, None),
    )


def replaced(before: Entity, entity: Entity, now: str) -> Entity:
    """`entity` in the place of `before`: only the times of creation remain (5.6.18, 5.6.8 replace mode)."""
    return replace(
        entity,
        id=before.id,
        types=entity.types or before.types,
        scopes=_scopes(entity.scopes),
        attributes=_whole(before.attributes, entity.attributes, now),
        created_at=before.created_at or now,
        modified_at=now,
        deleted_at=None,
        expires_at=_member(entity.expires_at, None),
    )


def appended(before: Entity, fragment: Entity, now: str, overwrite: bool = True) -> Outcome:
    """Append attributes (5.6.3): instances are added, or replaced where `overwrite`.

    Raises:
        BadRequestData: an attribute is an NGSI-LD Null or has no value.
    """

    def take(name: str, old: Attribute | None, new: Attribute) -> Attribute | str:
        if old is not None and not overwrite:
            return "already exists and overwriting was not allowed"
        return taken(name, new, now, old, old)

    scopes = before.scopes
    if fragment.scopes:
        wanted = _scopes(fragment.scopes)
        scopes = wanted if overwrite else _united(before.scopes, wanted)
    return _applied(before, fragment, now, take, scopes, {})


def updated(before: Entity, fragment: Entity, now: str) -> Outcome:
    """Update attributes (5.6.2): instances are replaced or added; an NGSI-LD Null deletes.

    Raises:
        BadRequestData: a value is missing, or an NGSI-LD Null stands inside a value.
    """

    def take(name: str, old: Attribute | None, new: Attribute) -> Attribute | str | None:
        if deletes(new):
            return "does not exist" if old is None else None
        return taken(name, new, now, old, old)

    scopes, refused = before.scopes, {}
    if fragment.scopes == [NULL]:
        scopes = []
    elif fragment.scopes and before.scopes:
        scopes = fragment.scopes
    elif fragment.scopes:
        refused[SCOPE] = "the entity has no scope that could be updated"
    return _applied(before, fragment, now, take, scopes, refused)


def merged(
    before: Entity,
    fragment: Entity,
    now: str,
    observed_at: str | None = None,
    lang: str | None = None,
    keep_kinds: bool = False,
) -> Outcome:
    """Merge (5.6.17, 5.5.12): the fragment is merged into the entity to any depth.

    Args:
        observed_at: the common time for merged attributes that had one.
        lang: the language that a plain string sets in a LanguageProperty.
        keep_kinds: an attribute may not become one of another kind (Table 6.5.3.4-1).

    Raises:
        BadRequestData: a value is missing or of the wrong kind for its attribute.
    """

    def take(name: str, old: Attribute | None, new: Attribute) -> Attribute | str | None:
        if keep_kinds and old is not None and new.kind not in ("", old.kind) and not deletes(new):
            if (new.kind, old.kind) != ("GeoProperty", "Property"):
                raise BadRequestData(
                    f"type of {brief(name)} is invalid: {new.kind} where the attribute is a {old.kind}"
                )
            # A geometry by itself is a value like any other.
            new = replace(new, kind="")
        return _merged_instance(name, old, new, now, observed_at, lang)

    scopes = before.scopes
    if fragment.scopes:
        scopes = [] if fragment.scopes == [NULL] else fragment.scopes
    return _applied(before, fragment, now, take, scopes, {})


def partially_updated(before: Entity, name: str, fragment: Attribute, now: str) -> Entity:
    """Partial update of one attribute instance (5.6.4): its members are overwritten, one by one.

    Raises:
        ResourceNotFound: the entity has no such instance.
        BadRequestData: the fragment is empty or of another kind, or `name` is the scope.
    """
    _refuse_scope(name)
    old = _existing(before, name, fragment.dataset_id)
    if fragment == Attribute(dataset_id=fragment.dataset_id):
        raise BadRequestData(f"the fragment of {brief(name)} is invalid: it is empty")
    if deletes(fragment):
        return _with_instance(before, name, fragment.dataset_id, None, now)
    if fragment.kind and fragment.kind != old.kind:
        raise BadRequestData(
            f"type of {brief(name)} is invalid: {fragment.kind} where the attribute is a {old.kind}"
        )
    value = old.value
    if fragment.value is not UNSET:
        refuse_nested_nulls(name, old.kind, fragment.value)
        value = fragment.value if fragment.kind else in_kind(name, old, fragment.value, None)
    subs = _instances(
        old.attributes,
        fragment.attributes,
        lambda sub, was, new: None if deletes(new) else stamped(settled(sub, new, was), now, was),
    )
    after = overlay(old, fragment, old.kind)
    after = replace(after, value=value, attributes=subs, modified_at=now, created_at=old.created_at or now)
    return _with_instance(before, name, fragment.dataset_id, after, now)


def attribute_replaced(before: Entity, name: str, attribute: Attribute, now: str) -> Entity:
    """One attribute instance, wholly replaced; its time of creation remains (5.6.19).

    Raises:
        ResourceNotFound: the entity has no such instance.
        BadRequestData: the attribute is an NGSI-LD Null, has no value, or `name` is the scope.
    """
    _refuse_scope(name)
    old = _existing(before, name, attribute.dataset_id)
    after = taken(name, attribute, now, old, old)
    return _with_instance(before, name, attribute.dataset_id, after, now)


def attribute_deleted(before: Entity, name: str, dataset_id: str, delete_all: bool, now: str) -> Entity:
    """The entity without an attribute, or without one instance of it (5.6.5).

    Raises:
        ResourceNotFound: the entity has no such attribute or instance.
    """
    if name == SCOPE:
        if not before.scopes:
            raise ResourceNotFound(f"scope of entity {before.id} does not exist")
        return replace(before, scopes=[], modified_at=now)
    if not delete_all:
        _existing(before, name, dataset_id)
        return _with_instance(before, name, dataset_id, None, now)
    if name not in before.attributes:
        raise ResourceNotFound(f"attribute {brief(name)} of entity {before.id} does not exist")
    attributes = {key: instances for key, instances in before.attributes.items() if key != name}
    return replace(before, attributes=attributes, modified_at=now)


def pruned(before: Entity, keep: Sequence[str], drop: Sequence[str], now: str) -> Entity:
    """The entity without the attributes of `drop`, or with none but those of `keep` (5.6.21)."""

    def stays(name: str) -> bool:
        return name in keep if keep else name not in drop

    attributes = {name: instances for name, instances in before.attributes.items() if stays(name)}
    scopes = [] if SCOPE in drop else before.scopes
    if len(attributes) == len(before.attributes) and scopes == before.scopes:
        return before
    return replace(before, attributes=attributes, scopes=scopes, modified_at=now)


def same_but_times(one: Entity, other: Entity) -> bool:
    """Whether nothing but times of creation and change tells the two apart."""
    return (
        one.id == other.id
        and one.types == other.types
        and one.scopes == other.scopes
        and one.expires_at == other.expires_at
        and same_instances(one.attributes, other.attributes)
    )


Taken = Attribute | str | None
"""An instance after an operation, why it was left as it was, or None: it is gone."""


def _applied(
    before: Entity,
    fragment: Entity,
    now: str,
    take: Callable[[str, Attribute | None, Attribute], Taken],
    scopes: list[str],
    refused: dict[str, str],
) -> Outcome:
    updated_names: dict[str, None] = {}
    not_updated = dict(refused)

    def noting(name: str, old: Attribute | None, new: Attribute) -> Taken:
        after = take(name, old, new)
        if isinstance(after, str):
            not_updated[name] = after if not new.dataset_id else f"datasetId {new.dataset_id}: {after}"
        elif after is not None or old is not None:
            updated_names[name] = None
        return after

    attributes = _instances(before.attributes, fragment.attributes, noting)
    types = _united(before.types, fragment.types)
    if scopes != before.scopes:
        updated_names[SCOPE] = None
    expires_at = _member(fragment.expires_at, before.expires_at)
    if not updated_names and types == before.types and expires_at == before.expires_at:
        return Outcome(before, [], not_updated)
    after = replace(
        before,
        types=types,
        scopes=scopes,
        attributes=attributes,
        modified_at=now,
        expires_at=expires_at,
    )
    return Outcome(after, list(updated_names), not_updated)


def _instances(
    existing: dict[str, list[Attribute]],
    fragment: dict[str, list[Attribute]],
    take: Callable[[str, Attribute | None, Attribute], Taken],
) -> dict[str, list[Attribute]]:
    """Goes through the instances of a fragment, each with its counterpart by name and dataset."""
    if not fragment:
        return existing
    result = dict(existing)
    for name, news in fragment.items():
        instances = list(result.get(name, ()))
        for new in news:
            place = next((i for i, old in enumerate(instances) if old.dataset_id == new.dataset_id), None)
            old = None if place is None else instances[place]
            after = take(name, old, new)
            if isinstance(after, str):
                continue
            if after is None:
                if place is not None:
                    del instances[place]
            elif place is None:
                instances.append(after)
            else:
                instances[place] = after
        if instances:
            result[name] = instances
        else:
            result.pop(name, None)
    return result


def _merged_instance(
    name: str,
    old: Attribute | None,
    new: Attribute,
    now: str,
    observed_at: str | None = None,
    lang: str | None = None,
) -> Attribute | None:
    if deletes(new):
        return None
    if old is None:
        return stamped(settled(name, new, None, merging=True), now, None)
    kind = new.kind or old.kind
    if new.value is UNSET:
        if kind != old.kind:
            raise BadRequestData(f"value of {brief(name)} is required: its type changes to {kind}")
        value = old.value
    elif kind != old.kind:
        value = settled(name, new, None, merging=True).value
    else:
        value = new.value if new.kind else in_kind(name, old, new.value, lang)
        if kind in _MERGED_DEEP:
            value = merge_value(name, old.value, value)
    after = overlay(old, new, kind)
    if observed_at and old.observed_at and new.observed_at is None:
        after = replace(after, observed_at=observed_at)
    subs = _instances(
        old.attributes, new.attributes, lambda sub, was, part: _merged_instance(sub, was, part, now)
    )
    return replace(after, value=value, attributes=subs, modified_at=now, created_at=old.created_at or now)


def _whole(
    existing: dict[str, list[Attribute]], new: dict[str, list[Attribute]], now: str
) -> dict[str, list[Attribute]]:
    result = {}
    for name, instances in new.items():
        known = existing.get(name)
        if known is None:
            result[name] = [taken(name, instance, now, None, None) for instance in instances]
        elif len(known) == len(instances) == 1 and known[0].dataset_id == instances[0].dataset_id:
            result[name] = [taken(name, instances[0], now, known[0], None)]
        else:
            olds = {old.dataset_id: old for old in known}
            result[name] = [
                taken(name, instance, now, olds.get(instance.dataset_id), None) for instance in instances
            ]
    return result


def _with_instance(before: Entity, name: str, dataset_id: str, after: Attribute | None, now: str) -> Entity:
    instances = [
        after if old.dataset_id == dataset_id else old
        for old in before.attributes[name]
        if after is not None or old.dataset_id != dataset_id
    ]
    attributes = dict(before.attributes)
    kept = [instance for instance in instances if instance is not None]
    if kept:
        attributes[name] = kept
    else:
        del attributes[name]
    return replace(before, attributes=attributes, modified_at=now)


def _existing(before: Entity, name: str, dataset_id: str) -> Attribute:
    old = before.instance(name, dataset_id)
    if old is None:
        dataset = f" with datasetId {dataset_id}" if dataset_id else ""
        raise ResourceNotFound(f"attribute {brief(name)}{dataset} of entity {before.id} does not exist")
    return old


def _refuse_scope(name: str) -> None:
    if name == SCOPE:
        raise BadRequestData("attribute name is invalid: scope cannot be updated as an attribute")


def _scopes(scopes: list[str]) -> list[str]:
    if NULL in scopes:
        raise BadRequestData(f"scope is invalid: {NULL} is not allowed here")
    return scopes


def _united(old: list[str], new: list[str]) -> list[str]:
    return old + [item for item in dict.fromkeys(new) if item not in old]


def _member(new: str | None, old: str | None) -> str | None:
    if new is None:
        return old
    return None if new == NULL else new

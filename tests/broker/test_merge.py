"""Laws of the pure functions, on arbitrary entities."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cityloom.broker import merge
from cityloom.broker.instances import same_instances
from cityloom.model.entity import NULL, Attribute, Entity
from cityloom.model.errors import BadRequestData

from .helpers import VEHICLE, V

T0, T1 = "2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z"
KEYS = st.sampled_from(["a", "b", "c"])
DATASETS = st.sampled_from(["", "urn:d:1", "urn:d:2"])
SCALARS = st.one_of(st.integers(-5, 5), st.booleans(), st.sampled_from(["x", "y"]), st.just(1.5))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)
PATCHES = st.recursive(
    st.one_of(SCALARS, st.just(NULL)), lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)


def attributes(
    values: st.SearchStrategy[Any], depth: int = 1
) -> st.SearchStrategy[dict[str, list[Attribute]]]:
    """Attributes by name, each instance with a dataset of its own."""
    subs = attributes(values, depth - 1) if depth else st.just({})
    kinds = st.one_of(
        st.builds(
            Attribute,
            kind=st.just("Property"),
            value=values,
            unit_code=st.sampled_from([None, "CEL"]),
            observed_at=st.sampled_from([None, T0]),
            dataset_id=DATASETS,
            attributes=subs,
        ),
        st.builds(
            Attribute,
            kind=st.just("Relationship"),
            value=st.sampled_from(["urn:x:1", "urn:x:2"]),
            dataset_id=DATASETS,
            attributes=subs,
        ),
    )
    instances = st.lists(kinds, min_size=1, max_size=3, unique_by=lambda one: one.dataset_id)
    return st.dictionaries(KEYS.map(lambda key: V + key), instances, max_size=3)


def entities(values: st.SearchStrategy[Any] = VALUES) -> st.SearchStrategy[Entity]:
    return st.builds(
        Entity,
        id=st.just("urn:ngsi-ld:Vehicle:1"),
        types=st.just([VEHICLE]),
        scopes=st.lists(st.sampled_from(["/a", "/b", "/c"]), unique=True, max_size=2),
        attributes=attributes(values),
    )


@given(entities())
def test_replacing_with_itself_changes_nothing_but_times(entity):
    before = merge.created(entity, T0)
    after = merge.replaced(before, entity, T1)
    assert merge.same_but_times(before, after)
    assert after.created_at == T0
    assert all_times(after.attributes) <= {(T0, T1)}


@given(entities())
def test_merging_updating_or_appending_itself_changes_nothing_but_times(entity):
    before = merge.created(entity, T0)
    for operation in (merge.merged, merge.updated, merge.appended):
        assert merge.same_but_times(before, operation(before, entity, T1).entity)


@given(entities(), entities())
def test_no_function_changes_what_it_was_given(one, other):
    before = merge.created(one, T0)
    copy = merge.created(one, T0)
    for operation in (merge.merged, merge.updated, merge.appended):
        operation(before, other, T1)
    merge.replaced(before, other, T1)
    assert before == copy


@given(entities(), entities())
def test_append_without_overwrite_keeps_every_instance(one, other):
    before = merge.created(one, T0)
    outcome = merge.appended(before, other, T1, overwrite=False)
    kept = {
        name: [instance for instance in found if before.instance(name, instance.dataset_id)]
        for name, found in outcome.entity.attributes.items()
        if name in before.attributes
    }
    assert kept == before.attributes
    told = {name for name in other.attributes if name in outcome.updated or name in outcome.not_updated}
    assert told == set(other.attributes)


@given(entities(), entities())
def test_after_an_append_every_instance_of_the_fragment_is_there(one, other):
    after = merge.appended(merge.created(one, T0), other, T1).entity
    for name, found in other.attributes.items():
        for instance in found:
            there = after.instance(name, instance.dataset_id)
            assert there is not None
            assert same_instances({name: [there]}, {name: [instance]})


@given(entities(), entities())
def test_times_of_creation_never_change(one, other):
    before = merge.created(one, T0)
    for after in (
        merge.merged(before, other, T1).entity,
        merge.updated(before, other, T1).entity,
        merge.appended(before, other, T1).entity,
        merge.replaced(before, other, T1),
    ):
        assert after.created_at == T0
        for name, found in after.attributes.items():
            for instance in found:
                old = before.instance(name, instance.dataset_id)
                assert instance.created_at == (T0 if old is not None else T1)


def patched(target: Any, patch: Any) -> Any:
    """RFC 7396, written down anew, with the NGSI-LD Null for null."""
    if not isinstance(patch, dict):
        return patch
    result = {} if not isinstance(target, dict) else dict(target)
    for key in patch:
        if patch[key] == NULL:
            if key in result:
                del result[key]
        else:
            result[key] = patched(result.get(key), patch[key])
    return result


def whole(values: dict[str, Any]) -> Entity:
    return Entity(
        id="urn:e:1",
        types=[VEHICLE],
        attributes={V + key: [Attribute(kind="Property", value=value)] for key, value in values.items()},
    )


@given(st.dictionaries(KEYS, VALUES, max_size=3), st.dictionaries(KEYS, PATCHES, max_size=3))
def test_merge_agrees_with_json_merge_patch_on_plain_values(values, patch):
    after = merge.merged(merge.created(whole(values), T0), whole(patch), T1).entity
    plain = {name.removeprefix(V): found[0].value for name, found in after.attributes.items()}
    assert plain == patched(values, patch)


@given(st.dictionaries(KEYS, VALUES, max_size=3), st.dictionaries(KEYS, PATCHES, max_size=3))
def test_a_merge_twice_is_the_merge_once(values, patch):
    once = merge.merged(merge.created(whole(values), T0), whole(patch), T1).entity
    assert merge.same_but_times(once, merge.merged(once, whole(patch), T1).entity)


@given(entities(), st.sampled_from([True, False]))
def test_same_but_times_tells_true_from_one(entity, flag):
    name = V + "flag"
    one = replace(entity, attributes={**entity.attributes, name: [Attribute(kind="Property", value=flag)]})
    other = replace(
        entity, attributes={**entity.attributes, name: [Attribute(kind="Property", value=int(flag))]}
    )
    assert merge.same_but_times(one, one)
    assert not merge.same_but_times(one, other)


@pytest.mark.parametrize(
    ("fragment", "message"),
    [
        ({"a": Attribute(kind="Property")}, "a is required"),
        ({"a": Attribute(kind="Property", value=[1, NULL])}, "a is invalid"),
        ({"a": Attribute(kind="Relationship")}, "a is required"),
        ({"new": Attribute(unit_code="CEL")}, "new is required"),
    ],
)
def test_merge_refuses_what_gives_no_whole_attribute(fragment, message):
    before = merge.created(whole({"b": 1}), T0)
    part = Entity(attributes={V + name: [attribute] for name, attribute in fragment.items()})
    with pytest.raises(BadRequestData, match=message):
        merge.merged(before, part, T1)


def test_merge_to_another_kind_needs_a_value_and_drops_what_belonged_to_the_old_one():
    speed = Attribute(kind="Property", value=1, unit_code="KMH", observed_at=T0)
    before = merge.created(Entity(id="urn:e:1", types=[VEHICLE], attributes={V + "a": [speed]}), T0)
    with pytest.raises(BadRequestData, match="a is required"):
        merge.merged(before, Entity(attributes={V + "a": [Attribute(kind="Relationship")]}), T1)
    new = Attribute(kind="Relationship", value="urn:x:1")
    after = merge.merged(before, Entity(attributes={V + "a": [new]}), T1).entity.attributes[V + "a"][0]
    assert (after.kind, after.value, after.unit_code, after.observed_at) == (
        "Relationship",
        "urn:x:1",
        None,
        T0,
    )


def test_merge_sets_and_removes_the_end_of_a_transient_entity():
    before = merge.created(whole({"a": 1}), T0)
    transient = merge.merged(before, Entity(expires_at=T1), T1).entity
    assert transient.expires_at == T1
    assert merge.merged(transient, Entity(), T1).entity.expires_at == T1
    assert merge.merged(transient, Entity(expires_at=NULL), T1).entity.expires_at is None


def test_merge_touches_only_the_instances_of_the_fragment():
    """What was not written keeps the very object, so that a store sees at once that nothing changed."""
    before = merge.created(whole({"a": 1, "b": {"deep": [1]}}), T0)
    after = merge.merged(before, whole({"a": 2}), T1).entity
    assert after.attributes[V + "b"] is before.attributes[V + "b"]


def all_times(found: dict[str, list[Attribute]]) -> set[tuple[str | None, str | None]]:
    times = set()
    for instances in found.values():
        for instance in instances:
            times.add((instance.created_at, instance.modified_at))
            times |= all_times(instance.attributes)
    return times

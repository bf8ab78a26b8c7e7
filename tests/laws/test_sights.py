"""Law: a map and a search see each entity as it is now, and are told what has changed."""

from __future__ import annotations

import unicodedata
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cityloom.model.entity import DEFAULT_VOCAB, LOCATION, Attribute, Entity
from cityloom.model.time import format_datetime
from cityloom.store.entity_ports import LayerSummary
from cityloom.store.map_ports import Box
from cityloom.store.ports import Store
from tests.laws.conftest import START, Home
from tests.laws.values import (
    CAUSE,
    LAMP,
    LEVEL,
    SENSOR,
    STATE,
    do,
    lamp,
    placed_lamp,
    point,
    prop,
    put,
    remove,
    see,
)

NAME = DEFAULT_VOCAB + "name"
STALE = DEFAULT_VOCAB + "stale"
WORLD: Box = (-180, -90, 180, 90)
SECOND = 1_000_000


def names(**by_language: Any) -> Attribute:
    return Attribute(kind="LanguageProperty", value=by_language)


def shaped(number: int, kind: str, coordinates: Any) -> Entity:
    location = Attribute(kind="GeoProperty", value={"type": kind, "coordinates": coordinates})
    return lamp(number, attributes={LOCATION: [location], STATE: [prop("on")]})


def ids(found: Any) -> list[str]:
    return [each[0] for each in found]


def found(store: Store, text: str, limit: int = 50, tenant: str = "") -> list[str]:
    return [each.id for each in see(store, lambda snapshot: snapshot.search(tenant, text, limit))]


def layer(store: Store, type: str = LAMP) -> LayerSummary:
    (only,) = [each for each in see(store, lambda snapshot: snapshot.layers("")) if each.type == type]
    return only


def changed(store: Store, attributes: Any = (), type: str = LAMP) -> int:
    return see(store, lambda snapshot: snapshot.changed("", type, attributes))


# -- points and shapes -------------------------------------------------------------


def test_points_are_exact_and_by_id(store: Store) -> None:
    put(store, placed_lamp(2, 121.473701234567, 31.230412345678))
    put(store, placed_lamp(1, 0.1, 0.2, types=[SENSOR, LAMP]))
    put(store, placed_lamp(3, 5, 5, types=[SENSOR]))
    put(store, lamp(4))
    found = see(store, lambda snapshot: snapshot.points("", LAMP, WORLD))
    assert [(each[0], each[2], each[3]) for each in found] == [
        (lamp(1).id, 0.1, 0.2),
        (lamp(2).id, 121.473701234567, 31.230412345678),
    ]
    assert see(store, lambda snapshot: ids(snapshot.points("", LAMP, (121, 31, 122, 32)))) == [lamp(2).id]
    assert see(store, lambda snapshot: ids(snapshot.points("else", LAMP, WORLD))) == []


def test_points_tell_the_attributes_asked_for(store: Store) -> None:
    attributes = {
        LOCATION: [point(1, 1)],
        NAME: [names(en="Lamp", zh="灯")],
        STATE: [prop("off", dataset_id="urn:d"), prop("on")],
    }
    put(store, lamp(1, attributes=attributes))
    ((_, name, _, _, values),) = see(store, lambda snapshot: snapshot.points("", LAMP, WORLD, [STATE, LEVEL]))
    assert name == b'{"en":"Lamp","zh":"\xe7\x81\xaf"}'
    assert (values[0].kind, values[0].value, values[1]) == ("Property", "on", None)


def test_points_follow_moves_renames_and_deletions(store: Store) -> None:
    put(store, placed_lamp(1, 1, 1))
    put(store, placed_lamp(1, 2, 2))
    assert see(store, lambda snapshot: snapshot.points("", LAMP, WORLD))[0][2:4] == (2, 2)
    renamed = placed_lamp(1, 2, 2)
    put(store, replace(renamed, attributes={**renamed.attributes, NAME: [prop("Old")]}))
    assert see(store, lambda snapshot: snapshot.points("", LAMP, WORLD))[0][1] == "Old"
    put(store, shaped(1, "LineString", [[0, 0], [1, 1]]))
    assert see(store, lambda snapshot: snapshot.points("", LAMP, WORLD)) == []
    assert see(store, lambda snapshot: ids(snapshot.shapes("", LAMP, WORLD))) == [lamp(1).id]
    remove(store, lamp(1).id)
    assert see(store, lambda snapshot: list(snapshot.shapes("", LAMP, WORLD))) == []


def test_shapes_come_without_geometry_where_they_are_small(store: Store) -> None:
    put(store, shaped(1, "Polygon", [[[0, 0], [0.1, 0], [0.1, 0.1], [0, 0]]]))
    put(store, shaped(2, "LineString", [[0, 0], [3, 0]]))
    put(store, shaped(3, "MultiPoint", [[0, 0], [0.01, 0]]))
    put(store, placed_lamp(4, 0, 0))
    shapes = see(store, lambda snapshot: snapshot.shapes("", LAMP, WORLD, (1.0, 1.0)))
    assert [(each.id, each.dimension) for each in shapes] == [
        (lamp(1).id, 2),
        (lamp(2).id, 1),
        (lamp(3).id, 0),
    ]
    assert [each.geometry is None for each in shapes] == [True, False, True]
    assert shapes[0].box == pytest.approx((0, 0, 0.1, 0.1), abs=1e-6)
    whole = see(store, lambda snapshot: snapshot.shapes("", LAMP, WORLD))
    assert whole[1].geometry == b'{"type":"LineString","coordinates":[[0,0],[3,0]]}'


# -- what has changed -----------------------------------------------------------------


def test_changed_tells_the_last_event_that_a_map_shows(store: Store) -> None:
    assert changed(store) == 0
    put(store, placed_lamp(1, 1, 1))
    made = changed(store)
    assert made == see(store, lambda snapshot: snapshot.last_seq())
    switched = placed_lamp(1, 1, 1)
    event = put(store, replace(switched, attributes={**switched.attributes, STATE: [prop("off")]}))
    assert event is not None
    assert changed(store) == made
    assert changed(store, [LEVEL]) == made
    assert changed(store, [STATE]) == changed(store, None) == event.seq


@pytest.mark.parametrize(
    "attributes",
    [
        {LOCATION: [point(1, 2)], STATE: [prop("on")]},
        {LOCATION: [point(1, 1)], STATE: [prop("on")], NAME: [prop("A")]},
        {LOCATION: [point(1, 1)], STATE: [prop("on")], STALE: [prop(True)]},
        {LOCATION: [point(1, 1)]},
        {STATE: [prop("on")]},
    ],
    ids=["moved", "named", "silent", "attribute gone", "place gone"],
)
def test_changed_tells_of_what_every_map_shows(store: Store, attributes: Any) -> None:
    put(store, placed_lamp(1, 1, 1))
    event = put(store, lamp(1, attributes=attributes))
    assert event is not None
    assert changed(store) == event.seq


def test_changed_tells_a_type_that_an_entity_left(store: Store) -> None:
    put(store, placed_lamp(1, 1, 1))
    event = put(store, placed_lamp(1, 1, 1, types=[SENSOR]))
    assert event is not None
    assert changed(store) == changed(store, type=SENSOR) == event.seq
    event = remove(store, lamp(1).id)
    assert event is not None
    assert (changed(store), changed(store, type=SENSOR)) == (event.seq - 1, event.seq)


# -- the facts of a layer ---------------------------------------------------------------


def read_at(number: int, second: int) -> Entity:
    stamp = format_datetime(START + second * SECOND)
    return lamp(number, attributes={LEVEL: [prop(second, observed_at=stamp)]})


def marked(number: int, second: int, mark: bool | None) -> Entity:
    entity = read_at(number, second)
    marks = {} if mark is None else {STALE: [prop(mark)]}
    return replace(entity, attributes={**entity.attributes, **marks})


def observed(store: Store) -> int | None:
    time = layer(store).observed
    return None if time is None else (time - START) // SECOND


def test_layers_tell_the_newest_observation(store: Store) -> None:
    put(store, lamp(9))
    assert observed(store) is None
    for second in (5, 7, 6):
        put(store, read_at(second, second))
    assert observed(store) == 7
    put(store, read_at(7, 3))
    assert observed(store) == 6
    remove(store, lamp(6).id)
    assert observed(store) == 5
    put(store, read_at(1, 8))
    assert observed(store) == 8


def test_layers_tell_how_many_are_silent(store: Store) -> None:
    put(store, marked(1, 1, True))
    put(store, marked(2, 1, False))
    put(store, read_at(3, 1))
    assert layer(store).silent == 1
    assert see(store, lambda snapshot: snapshot.silent("", LAMP)) == {lamp(1).id}
    put(store, marked(3, 1, True))
    put(store, marked(1, 1, False))
    assert see(store, lambda snapshot: snapshot.silent("", LAMP)) == {lamp(3).id}
    remove(store, lamp(3).id)
    assert layer(store).silent == 0


STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.none() | st.integers(0, 9), st.sampled_from([None, True, False])),
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, together=st.booleans())
def test_facts_of_a_layer_agree_with_its_entities(store: Store, steps: Any, together: bool) -> None:
    city: dict[int, Entity] = {}

    def step(number: int, after: Entity | None, tx: Any) -> None:
        tx.write_entity("", tx.get("", lamp(number).id), after, CAUSE)

    def work(tx: Any) -> None:
        for number, second, mark in steps:
            step(number, marked(number, second, mark) if second is not None else None, tx)

    for number in range(4):
        remove(store, lamp(number).id)
    if together:
        do(store, work)
    for number, second, mark in steps:
        city.pop(number, None)
        if second is not None:
            city[number] = marked(number, second, mark)
        if not together:
            do(store, partial(step, number, city.get(number)))
    layers = see(store, lambda snapshot: snapshot.layers(""))
    if not city:
        assert layers == []
        return
    seconds = [entity.attributes[LEVEL][0].value for entity in city.values()]
    assert observed(store) == max(seconds)
    silent = [
        entity for entity in city.values() if STALE in entity.attributes and entity.attributes[STALE][0].value
    ]
    assert layer(store).silent == len(silent)


# -- search ---------------------------------------------------------------------------------


def called(number: int, *texts: Any, types: Any = (LAMP,)) -> Entity:
    attribute = (
        names(**{f"l{index}": text for index, text in enumerate(texts)}) if len(texts) > 1 else prop(*texts)
    )
    return lamp(number, types=list(types), attributes={NAME: [attribute]})


def test_search_finds_parts_whatever_case_accents_and_width(store: Store) -> None:
    put(store, called(1, "Café Élysée", "香榭丽舍咖啡馆"))
    put(store, called(2, "Ｆｕｌｌ Straße"))
    put(store, called(3, "حديقة الأزهر"))
    for text in ("cafe", "ÉLYS", "cafe elysee", "榭", "咖啡"):
        assert found(store, text) == [lamp(1).id], text
    for text in ("full", "STRASSE", "straße"):
        assert found(store, text) == [lamp(2).id], text
    assert found(store, "الأزهر") == [lamp(3).id]
    assert found(store, "nowhere") == []


def test_search_orders_whole_then_beginning_then_word_then_part(store: Store) -> None:
    for number, name in enumerate(["oakland", "the oak", "oak", "soak", "red oak-tree", "Oak Street"]):
        put(store, called(number, name))
    assert found(store, "oak") == [lamp(number).id for number in (2, 0, 5, 1, 4, 3)]
    assert found(store, "oak", 2) == [lamp(2).id, lamp(0).id]


def test_search_finds_words_apart_in_name_id_or_type_after_what_holds_the_text(store: Store) -> None:
    put(store, called(1, "Pine Pond Lane"))
    put(store, called(2, "Lane of pine trees"))
    put(store, called(3, "Pine Lane"))
    put(store, called(4, "Pine Street"))
    put(store, called(5, "a", "Éclair pond"))
    assert found(store, "pine lane") == [lamp(number).id for number in (3, 1, 2)]
    assert found(store, "lamp pine street") == [lamp(4).id]
    assert found(store, "POND eclair") == [lamp(5).id]
    assert found(store, "pine nowhere") == []


def test_search_puts_types_with_few_entities_before_crowds(store: Store) -> None:
    for number in range(3):
        put(store, called(number, f"Harbour {number}"))
    put(store, called(9, "Harbour district", types=[SENSOR]))
    assert found(store, "harbour")[0] == lamp(9).id


def test_search_finds_ids_and_types(store: Store) -> None:
    put(store, lamp(1))
    put(store, called(2, "1"))
    assert found(store, "URN:ngsi-ld:lamp:001") == [lamp(1).id]
    assert found(store, "001") == [lamp(1).id]
    assert found(store, "lamp:") == [lamp(1).id, lamp(2).id]
    put(store, Entity(id="urn:x:1", types=[DEFAULT_VOCAB + "AirQualityObserved"]))
    assert found(store, "air quality") == found(store, "QualityObs") == ["urn:x:1"]


def test_search_follows_names_and_deletions_and_keeps_tenants_apart(store: Store) -> None:
    put(store, called(1, "old"))
    put(store, called(1, "new"))
    put(store, called(2, "new"), tenant="other")
    assert (found(store, "old"), found(store, "new")) == ([], [lamp(1).id])
    assert found(store, "new", tenant="other") == [lamp(2).id]
    assert found(store, "new", tenant="none") == []
    remove(store, lamp(1).id)
    assert found(store, "new") == []


def test_search_tells_name_types_and_location(store: Store) -> None:
    put(store, lamp(1, types=[LAMP, SENSOR], attributes={NAME: [prop("x")], LOCATION: [point(1, 2)]}))
    (one,) = see(store, lambda snapshot: snapshot.search("", "x", 5))
    assert (one.types, one.name, one.location) == (
        [LAMP, SENSOR],
        "x",
        b'{"type":"Point","coordinates":[1,2]}',
    )


def plain(text: str) -> str:
    """Another way to take accents and case away, for the letters drawn below."""
    return "".join(
        char for char in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(char) != "Mn"
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text("abÀéñ灯路 ", min_size=1, max_size=6), min_size=1, max_size=5),
    wanted=st.from_regex(r"[abÁen灯路]{1,3}( [abÁen灯路]{1,2})?", fullmatch=True),
)
def test_search_finds_exactly_what_holds_the_text(store: Store, texts: list[str], wanted: str) -> None:
    for number in range(5):
        remove(store, f"#{number}")
    for number, text in enumerate(texts):
        put(store, Entity(id=f"#{number}", types=["#0"], attributes={NAME: [prop(text)]}))
    lines = [" ".join(plain(text).split()) for text in texts]
    expected = [
        f"#{number}"
        for number, line in enumerate(lines)
        if plain(wanted) in line or (" " in wanted and all(word in line for word in plain(wanted).split()))
    ]
    assert sorted(found(store, wanted)) == expected


def test_everything_is_there_after_opening_again(home: Home) -> None:
    store = home.open()
    put(store, called(1, "kept"))
    store.close()
    store = home.open()
    assert found(store, "kept") == [lamp(1).id]
    store.close()

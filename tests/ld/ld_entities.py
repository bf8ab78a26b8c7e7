"""Strategies: entities with every kind of attribute, as `ld` and the other rooms hold them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from cityloom.model.entity import DEFAULT_VOCAB, LOCATION, Attribute, AttributeKind, Entity

VOCAB = "https://a.example/ns#"
CONTEXT = {
    "speed": VOCAB + "speed",
    "Vehicle": VOCAB + "Vehicle",
    "street": VOCAB + "street",
    "open": VOCAB + "open",
    "sd": "https://smartdatamodels.org/",
}
NAMES = [
    VOCAB + "speed",
    VOCAB + "street",
    DEFAULT_VOCAB + "plain",
    "https://smartdatamodels.org/name",
    DEFAULT_VOCAB + "路灯",
]
TYPES = [VOCAB + "Vehicle", DEFAULT_VOCAB + "Lamp", "https://smartdatamodels.org/Bench"]

LETTERS = st.sampled_from('aZ09é路🚦 \n\x00"\\</:@_')
texts = st.text(LETTERS, max_size=6)
numbers = st.one_of(
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**40), 10**40),
)
scalars = st.one_of(texts, numbers, st.booleans())
uris = st.builds(
    "urn:ngsi-ld:Thing:{}".format, st.text(st.sampled_from("ab09-._é路"), min_size=1, max_size=4)
)
times = st.sampled_from(("2026-05-01T12:00:00Z", "2026-05-01T12:00:00.25Z", "1999-12-31T23:59:59,999999Z"))
names = st.sampled_from(NAMES)
vocabulary = st.sampled_from([VOCAB + "open", DEFAULT_VOCAB + "closed", "https://smartdatamodels.org/x"])

member_names = st.sampled_from(
    [*NAMES, DEFAULT_VOCAB + "a b", DEFAULT_VOCAB + "x-y", "https://uri.etsi.org/ngsi-ld/status", "urn:x:y"]
)
compound = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(member_names, inner, max_size=3),
        st.builds(
            lambda name, value: {"@type": name, **value},
            vocabulary,
            st.dictionaries(member_names, inner, max_size=2),
        ),
    ),
    max_leaves=4,
)
raw_json = st.recursive(
    st.one_of(st.none(), scalars),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=4,
)
longitudes = st.floats(-180, 180)
latitudes = st.floats(-90, 90)
positions = st.one_of(
    st.tuples(longitudes, latitudes).map(list),
    st.tuples(longitudes, latitudes, st.floats(-100, 5000)).map(list),
)
lines = st.lists(positions, min_size=2, max_size=4)
rings = st.lists(positions, min_size=3, max_size=5).map(lambda ring: [*ring, ring[0]])


def geometry(kind: str, coordinates: Any) -> dict[str, Any]:
    return {"type": kind, "coordinates": coordinates}


geometries = st.one_of(
    positions.map(lambda c: geometry("Point", c)),
    st.lists(positions, min_size=1, max_size=3).map(lambda c: geometry("MultiPoint", c)),
    lines.map(lambda c: geometry("LineString", c)),
    st.lists(lines, min_size=1, max_size=2).map(lambda c: geometry("MultiLineString", c)),
    st.lists(rings, min_size=1, max_size=2).map(lambda c: geometry("Polygon", c)),
    st.lists(st.lists(rings, min_size=1, max_size=2), min_size=1, max_size=2).map(
        lambda c: geometry("MultiPolygon", c)
    ),
)
tags = st.sampled_from(("en", "fr", "fr-CH", "zh-Hant-TW", "@none"))
language_maps = st.dictionaries(tags, st.one_of(texts, st.lists(texts, max_size=2)), min_size=1, max_size=3)

VALUES: dict[AttributeKind, st.SearchStrategy[Any]] = {
    "Property": st.one_of(scalars, compound),
    "GeoProperty": geometries,
    "Relationship": st.one_of(uris, st.lists(uris, min_size=1, max_size=3)),
    "LanguageProperty": language_maps,
    "VocabProperty": st.one_of(vocabulary, st.lists(vocabulary, min_size=1, max_size=3)),
    "ListProperty": st.lists(compound, max_size=3),
    "ListRelationship": st.lists(uris, max_size=3),
    "JsonProperty": raw_json.filter(lambda value: isinstance(value, (dict, list))),
}
UNITS = ("Property", "ListProperty")
LINKS = ("Relationship", "ListRelationship")


@st.composite
def attributes(draw: st.DrawFn, dataset_id: str = "", depth: int = 1) -> Attribute:
    kind = draw(st.sampled_from(sorted(VALUES)))
    value_type = None
    if kind == "LanguageProperty":
        value_type = draw(st.sampled_from((None, "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString")))
    elif kind not in LINKS:
        value_type = draw(st.one_of(st.none(), vocabulary))
    return Attribute(
        kind=kind,
        value=draw(VALUES[kind]),
        observed_at=draw(st.one_of(st.none(), times)),
        dataset_id=dataset_id,
        unit_code=draw(st.one_of(st.none(), st.just("CEL"))) if kind in UNITS else None,
        object_type=draw(st.one_of(st.none(), st.lists(st.sampled_from(TYPES), min_size=1, unique=True)))
        if kind in LINKS
        else None,
        value_type=value_type,
        expires_at=draw(st.one_of(st.none(), times)),
        attributes=draw(st.dictionaries(names, instances(depth - 1), max_size=1)) if depth else {},
    )


@st.composite
def instances(draw: st.DrawFn, depth: int = 1) -> list[Attribute]:
    datasets = draw(
        st.lists(st.sampled_from(("", "urn:ngsi-ld:d:1", "urn:ngsi-ld:d:2")), min_size=1, unique=True)
    )
    return [draw(attributes(dataset_id, depth)) for dataset_id in datasets]


@st.composite
def entities(draw: st.DrawFn) -> Entity:
    """A current entity without the system's times."""
    given = draw(st.dictionaries(names, instances(), max_size=3))
    if draw(st.booleans()):
        given[LOCATION] = [Attribute(kind="GeoProperty", value=draw(geometries))]
    return Entity(
        id=draw(uris),
        types=draw(st.lists(st.sampled_from(TYPES), min_size=1, unique=True)),
        scopes=draw(st.lists(st.sampled_from(("/Madrid", "Boston", "/a/b_1/c")), unique=True)),
        attributes=given,
        expires_at=draw(st.one_of(st.none(), times)),
    )
